"""Denials and sign-ins on their way to the audit log: queued at once, written in batches.

A request never waits for this. What is queued is written within a second, and all of it at a
clean stop. A flood is kept as exact counts: beyond 100 of the same source and reason in one
batch, the rest is one row with how many there were.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from keyhalt.storage.audit import add_denials
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from keyhalt.core.audit import AuditEvent, Event

EVERY_SECONDS = 0.5
SAMPLES_MAX = 100
QUEUE_MAX = 50_000
_Like = tuple[str, str, str]


class _More:
    """How many more there were like `first`, it included."""

    __slots__ = ("count", "first")

    def __init__(self, first: AuditEvent, count: int) -> None:
        self.first = first
        self.count = count


class BatchRecorder:
    def __init__(self, use: Engine) -> None:
        self._engine = use
        self._lock = threading.Lock()
        self._queue: deque[AuditEvent] = deque()
        self._seen: Counter[_Like] = Counter()
        self._more: dict[_Like, _More] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keyhalt-recorder", daemon=True)
        self._thread.start()

    def counted(self, event: Event, source: str, reason: str) -> bool:
        with self._lock:
            more = self._more.get((event, source, reason))
            if more is None:
                return False
            more.count += 1
            return True

    def record(self, event: AuditEvent) -> None:
        like = _like(event)
        with self._lock:
            self._seen[like] += 1
            if self._seen[like] <= SAMPLES_MAX and len(self._queue) < QUEUE_MAX:
                self._queue.append(event)
            else:
                self._add_more(like, event, 1)

    def _add_more(self, like: _Like, event: AuditEvent, count: int) -> None:
        more = self._more.get(like)
        if more is None:
            self._more[like] = _More(event, count)
        else:
            more.count += count

    def flush(self) -> None:
        """Write what is queued now. What cannot be written is kept for the next time."""
        with self._lock:
            batch = [(event, 1) for event in self._queue]
            batch += [(more.first, more.count) for more in self._more.values()]
            self._queue.clear()
            self._more.clear()
            self._seen.clear()
        if not batch:
            return
        try:
            add_denials(self._engine, batch)
        except StoreUnavailableError:
            self._put_back(batch)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.flush()

    def _put_back(self, batch: list[tuple[AuditEvent, int]]) -> None:
        with self._lock:
            for event, count in reversed(batch):
                if count == 1 and len(self._queue) < QUEUE_MAX:
                    self._queue.appendleft(event)
                else:
                    self._add_more(_like(event), event, count)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.flush()


def _like(event: AuditEvent) -> _Like:
    return event.event, event.origin.source, event.reason
