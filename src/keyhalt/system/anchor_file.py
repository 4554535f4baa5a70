"""The anchors beside the MAC keys: a line each (core/chain.py), only ever appended, mode 0600."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINE_MAX = 512


class AnchorFile:
    """Implements AnchorStore. Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, line: str, *, unless: str) -> None:
        """One more line, unless the last one begins so. Processes take turns."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file).st_size
            end = os.pread(file, _LINE_MAX, max(0, size - _LINE_MAX))
            last = end.rstrip(b"\n").rpartition(b"\n")[2]
            if last.startswith(unless.encode("ascii")):
                return
            # A line that was cut off by a crash stays one of its own.
            start = b"" if not end or end.endswith(b"\n") else b"\n"
            os.write(file, start + line.encode("ascii") + b"\n")
            os.fsync(file)
        finally:
            os.close(file)

    def lines(self) -> Iterator[str]:
        """Oldest first; none where there is no file."""
        try:
            with self._path.open(encoding="ascii", errors="replace") as file:
                for line in file:
                    yield line.rstrip("\n")
        except FileNotFoundError:
            return
