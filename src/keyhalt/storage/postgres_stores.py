"""The stores in one PostgreSQL database. Needs the extra `postgres`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.leases import Page
from keyhalt.storage import migrate, postgres
from keyhalt.storage.forks import abandon_in_children
from keyhalt.storage.journal import (
    Journal,
    JournaledBarrier,
    JournaledLedger,
    JournaledLooks,
    JournaledPage,
)
from keyhalt.storage.keeper import Keeper
from keyhalt.storage.ledger import RIGHTS_LOCK, RollCall, SqlLedger, WatchedLedger
from keyhalt.storage.patience import Punctual
from keyhalt.storage.postgres_reader import PostgresReader
from keyhalt.storage.rights import CHANNEL
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.keep_lease import KeepLease, WaitForAll

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from keyhalt.core.freshness import Freshness
    from keyhalt.storage.postgres import Database
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.keep_lease import Ledger
    from keyhalt.usecases.watch import Watch

_LOCKS = {"rights": RIGHTS_LOCK, "use": 0x6B657902, "signins": 0x6B657903}
_UPGRADE_LOCK = 0x6B657900
UPGRADE_SECONDS = 3600.0
_guards = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Machine:
    """What leases need of this machine. `clock`: seconds, never back, on while suspended."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    uniform: Callable[[float, float], float]
    place: Callable[[], tuple[str, int]]
    """The host and the number of this process."""


class PostgresStores:
    """The three stores share one database and its connections; each has writers of its own."""

    def __init__(
        self,
        database: Database,
        machine: Machine,
        *,
        lease_seconds: float,
        process: str,
        journal: Path | None = None,
    ) -> None:
        """`journal`: a folder for what is done to keep leases (storage/journal.py)."""
        self._database = database
        self._machine = machine
        self._lease_seconds = lease_seconds
        self._process = process
        self._journal = (
            None if journal is None else Journal(journal, machine.clock, process, lease_seconds)
        )
        self._engine = postgres.open_engine(database)
        abandon_in_children(self)
        self.rights, self.use, self.signins = (
            self._engine.execution_options(**{postgres.LOCK: lock}) for lock in _LOCKS.values()
        )

    def upgrade(self) -> None:
        """Past a pooler, under one lock for all stores, so that replicas may start together."""
        patient = replace(self._database, statement_seconds=UPGRADE_SECONDS)
        direct = postgres.open_direct(patient)
        engine = direct.execution_options(**{postgres.LOCK: _UPGRADE_LOCK})
        try:
            with transaction(engine, write=True) as connection:
                for name in migrate.STORES:
                    migrate.upgrade_on(name, connection)
        finally:
            direct.dispose()

    def current(self) -> bool:
        engines = (self.rights, self.use, self.signins)
        return all(map(migrate.is_current, migrate.STORES, engines))

    def check(self) -> list[str]:
        """What would break the promise on this server, in sentences."""
        with transaction(self.rights, write=False) as connection:
            return postgres.faults_of(connection)

    def barrier(self, longest: Callable[[], float]) -> Barrier:
        machine, lease = self._machine, self._lease_seconds
        parts = (self._engine, machine.new_id, machine.now, machine.place)

        def waiting(roll: RollCall) -> WaitForAll:
            # A process of the version before does not tell its own; it was to be the same then.
            return WaitForAll(
                ledger=self._journaled(roll),
                clock=machine.clock,
                sleep=machine.sleep,
                longest=lambda: max(lease, longest()),
            )

        barrier = Punctual(ByName(lambda: RollCall(*parts), waiting), machine.clock)
        return barrier if self._journal is None else JournaledBarrier(barrier, self._journal)

    def verifying(self, watch: Watch) -> PostgresVerifying:
        page = self._page()
        direct = postgres.open_direct(self._database, channel=CHANNEL)
        ledger = WatchedLedger(
            direct,
            self._machine.new_id,
            self._machine.now,
            self._machine.place,
            watch=watch,
            page=page,
        )
        keep_lease = KeepLease(
            page=page,
            ledger=self._journaled(ledger),
            clock=self._machine.clock,
            process=self._process,
            lease_seconds=self._lease_seconds,
        )
        keeper = Keeper(
            keep_lease, direct, self._machine.uniform, lease_seconds=self._lease_seconds
        )
        journal, clock = self._journal, self._machine.clock
        freshness = page if journal is None else JournaledLooks(page, journal)
        reader = PostgresReader(self._database, freshness, watch, clock)
        left = lambda: page.deadline - clock()  # noqa: E731
        return PostgresVerifying(reader, freshness, keeper, left=left, forget=page.forget)

    def bury(self, process: str) -> None:
        began = self._machine.clock()
        self._ledger(self._engine).bury(process)
        if self._journal is not None:
            self._journal.write("bury", began, process=process)

    def abandon(self) -> None:
        self._engine.dispose(close=False)

    def close(self) -> None:
        self._engine.dispose()
        if self._journal is not None:
            self._journal.close()

    def _page(self) -> Page:
        guard = next(_guards)
        if self._journal is None:
            return Page(guard)
        return JournaledPage(guard, self._journal)

    def _journaled(self, ledger: Ledger) -> Ledger:
        return ledger if self._journal is None else JournaledLedger(ledger, self._journal)

    def _ledger(self, engine: Engine) -> SqlLedger:
        machine = self._machine
        return SqlLedger(engine, machine.new_id, machine.now, machine.place)


class ByName:
    """A barrier that also tells for whom it waited: each wait has a ledger that remembers."""

    def __init__(
        self, roll_call: Callable[[], RollCall], waiting: Callable[[RollCall], WaitForAll]
    ) -> None:
        self._roll_call = roll_call
        self._waiting = waiting

    def guard_seconds(self) -> float:
        return self._waiting(self._roll_call()).guard_seconds()

    def wait(self, epoch: int) -> Receipt:
        roll = self._roll_call()
        receipt = self._waiting(roll).wait(epoch)
        return replace(receipt, waited_for=roll.called())


class PostgresVerifying:
    """A reader, and a lease that is kept by a thread from here to `close`."""

    def __init__(
        self,
        reader: PostgresReader,
        freshness: Freshness,
        keeper: Keeper,
        *,
        left: Callable[[], float],
        forget: Callable[[], None],
    ) -> None:
        """`left`: for how long the lease lasts yet, in seconds; without one, not above 0.

        `forget`: let go of it, and of all that is known.
        """
        self.reader = reader
        self.freshness = freshness
        self._left = left
        self._forget = forget
        self._keeper = keeper
        abandon_in_children(self)
        keeper.start()

    def abandon(self) -> None:
        self._forget()
        self._keeper.abandon()
        self.reader.abandon()

    def ready(self) -> bool:
        """Whether a lease is held: its keeper asks the database four times a second."""
        return self.lease_seconds() > 0

    def lease_seconds(self) -> float:
        """For how long the lease lasts yet, 0 without one. Decides nothing."""
        return max(0.0, self._left())

    def close(self) -> None:
        self.reader.close()
        self._keeper.stop()
