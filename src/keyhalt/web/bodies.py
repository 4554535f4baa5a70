"""From the bytes of a request to a typed body and a query, or to what is wrong with them.

JSON is read strictly: one value per name, no NaN, no text that cannot be stored. What is wrong is
said in the names the client sent, and never repeats what it sent.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from pydantic import TypeAdapter, ValidationError

from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keyhalt.client.middleware import Receive, Scope

BODY_BYTES_MAX = 1024 * 1024
QUERY_PARAMETERS_MAX = 100

_JSON_TYPES = ("application/json", "text/json")


async def read_body(scope: Scope, receive: Receive) -> bytes | Refused:
    """The whole body, at most 1 MiB. A declared length above that is refused unread."""
    refused = _fault_of_headers(scope["headers"])
    return await receive_body(receive) if refused is None else refused


async def receive_body(receive: Receive) -> bytes | Refused:
    """Whatever the headers say of it, at most 1 MiB."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Refused(Fault.INVALID_BODY, "The body ended before it was complete.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            return _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _fault_of_headers(headers: Iterable[tuple[bytes, bytes]]) -> Refused | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > BODY_BYTES_MAX:
            return _too_large()
        if name == b"content-type":
            kind, _, parameters = value.decode("latin-1").lower().partition(";")
            charset = parameters.partition("charset=")[2].strip(' "')
            plain = kind.strip()
            if not (plain in _JSON_TYPES or plain.endswith("+json")) or charset not in (
                "",
                "utf-8",
                "utf8",
            ):
                detail = "Send the body as application/json in UTF-8."
                return Refused(Fault.UNSUPPORTED_MEDIA_TYPE, detail, "Content-Type")
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            detail = "Send the body without a Content-Encoding."
            return Refused(Fault.UNSUPPORTED_MEDIA_TYPE, detail, "Content-Encoding")
    return None


def _too_large() -> Refused:
    return Refused(Fault.BODY_TOO_LARGE, f"A body has at most {BODY_BYTES_MAX:,} bytes.")


class _FaultError(ValueError):
    """What is wrong with a JSON text, as a sentence."""


def parse_body(data: bytes, model: Any) -> Any:  # noqa: ANN401 - an instance of `model`
    """A value of the pydantic type `model`, or Refused. Never raises for any bytes."""
    if not data.strip():
        return Refused(Fault.INVALID_BODY, "This operation needs a JSON body.")
    try:
        text = data.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_each_name_once, parse_constant=_refuse_constant)
        if "\\u" in text:
            _refuse_unstorable(value)
    except _FaultError as fault:
        return Refused(Fault.INVALID_BODY, str(fault))
    except (ValueError, RecursionError):
        return Refused(Fault.INVALID_BODY, _NOT_JSON)
    try:
        return _adapter(model).validate_json(text, strict=True)
    except ValidationError as error:
        return _refusal(error)


@functools.cache
def _adapter(model: Any) -> TypeAdapter[Any]:  # noqa: ANN401
    return TypeAdapter(model)


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _FaultError("A name stands twice in one object of the body.")
    return value


def _refuse_constant(name: str) -> None:
    raise _FaultError(f"{name} is not a JSON number.")


def _refuse_unstorable(value: object) -> None:
    # Half a surrogate pair cannot be written as UTF-8, and a NUL cannot be stored everywhere.
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _FaultError("A text in the body holds half a surrogate pair.") from None
    if "\\u0000" in text:
        raise _FaultError("A text in the body holds a NUL character.")


_NOT_JSON = "The body is not well-formed JSON in UTF-8."
_SENTENCES = {
    "json_invalid": _NOT_JSON,  # nested deeper than pydantic reads
    "missing": "{where} is required.",
    "string_type": "{where} must be a string.",
    "int_type": "{where} must be a whole number.",
    "bool_type": "{where} must be true or false.",
    "float_type": "{where} must be a number.",
    "list_type": "{where} must be a list.",
    "dict_type": "{where} must be an object.",
    "model_type": "{where} must be an object.",
    "string_too_long": "{where} must have at most {max_length} characters.",
    "string_too_short": "{where} must have at least {min_length} characters.",
    "too_short": "{where} must have at least {min_length} entries.",
    "too_long": "{where} must have at most {max_length} entries.",
    "greater_than_equal": "{where} must be at least {ge}.",
    "less_than_equal": "{where} must be at most {le}.",
    "datetime_type": "{where} must be a date and time such as 2026-03-30T10:00:00Z.",
    "datetime_parsing": "{where} must be a date and time such as 2026-03-30T10:00:00Z.",
    "datetime_from_date_parsing": "{where} must be a date and time such as 2026-03-30T10:00:00Z.",
}


def _refusal(error: ValidationError) -> Refused:
    first = error.errors(include_input=False, include_url=False, include_context=True)[0]
    where = _place(first["loc"])
    sentence = _SENTENCES.get(first["type"], "{where} is not valid here.")
    detail = sentence.format(where=where or "The body", **first.get("ctx", {}))
    return Refused(Fault.INVALID_BODY, detail, where or None)


def _place(loc: Sequence[int | str]) -> str:
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def parse_query(query: bytes, at_most: int = QUERY_PARAMETERS_MAX) -> dict[str, str] | Refused:
    """Each parameter once, percent-decoded; `+` is a space. Refused: twice, or not UTF-8."""
    values: dict[str, str] = {}
    parts = [part for part in query.decode("latin-1").split("&") if part]
    if len(parts) > at_most:
        return Refused(Fault.INVALID_QUERY, "There are too many query parameters.")
    for part in parts:
        raw_name, _, raw_value = part.partition("=")
        try:
            name = unquote_plus(raw_name, errors="strict")
            value = unquote_plus(raw_value, errors="strict")
        except UnicodeDecodeError:
            return Refused(Fault.INVALID_QUERY, "The query is not percent-encoded UTF-8.")
        if "\0" in name + value:
            return Refused(Fault.INVALID_QUERY, "The query holds a NUL character.")
        if name in values:
            return Refused(Fault.INVALID_QUERY, "A query parameter stands twice.", name[:60])
        values[name] = value
    return values
