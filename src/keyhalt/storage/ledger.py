"""Who holds a lease, and who has acknowledged what: the barrier's tables. PostgreSQL only."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from keyhalt.storage.schema import auth_epoch, epoch_log, verifier
from keyhalt.usecases.barrier import HowEnded, WaitedFor
from keyhalt.usecases.keep_lease import Holder, Living, Standing
from keyhalt.usecases.ports import StoreClosedError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sqlalchemy import Connection, Engine

    from keyhalt.core.leases import Page
    from keyhalt.usecases.watch import Watch

FORGET_AFTER = timedelta(days=1)
HOST_MAX = 255
RIGHTS_LOCK = 0x6B657901
"""The advisory lock by which writers of Rights take turns."""

# Made once: every process runs these at each change, and making them costs more than running them.
_JOIN = insert(verifier).from_select(
    [each.name for each in verifier.columns],
    select(*(bindparam(each.name, type_=each.type) for each in verifier.columns)).where(
        # Locks, and returns nothing.
        func.pg_advisory_xact_lock(bindparam("lock")).is_not(None)
    ),
)
_IS = (verifier.c.process == bindparam("of")) & (verifier.c.incarnation == bindparam("life"))
_STANDING = (
    select(auth_epoch.c.cluster, auth_epoch.c.n, verifier.c.acknowledged)
    .join(auth_epoch, auth_epoch.c.one)
    .where(_IS, verifier.c.alive)
)
_CHANGES = (
    select(epoch_log.c.epoch, epoch_log.c.subjects)
    .where(epoch_log.c.epoch > bindparam("after"), epoch_log.c.epoch <= bindparam("upto"))
    .order_by(epoch_log.c.epoch)
)
_ACKNOWLEDGE = (
    update(verifier)
    .where(_IS, verifier.c.alive, verifier.c.acknowledged < bindparam("epoch"))
    .values(acknowledged=bindparam("epoch"))
)
_LIVING = select(
    verifier.c.process,
    verifier.c.incarnation,
    verifier.c.host,
    verifier.c.pid,
    (verifier.c.acknowledged < bindparam("epoch")).label("behind"),
).where(verifier.c.alive)


class SqlLedger:
    """Implements Ledger on an engine whose statements commit by themselves."""

    def __init__(
        self,
        engine: Engine,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        place: Callable[[], tuple[str, int]],
    ) -> None:
        """`place`: the host and the number of the process that joins."""
        self._engine = engine
        self._new_id = new_id
        self._now = now
        self._place = place

    def join(self, process: str, lease_seconds: float) -> Holder:
        holder = Holder(process, self._new_id())
        at = self._now().astimezone(UTC)
        host, pid = self._place()
        row = {
            "process": process,
            "incarnation": holder.incarnation,
            "alive": True,
            "acknowledged": -1,
            "joined_at": at,
            "lease_seconds": lease_seconds,
            "host": host[:HOST_MAX],
            "pid": pid,
        }
        # Only the dead: who is alive may hold a lease, and would be waited for no more. That goes
        # for other rows of this process, too; this statement may be one that was given up on.
        gone = verifier.c.alive.is_(False) & (verifier.c.joined_at < at - FORGET_AFTER)
        with self._asking() as connection:
            connection.execute(delete(verifier).where(gone))
            # While this holds the lock that changes take, none is under way: the next sees this
            # lease, and what was changed before is committed before this life looks at anything.
            connection.execute(_JOIN, {**row, "lock": RIGHTS_LOCK})
        return holder

    def leave(self, holder: Holder) -> None:
        with self._asking() as connection:
            connection.execute(delete(verifier).where(_IS), _named(holder))

    def standing(self, holder: Holder) -> Standing | None:
        with self._asking() as connection:
            row = connection.execute(_STANDING, _named(holder)).one_or_none()
        return None if row is None else Standing(*row)

    def changes(self, after: int, upto: int) -> Sequence[tuple[int, Sequence[int]]]:
        with self._asking() as connection:
            rows = connection.execute(_CHANGES, {"after": after, "upto": upto})
            return [(row.epoch, row.subjects) for row in rows]

    def acknowledge(self, holder: Holder, epoch: int) -> None:
        with self._asking() as connection:
            connection.execute(_ACKNOWLEDGE, {**_named(holder), "epoch": epoch})

    def living(self, epoch: int) -> Living:
        rows = self._living(epoch)
        behind = [Holder(row.process, row.incarnation) for row in rows if row.behind]
        return Living(len(rows), behind)

    def fence(self, holders: Sequence[Holder], epoch: int) -> None:
        named = tuple_(verifier.c.process, verifier.c.incarnation)
        lives = [(each.process, each.incarnation) for each in holders]
        late = named.in_(lives) & (verifier.c.acknowledged < epoch)
        with self._asking() as connection:
            connection.execute(update(verifier).where(late).values(alive=False))

    def bury(self, process: str) -> None:
        """As if it had left.

        Only for a process that is known to have ended, before another can take its name.
        """
        with self._asking() as connection:
            connection.execute(delete(verifier).where(verifier.c.process == process))

    def _living(self, epoch: int) -> Sequence[Any]:
        with self._asking() as connection:
            return connection.execute(_LIVING, {"epoch": epoch}).all()

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError) as error:
            raise StoreUnavailableError(str(getattr(error, "orig", error))) from error


class RollCall(SqlLedger):
    """For one wait: also remembers whom it found, and so for whom was waited."""

    def __init__(
        self,
        engine: Engine,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        place: Callable[[], tuple[str, int]],
    ) -> None:
        super().__init__(engine, new_id, now, place)
        self._found: dict[Holder, Any] = {}
        self._missed: set[Holder] = set()

    def called(self) -> Sequence[WaitedFor]:
        """Everybody who was alive at any look, and how waiting for them ended."""
        gone = self._gone() if self._missed else frozenset()
        return [
            WaitedFor(row.process, row.host, row.pid, self._ended(holder, row, gone))
            for holder, row in self._found.items()
        ]

    def _ended(self, holder: Holder, row: Any, gone: Collection[Holder]) -> HowEnded:  # noqa: ANN401 - a row
        if not row.behind:
            return HowEnded.ACK
        return HowEnded.LEFT if holder in gone else HowEnded.LEASE

    def _living(self, epoch: int) -> Sequence[Any]:
        rows = super()._living(epoch)
        there = {Holder(row.process, row.incarnation): row for row in rows}
        self._missed = {who for who, row in self._found.items() if row.behind} - set(there)
        self._found |= there
        return rows

    def _gone(self) -> Collection[Holder]:
        """Those missed that have no row any more; one that is dead was fenced by another change."""
        lives = [(each.process, each.incarnation) for each in self._missed]
        query = select(verifier.c.process, verifier.c.incarnation)
        query = query.where(tuple_(verifier.c.process, verifier.c.incarnation).in_(lives))
        try:
            with self._asking() as connection:
                dead = {Holder(*row) for row in connection.execute(query)}
        except StoreUnavailableError:
            return ()
        return self._missed - dead


class WatchedLedger(SqlLedger):
    """For a process that verifies: on a store that is closed, `page` knows and holds nothing."""

    def __init__(
        self,
        engine: Engine,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        place: Callable[[], tuple[str, int]],
        *,
        watch: Watch,
        page: Page,
    ) -> None:
        super().__init__(engine, new_id, now, place)
        self._watch = watch
        self._page = page

    def standing(self, holder: Holder) -> Standing | None:
        """Also raises the mark, before what is new is acknowledged."""
        before = self._watch.before()
        standing = super().standing(holder)
        if standing is not None:
            try:
                self._watch.judge(before, standing.cluster, standing.epoch)
            except StoreClosedError:
                self._page.forget()
                raise
        return standing


def _named(holder: Holder) -> dict[str, str]:
    return {"of": holder.process, "life": holder.incarnation}
