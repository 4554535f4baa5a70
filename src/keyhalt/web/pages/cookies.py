"""The cookies of the pages: the session, and a new key's half on its way to its page."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from keyhalt.client.problems import Header


@dataclass(frozen=True, slots=True)
class Jar:
    """Names and attributes. Browsers take `__Host-` from this host alone, over HTTPS (RFC 6265bis).

    Over plain HTTP that prefix is not to be had. There the name ends in the environment: cookies
    know no port, and demonstrations on one host are not to end each other's sessions.
    """

    environment: str
    insecure_http: bool

    @property
    def session(self) -> str:
        return self._name("session")

    @property
    def half(self) -> str:
        return self._name("new-key")

    def open_session(self, text: str) -> Header:
        return self._set(self.session, text, "SameSite=Lax")

    def end_session(self) -> Header:
        return self._set(self.session, "", "SameSite=Lax; Max-Age=0")

    def keep_half(self, half: bytes, seconds: int) -> Header:
        """Strict: no link from elsewhere can lead to the page that shows it."""
        text = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
        return self._set(self.half, text, f"SameSite=Strict; Max-Age={seconds}")

    def end_half(self) -> Header:
        return self._set(self.half, "", "SameSite=Strict; Max-Age=0")

    def half_in(self, cookies: Mapping[str, str]) -> bytes:
        text = cookies.get(self.half, "")
        try:
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            return b""

    def _name(self, what: str) -> str:
        if not self.insecure_http:
            return f"__Host-keyhalt-{what}"
        plain = re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):x}", self.environment)
        return f"keyhalt-{what}-{plain}"

    def _set(self, name: str, value: str, more: str) -> Header:
        secure = "" if self.insecure_http else "; Secure"
        return (b"set-cookie", f"{name}={value}; Path=/; HttpOnly{secure}; {more}".encode())


def cookies_in(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Those that stand once. Of two with one name nobody knows which is meant: neither counts."""
    found: dict[str, str] = {}
    twice = set()
    for name, value in headers:
        if name != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, text = pair.strip().partition("=")
            if key in found:
                twice.add(key)
            found[key] = text
    return {key: text for key, text in found.items() if key not in twice}
