"""Work that is done every so often on a thread of its own, and once more at the end."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("keyhalt")


class Ticker:
    """`work` takes turns with itself. If it raises, that is logged, and it has its next turn."""

    def __init__(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        self._seconds = seconds
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._work()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self._work()
            except Exception:  # noqa: BLE001 - whatever it was, the next turn may do
                _log.exception("%s: a turn failed", self._thread.name)
