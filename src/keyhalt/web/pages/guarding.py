"""What keeps pages from being used by other sites: one check, and the headers of every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason

if TYPE_CHECKING:
    from keyhalt.client.middleware import Scope
    from keyhalt.client.problems import Header

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
_YEAR = 365 * 24 * 60 * 60

HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY.encode()),
    # Not no-referrer: with it browsers send `Origin: null` with our own forms (Fetch, 3.2).
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", _PERMISSIONS.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
HTTPS_ONLY: Header = (b"strict-transport-security", f"max-age={_YEAR}".encode())


def refuse_other_sites(scope: Scope) -> Denied | None:
    """For a request that changes something: None when a page of this site sent it.

    Browsers say so in Sec-Fetch-Site, but over plain HTTP only to this machine; then `Origin` says
    it. A browser sends one of the two with every form; who sends neither is none.
    """
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, value.decode("latin-1"))
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return None if site == "same-origin" else Denied(Reason.CROSS_SITE)
    here = f"{scope.get('scheme', 'http')}://{headers.get(b'host', '')}"
    return None if headers.get(b"origin") == here else Denied(Reason.CROSS_SITE)
