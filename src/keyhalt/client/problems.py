"""The one table from a reason to an HTTP answer, and the problem document (RFC 9457).

Nothing else in the program knows which reason is 401 or 403. It stands in `client` because the
middleware in other people's apps answers with it too; `web` imports it from here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

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


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer ready to send."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


def problem_of(
    no: Denied | Refused, *, realm: str, request_id: str, more: Iterable[Header] = ()
) -> Problem:
    """The answer to a denial or a refusal. `realm` is the environment's name (RFC 9110 11.5)."""
    reason: Reason | Fault = no.reason if isinstance(no, Denied) else no.fault
    kind = TABLE[reason]
    detail = kind.detail.format(need=no.need) if isinstance(no, Denied) else no.detail
    document: dict[str, object] = {
        "type": f"urn:keyhalt:problem:{reason.value}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": reason.value,
        "requestId": request_id,
        "message": detail,
    }
    if isinstance(no, Refused) and no.field is not None:
        document["field"] = no.field
    if isinstance(no, Denied) and no.need is not None:
        beyond = no.reason is Reason.BEYOND_OWN_RIGHTS
        document["beyond" if beyond else "permission"] = no.need
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more,
    ]
    if isinstance(no, Denied):
        headers += _challenges(no, kind.status, realm)
        if no.retry_after_seconds is not None:
            headers.append((b"retry-after", str(no.retry_after_seconds).encode()))
    return Problem(kind.status, tuple(headers), body)


def _challenges(denied: Denied, status: int, realm: str) -> list[Header]:
    name = realm.encode("utf-8")
    if status == 403 and denied.by_bearer:
        error = b'Bearer realm="%b", error="insufficient_scope"' % name
        return [(b"www-authenticate", error)]
    if status != 401:
        return []
    # RFC 6750 3: no error code when no credential was sent.
    error = b', error="invalid_token"' if denied.by_bearer else b""
    return [
        (b"www-authenticate", b'ApiKey realm="%b"' % name),
        (b"www-authenticate", b'Bearer realm="%b"%b' % (name, error)),
    ]
