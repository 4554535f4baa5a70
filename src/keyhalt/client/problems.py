"""The one table from a reason to an HTTP answer, and the problem document (RFC 9457).

Nothing else in the program knows which reason is 401 or 403. It stands in `client` because the
middleware in other people's apps answers with it too; `web` imports it from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table. `detail` is what the client reads; a refusal brings its own."""

    status: int
    title: str
    detail: str = ""


# docs/problems.md has a heading for each; a test holds the two together.
TABLE: dict[Reason | Fault, Kind] = {
    Reason.HTTPS_REQUIRED: Kind(
        400,
        "HTTPS required",
        "Send this request over HTTPS. If it carried a key, replace that key.",
    ),
    Reason.AMBIGUOUS_CREDENTIAL: Kind(
        400, "More than one credential", "Send exactly one ECI-ApiKey header, once."
    ),
    Reason.MISSING_CREDENTIAL: Kind(
        401, "No credential", "Send an API key in the ECI-ApiKey header."
    ),
    Reason.KEY_IN_URL: Kind(
        401,
        "Key in the URL",
        "A key in the URL is never read. Send it in the ECI-ApiKey header, and replace this one:"
        " addresses end up in logs.",
    ),
    Reason.MALFORMED_KEY: Kind(
        401, "Not an API key", "The text in ECI-ApiKey is not an API key. Was it cut or changed?"
    ),
    Reason.WRONG_ENVIRONMENT: Kind(
        401,
        "Key of another environment",
        "This key was made in another environment. Create a key in this one.",
    ),
    Reason.INVALID_KEY: Kind(
        401, "Invalid API key", "This API key does not count, or no longer. Check that it exists."
    ),
    Reason.INVALID_TOKEN: Kind(
        401,
        "Invalid token",
        "This bearer token does not count, or no longer. Sign in again, or better, use an API key.",
    ),
    Reason.INVALID_SESSION: Kind(401, "Signed out", "Your session has ended. Sign in again."),
    Reason.CROSS_SITE: Kind(
        403,
        "Not sent by this site's own page",
        "A form counts only when a page of this site sent it. Open the page here and try again.",
    ),
    Reason.INVALID_SIGN_IN: Kind(
        401, "Sign-in refused", "Datasource, user name and password do not go together."
    ),
    Reason.PASSWORD_CHANGE_REQUIRED: Kind(
        403,
        "Password change required",
        "This password is right, but is good for choosing another one only: POST"
        " /api/keyhalt/v1/password.",
    ),
    Reason.PERMISSION_DENIED: Kind(
        403, "Permission denied", "The owner of this credential lacks the permission {need}."
    ),
    Reason.NOT_IN_POLICY: Kind(
        403, "Not in the policy", "The policy of this address does not name this method and path."
    ),
    Reason.BEYOND_OWN_RIGHTS: Kind(
        403,
        "Beyond your own rights",
        "Nobody gives, takes or changes what goes beyond their own rights: {need}.",
    ),
    Reason.KEY_CANNOT_CREATE_KEYS: Kind(
        403,
        "A key cannot create keys",
        "In this datasource a key does not create keys. Sign in, and create it then.",
    ),
    Reason.NOT_FOUND: Kind(404, "Not found", "There is no such thing here, for you."),
    Reason.TOO_MANY_REQUESTS: Kind(
        429, "Too many requests", "Too many tries from here. Wait, then try again."
    ),
    Reason.UNAVAILABLE: Kind(
        503, "Temporarily unavailable", "The credential cannot be checked right now. Try again."
    ),
    Fault.INVALID_BODY: Kind(400, "Invalid body"),
    Fault.INVALID_QUERY: Kind(400, "Invalid query"),
    Fault.INVALID_FILTER: Kind(400, "Invalid filter"),
    Fault.INVALID_STATE: Kind(400, "Not possible now"),
    Fault.CONFLICT: Kind(409, "Conflict"),
    Fault.METHOD_NOT_ALLOWED: Kind(405, "Method not allowed"),
    Fault.BODY_TOO_LARGE: Kind(413, "Body too large"),
    Fault.MISDIRECTED_REQUEST: Kind(421, "Misdirected request"),
    Fault.UNSUPPORTED_MEDIA_TYPE: Kind(415, "Unsupported media type"),
    Fault.PROXY_MISCONFIGURED: Kind(400, "Proxy set up wrongly"),
    Fault.PROXY_SECRET: Kind(403, "Proxy secret needed"),
    Fault.AMBIGUOUS_PATH: Kind(400, "Ambiguous path"),
    Fault.IDENTITY_TOO_LARGE: Kind(403, "Identity too large"),
    Fault.INTERNAL_ERROR: Kind(500, "Internal error"),
}


