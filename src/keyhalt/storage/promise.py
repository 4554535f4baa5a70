"""When each process last let a key through: kept in memory, written with what keys do.

A request costs nothing here: when an entry was last used stands in it, in the verifier's memory,
and is looked up there at each turn. Of entries that go, it is kept until then. A crash loses what
was not written.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from keyhalt.core.audit import IN_EFFECT
from keyhalt.core.promise import LastAllowed, Returned
from keyhalt.storage.bulk import add_or_merge
from keyhalt.storage.schema import api_key
from keyhalt.storage.schema_use import audit_denial, key_allowed
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.audit_promise import EndedKey
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Engine

    from keyhalt.core.freshness import Entry, Memory
    from keyhalt.usecases.ports import Clock

KEYS_MAX = 100_000
"""Keys in memory between two turns."""
KEEP_DAYS = 30
PAGE = 500
_log = logging.getLogger("keyhalt")
_Kept = tuple[float, int, int]


class Witness:
    """One per process. `left` is called from one thread at a time."""

    def __init__(
        self,
        use: Engine,
        *,
        process: str,
        boot: str,
        clock: Clock,
    ) -> None:
        self._engine = use
        self._process = process
        self._boot = boot
        self._clock = clock
        self._memory: Memory | None = None
        self._looks = (0.0, 0.0)
        self._now: dict[int, _Kept] = {}
        self._before: dict[int, _Kept] = {}
        self._unwritten: dict[int, _Kept] = {}
        self._forgot: date | None = None
        self._turn = threading.Lock()

    def left(self, entry: Entry) -> None:
        """An entry goes from the memory, or was used without ever being kept there."""
        kept, key_id = self._now, entry.principal.credential.id
        if key_id in kept or len(kept) < KEYS_MAX:
            kept[key_id] = (entry.at, entry.tag.epoch, entry.principal.datasource_id)

    def watch(self, memory: Memory) -> None:
        """Look into `memory` at each turn. What leaves it must be told to `left`."""
        self._memory = memory

    def turn(self) -> None:
        """Write what was used up to now. What cannot be written is kept."""
        with self._turn:
            kept, self._before, self._now = self._before, self._now, {}
            for key_id, one in (*kept.items(), *self._remembered()):
                other = self._unwritten.get(key_id)
                if (other or one) <= one and (other or len(self._unwritten) < KEYS_MAX):
                    self._unwritten[key_id] = one
            try:
                self._write()
            except StoreUnavailableError as error:
                _log.warning("what keys were allowed last cannot be written now: %s", error)

    def flush(self) -> None:
        """Write all of it."""
        self.turn()
        self.turn()

    def _remembered(self) -> Iterator[tuple[int, _Kept]]:
        """What was used since the look before the last: one use may have been half noted then."""
        if self._memory is None:
            return
        before, last = self._looks
        self._looks = (last, self._clock.monotonic())
        for principal, at, epoch in self._memory.used_since(before):
            yield principal.credential.id, (at, epoch, principal.datasource_id)

    def _write(self) -> None:
        today = self._clock.now().date()
        if self._unwritten:
            rows = [self._row(key_id, kept, today) for key_id, kept in self._unwritten.items()]
            with transaction(self._engine, write=True) as connection:
                add_or_merge(connection, key_allowed, rows, _replaced)
            self._unwritten.clear()
        if self._forgot != today:
            old = key_allowed.c.day < today - timedelta(days=KEEP_DAYS)
            with transaction(self._engine, write=True) as connection:
                connection.execute(delete(key_allowed).where(old))
            self._forgot = today

    def _row(self, key_id: int, kept: _Kept, today: date) -> dict[str, object]:
        began, epoch, datasource_id = kept
        return {
            "datasource_id": datasource_id,
            "key_id": key_id,
            "process": self._process,
            "boot": self._boot,
            "began": began,
            "epoch": epoch,
            "day": today.isoformat(),
        }


def _replaced(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    return {each.name: new[each.name] for each in old if not each.primary_key}


class SqlPromise:
    """Implements PromiseReader."""

    def __init__(self, rights: Engine, use: Engine) -> None:
        self._rights = rights
        self._use = use

    def ended_keys(self) -> Iterator[EndedKey]:
        """In pages, each a transaction of its own."""
        columns = (api_key.c.id, api_key.c.datasource_id, api_key.c.deleted_epoch)
        ended = select(*columns).where(api_key.c.deleted_epoch.is_not(None))
        query, after = ended.order_by(api_key.c.id).limit(PAGE), 0
        while True:
            with transaction(self._rights, write=False) as connection:
                rows = connection.execute(query.where(api_key.c.id > after)).all()
            if rows:
                yield from self._with_uses(rows)
                after = rows[-1].id
            if len(rows) < PAGE:
                return

    def _with_uses(self, rows: Sequence[Any]) -> Iterator[EndedKey]:
        with transaction(self._use, write=False) as connection:
            last = _last(connection, rows)
            epochs = {row.deleted_epoch for row in rows if row.id in last}
            returns = _returns(connection, epochs)
        for row in rows:
            epoch = row.deleted_epoch
            yield EndedKey(
                row.id, row.datasource_id, epoch, returns.get(epoch, ()), last.get(row.id, ())
            )


def _last(connection: Connection, rows: Sequence[Any]) -> Mapping[int, Sequence[LastAllowed]]:
    found: dict[int, list[LastAllowed]] = defaultdict(list)
    places = {row.datasource_id for row in rows}
    query = select(key_allowed).where(
        key_allowed.c.datasource_id.in_(places), key_allowed.c.key_id.in_([row.id for row in rows])
    )
    for row in connection.execute(query):
        last = LastAllowed(row.key_id, row.process, row.boot, row.began, row.epoch)
        found[row.key_id].append(last)
    return found


def _returns(connection: Connection, epochs: set[int]) -> Mapping[int, Sequence[Returned]]:
    """The first in each boot: a repeated delete returns again, with the epoch of the first.

    Found by the database, because keys that ended together have a row each.
    """
    columns = audit_denial.c
    boot, at = columns.details["boot"].as_string(), columns.details["clock"].as_float()
    done = columns.event.in_([event.value for event in IN_EFFECT])
    query = select(columns.epoch, boot.label("boot"), func.min(at).label("at"))
    query = query.where(columns.epoch.is_not(None), columns.epoch.in_(epochs), done)
    found: dict[int, list[Returned]] = defaultdict(list)
    for row in connection.execute(query.group_by(columns.epoch, boot)):
        if row.boot is not None and row.at is not None:
            found[row.epoch].append(Returned(row.epoch, row.boot, float(row.at)))
    return found
