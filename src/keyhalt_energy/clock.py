"""The only place of this package that reads the wall clock."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251 - handlers get no clock; this module is theirs
