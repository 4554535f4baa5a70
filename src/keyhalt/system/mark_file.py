"""The mark beside the MAC keys: one line of a fixed length, mode 0600 (core/marks.py).

Written in place under a lock, in one write within one sector. Not synced: a machine that loses its
power raises it again at its next start, from the store.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from keyhalt.core.marks import Mark
from keyhalt.usecases.ports import StoreClosedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SERVED, _RESTORED = "served", "restored"
_BYTES_MAX = 256
_LOCK_SECONDS, _PAUSE_FIRST_SECONDS, _PAUSE_LAST_SECONDS = 0.5, 0.0005, 0.02
"""Whoever holds the file does so for microseconds, unless it is stopped meanwhile."""


class MarkFile:
    """Implements MarkStore. Methods raise OSError, and StoreClosedError for a foreign text.

    All but `replace` raise TimeoutError, an OSError, where another process holds the file for
    longer than a moment: a stopped one would otherwise hold every change, and every lease.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mark | None:
        try:
            with self._open(os.O_RDONLY, fcntl.LOCK_SH) as file:
                return self._parse(os.pread(file, _BYTES_MAX, 0))
        except FileNotFoundError:
            return None

    def raise_to(self, mark: Mark) -> None:
        """Only forwards, and never into another cluster or over a restore."""
        # All processes of a machine come here at each change; one of them has to write.
        if not _lower(self.read(), mark):
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._open(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as file:
            if _lower(self._parse(os.pread(file, _BYTES_MAX, 0)), mark):
                _write(file, mark)

    def replace(self, mark: Mark) -> None:
        """For who decides what is served here: set up, restore, reopen."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._open(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX, patient=True) as file:
            _write(file, mark)
            os.fsync(file)

    @contextmanager
    def _open(self, flags: int, lock: int, *, patient: bool = False) -> Iterator[int]:
        file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        try:
            if patient:
                fcntl.flock(file, lock)
            else:
                _lock_soon(file, lock)
            yield file
        finally:
            os.close(file)

    def _parse(self, line: bytes) -> Mark | None:
        if not line:
            return None
        try:
            cluster, epoch, state = line.decode("ascii").split()
            return Mark(cluster, int(epoch), {_SERVED: False, _RESTORED: True}[state])
        except (ValueError, KeyError):
            raise StoreClosedError(
                f"{self._path} is not what keyhalt writes; put the one of a copy back, or see"
                " docs/storage.md"
            ) from None


def _lock_soon(file: int, lock: int) -> None:
    pause, waited = _PAUSE_FIRST_SECONDS, 0.0
    while True:
        try:
            fcntl.flock(file, lock | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited >= _LOCK_SECONDS:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds it") from None
            time.sleep(pause)
            waited += pause
            pause = min(2 * pause, _PAUSE_LAST_SECONDS)
        else:
            return


def _lower(there: Mark | None, mark: Mark) -> bool:
    """Whether what is `there` may and must be raised to `mark`."""
    return there is None or (
        there.cluster == mark.cluster and there.epoch < mark.epoch and not there.restored
    )


def _write(file: int, mark: Mark) -> None:
    state = _RESTORED if mark.restored else _SERVED
    os.pwrite(file, f"{mark.cluster:<36} {mark.epoch:020d} {state:<8}\n".encode("ascii"), 0)
