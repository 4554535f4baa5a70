"""Denials and sign-ins on their way to the audit log: queued at once, written in batches.

A request never waits for this. What is queued is written within a second, and all of it at a
clean stop. A flood is kept as exact counts: beyond 100 of the same source and reason in one
batch, the rest is one row with how many there were, and while it lasts there is that row only.
Many sources have a row together for each reason: so no flood fills the disk.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import Origin
from keyhalt.storage.audit import add_denials
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from keyhalt.core.audit import AuditEvent, Event

EVERY_SECONDS = 0.5
SAMPLES_MAX = 100
ROWS_MAX, SOURCES_MAX = 2_000, 200
"""Rows of their own in one batch, and sources that are counted apart in it."""
FEW = 10
"""Instead of both, after a batch of more than ROWS_MAX events."""
QUEUE_MAX = 50_000
"""Rows that wait while the store cannot be written."""
_Like = tuple[str, str, str]
_log = logging.getLogger("keyhalt")


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
        self._whole: list[AuditEvent] = []
        self._seen: Counter[_Like] = Counter()
        self._flooding: frozenset[_Like] = frozenset()
        self._rows_max, self._sources_max = ROWS_MAX, SOURCES_MAX
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
            most = 0 if like in self._flooding else SAMPLES_MAX
            if self._seen[like] <= most and len(self._queue) < self._rows_max:
                self._queue.append(event)
            else:
                self._add_more(like, event, 1)

    def record_all(self, events: Sequence[AuditEvent]) -> None:
        with self._lock:
            self._whole += events

    def _add_more(self, like: _Like, event: AuditEvent, count: int) -> None:
        more = self._more.get(like)
        if more is None and len(self._more) >= self._sources_max:
            event = _of_any_source(event)
            like = _like(event)
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
            self._look_ahead(sum(count for _, count in batch))
            batch = [*((event, 1) for event in self._whole), *batch]
            self._whole.clear()
            self._queue.clear()
            self._more.clear()
            self._seen.clear()
        if not batch:
            return
        try:
            add_denials(self._engine, batch)
        except StoreUnavailableError:
            self._put_back(batch)

    def _look_ahead(self, events: int) -> None:
        """From what came in this batch, how many rows the next one may have."""
        self._flooding = frozenset(
            like
            for like, more in self._more.items()
            if more.count > SAMPLES_MAX
            or (like not in self._flooding and self._seen[like] > SAMPLES_MAX)
        )
        many = events > ROWS_MAX
        self._rows_max, self._sources_max = (FEW, FEW) if many else (ROWS_MAX, SOURCES_MAX)

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
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - a batch that cannot be written is not the last
                _log.exception("events were lost for the audit log")


def _of_any_source(event: AuditEvent) -> AuditEvent:
    return replace(event, origin=Origin(event.origin.request_id, "", event.origin.operation))


def _like(event: AuditEvent) -> _Like:
    return event.event, event.origin.source, event.reason
