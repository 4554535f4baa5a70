"""What every answer to the deprecated bearer way carries (RFC 9745, RFC 8594)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

DEPRECATED_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MIGRATION_PATH = "/docs/legacy-sign-in"


@dataclass(frozen=True, slots=True)
class LegacyNotice:
    """`sunset`: when bearer tokens stop, aware UTC, if a date is set. `link`: what to read."""

    sunset: datetime | None = None
    link: str = MIGRATION_PATH

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """`Deprecation` is a structured date, `Sunset` an HTTP date."""
        since = int(DEPRECATED_SINCE.timestamp())
        headers = [
            (b"deprecation", f"@{since}".encode()),
            (b"link", f'<{self.link}>; rel="deprecation"; type="text/plain"'.encode()),
        ]
        if self.sunset is not None:
            at = format_datetime(self.sunset.astimezone(UTC), usegmt=True)
            headers.append((b"sunset", at.encode()))
        return tuple(headers)
