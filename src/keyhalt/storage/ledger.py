"""Who holds a lease, and who has acknowledged what: the barrier's tables. PostgreSQL only."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from keyhalt.storage.schema import auth_epoch, epoch_log, verifier
from keyhalt.usecases.keep_lease import Holder, Standing
from keyhalt.usecases.ports import StoreClosedError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine

    from keyhalt.core.leases import Page
    from keyhalt.usecases.watch import Watch

FORGET_AFTER = timedelta(days=1)


class SqlLedger:
    """Implements Ledger on an engine whose statements commit by themselves."""

    def __init__(
        self, engine: Engine, new_id: Callable[[], str], now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._new_id = new_id
        self._now = now

    def join(self, process: str) -> Holder:
        holder = Holder(process, self._new_id())
        at = self._now().astimezone(UTC)
        row = {
            "process": process,
            "incarnation": holder.incarnation,
            "alive": True,
            "acknowledged": -1,
            "joined_at": at,
        }
        # Only the dead: who is alive may hold a lease, and would be waited for no more. That goes
        # for other rows of this process, too; this statement may be one that was given up on.
        gone = verifier.c.alive.is_(False) & (verifier.c.joined_at < at - FORGET_AFTER)
        with self._asking() as connection:
            connection.execute(delete(verifier).where(gone))
            connection.execute(insert(verifier).values(row))
        return holder

    def leave(self, holder: Holder) -> None:
        with self._asking() as connection:
            connection.execute(delete(verifier).where(_is(holder)))

    def standing(self, holder: Holder) -> Standing | None:
        query = (
            select(auth_epoch.c.cluster, auth_epoch.c.n, verifier.c.acknowledged)
            .join(auth_epoch, auth_epoch.c.one)
            .where(_is(holder), verifier.c.alive)
        )
        with self._asking() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Standing(*row)

    def changes(self, after: int, upto: int) -> Sequence[tuple[int, Sequence[int]]]:
        query = (
            select(epoch_log.c.epoch, epoch_log.c.subjects)
            .where(epoch_log.c.epoch > after, epoch_log.c.epoch <= upto)
            .order_by(epoch_log.c.epoch)
        )
        with self._asking() as connection:
            return [(row.epoch, row.subjects) for row in connection.execute(query)]

    def acknowledge(self, holder: Holder, epoch: int) -> None:
        behind = verifier.c.alive & (verifier.c.acknowledged < epoch)
        row = update(verifier).where(_is(holder), behind).values(acknowledged=epoch)
        with self._asking() as connection:
            connection.execute(row)

    def behind(self, epoch: int) -> Sequence[Holder]:
        query = select(verifier.c.process, verifier.c.incarnation).where(
            verifier.c.alive, verifier.c.acknowledged < epoch
        )
        with self._asking() as connection:
            return [Holder(*row) for row in connection.execute(query)]

    def fence(self, holders: Sequence[Holder], epoch: int) -> None:
        late = or_(*map(_is, holders)) & (verifier.c.acknowledged < epoch)
        with self._asking() as connection:
            connection.execute(update(verifier).where(late).values(alive=False))

    def bury(self, process: str) -> None:
        """Only for a process that is known to have ended, before another can take its name."""
        row = update(verifier).where(verifier.c.process == process).values(alive=False)
        with self._asking() as connection:
            connection.execute(row)

    def living(self) -> int:
        query = select(func.count()).select_from(verifier).where(verifier.c.alive)
        with self._asking() as connection:
            return int(connection.execute(query).scalar_one())

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError) as error:
            raise StoreUnavailableError(str(getattr(error, "orig", error))) from error


class WatchedLedger(SqlLedger):
    """For a process that verifies: on a store that is closed, `page` knows and holds nothing."""

    def __init__(
        self,
        engine: Engine,
        new_id: Callable[[], str],
        now: Callable[[], datetime],
        *,
        watch: Watch,
        page: Page,
    ) -> None:
        super().__init__(engine, new_id, now)
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


def _is(holder: Holder) -> ColumnElement[bool]:
    return and_(verifier.c.process == holder.process, verifier.c.incarnation == holder.incarnation)