class Problem(NamedTuple):
    """An answer ready to send."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


class _Form(NamedTuple):
    """A problem but for what differs from one request to the next: the request's id."""

    status: int
    before: bytes
    after: bytes
    headers: tuple[Header, ...]
    """Those that follow the caller's."""


def problem_of(
    no: Denied | Refused, *, realm: str, request_id: str, more: Iterable[Header] = ()
) -> Problem:
    """The answer to a denial or a refusal. `realm` is the environment's name (RFC 9110 11.5)."""
    if isinstance(no, Denied):
        form = _form_of_denial(no.reason, no.need, no.by_bearer, no.retry_after_seconds, realm)
    else:
        kind = TABLE[no.fault]
        field = {} if no.field is None else {"field": no.field}
        form = _form(no.fault, kind, no.detail, field, ())
    plain = request_id.isascii() and request_id.isalnum()
    shown = request_id.encode() if plain else json.dumps(request_id)[1:-1].encode()
    body = form.before + shown + form.after
    length = (b"content-length", b"%d" % len(body))
    return Problem(form.status, (_TYPE, length, _NO_STORE, *more, *form.headers), body)


_TYPE: Header = (b"content-type", b"application/problem+json")
_NO_STORE: Header = (b"cache-control", b"no-store")


@lru_cache(maxsize=512)
def _form_of_denial(
    reason: Reason,
    need: str | None,
    by_bearer: bool,  # noqa: FBT001 - cached, so by place
    retry_after: int | None,
    realm: str,
) -> _Form:
    """Made once for each: what a flood is answered is the same but for the id."""
    kind = TABLE[reason]
    told: dict[str, object] = {}
    if need is not None:
        told["beyond" if reason is Reason.BEYOND_OWN_RIGHTS else "permission"] = need
    headers = _challenges(kind.status, realm, by_bearer=by_bearer)
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    return _form(reason, kind, kind.detail.format(need=need), told, tuple(headers))


def _form(
    reason: Reason | Fault,
    kind: Kind,
    detail: str,
    told: Mapping[str, object],
    headers: tuple[Header, ...],
) -> _Form:
    before = {
        "type": f"urn:keyhalt:problem:{reason.value}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": reason.value,
    }
    return _Form(
        kind.status,
        f'{_json(before)[:-1]}, "requestId": "'.encode(),
        f'", {_json({"message": detail, **told})[1:]}'.encode(),
        headers,
    )


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False)


def _challenges(status: int, realm: str, *, by_bearer: bool) -> list[Header]:
    name = realm.encode("utf-8")
    if status == 403 and by_bearer:
        error = b'Bearer realm="%b", error="insufficient_scope"' % name
        return [(b"www-authenticate", error)]
    if status != 401:
        return []
    # RFC 6750 3: no error code when no credential was sent.
    error = b', error="invalid_token"' if by_bearer else b""
    return [
        (b"www-authenticate", b'ApiKey realm="%b"' % name),
        (b"www-authenticate", b'Bearer realm="%b"%b' % (name, error)),
    ]
