"""Small shapes that many answers share (docs/wire.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

RECEIPT = "Keyhalt-Revocation"


def time_text(at: datetime) -> str:
    """An aware UTC time as the official client reads it: with a time part and a zone."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def user_child(user_id: int, user_code: str, full_name: str) -> dict[str, object]:
    return {"userId": user_id, "userCode": user_code, "fullName": full_name}
