"""The operating system's randomness: for all that must not be guessed."""

from __future__ import annotations

import os
import uuid


class SystemRandomness:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def new_uuid() -> str:
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def process_id(serve_id: str, pid: int) -> str:
    """The name of worker `pid` of one `serve`, for itself and for its parent; else a new one."""
    return str(uuid.uuid5(uuid.UUID(serve_id), str(pid))) if serve_id else new_uuid()


def uniform(low: float, high: float) -> float:
    """For spreading what processes do in time; keeps no secret."""
    return low + (high - low) * int.from_bytes(os.urandom(4)) / 2**32
