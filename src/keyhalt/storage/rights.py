"""The store of rights as the use cases see it: one transaction a verb."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from keyhalt.core.leases import EVERYTHING
from keyhalt.storage.audit import add_event
from keyhalt.storage.datasources import SqlDatasources
from keyhalt.storage.freezes import SqlFreezes
from keyhalt.storage.groups import SqlGroups
from keyhalt.storage.keeping import SqlChainKeeping
from keyhalt.storage.keys import SqlKeys
from keyhalt.storage.policies import SqlPolicies
from keyhalt.storage.roles import SqlRoles
from keyhalt.storage.schema import auth_epoch, epoch_log, verifier
from keyhalt.storage.transactions import transaction
from keyhalt.storage.users import SqlUsers
from keyhalt.usecases.barrier import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from keyhalt.core.audit import AuditEvent
    from keyhalt.usecases.watch import Watch


CHANNEL = "keyhalt_epoch"
LOG_MAX = 10_000
"""Epochs that are kept; who was away for longer asks about everybody again."""


class SqlTransaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.raised: int | None = None
        self.keys = SqlKeys(connection)
        self.users = SqlUsers(connection)
        self.roles = SqlRoles(connection)
        self.groups = SqlGroups(connection)
        self.datasources = SqlDatasources(connection)
        self.policies = SqlPolicies(connection)
        self.freezes = SqlFreezes(connection)
        self.audit = SqlChainKeeping(connection)

    def record(self, event: AuditEvent) -> None:
        add_event(self._connection, event)

    def epoch(self) -> int:
        return int(self._connection.execute(select(auth_epoch.c.n)).scalar_one())

    def skip_epochs(self, upto: int) -> None:
        lower = auth_epoch.c.n < upto
        self._connection.execute(update(auth_epoch).where(lower).values(n=upto))

    def raise_epoch(self, *subjects: int) -> int:
        raised = update(auth_epoch).values(n=auth_epoch.c.n + 1).returning(auth_epoch.c.n)
        self.raised = epoch = int(self._connection.execute(raised).scalar_one())
        row = {"epoch": epoch, "subjects": list(subjects) or [EVERYTHING]}
        self._connection.execute(insert(epoch_log).values(row))
        old = epoch_log.c.epoch <= epoch - LOG_MAX
        self._connection.execute(delete(epoch_log).where(old))
        if self._connection.dialect.name == "postgresql":
            # A hint, so that nobody waits for the next poll. Losing it costs time, never safety.
            self._connection.execute(select(func.pg_notify(CHANNEL, str(epoch))))
        return epoch


# Nobody joins while a change is under way (storage/ledger.py).
_LONGEST = select(func.max(verifier.c.lease_seconds)).where(verifier.c.alive)


class SqlRights:
    """`watch`: refuse to change a store that is closed. Without it, for who opens it again."""

    def __init__(self, engine: Engine, watch: Watch | None = None) -> None:
        self._engine = engine
        self._watch = watch
        self.changes = 0
        """How many were committed here."""
        self.longest_lease = 0.0
        """Of whoever was alive at the last change here: how long they may go by what was before."""

    @contextmanager
    def change(self) -> Iterator[SqlTransaction]:
        cluster = ""
        with transaction(self._engine, write=True) as connection:
            if self._watch is not None:
                cluster = judge(connection, self._watch)
            self.longest_lease = float(connection.scalar(_LONGEST) or 0.0)
            tx = SqlTransaction(connection)
            yield tx
        self.changes += 1
        if self._watch is not None and tx.raised is not None:
            # Committed, and not told to anybody yet.
            self._watch.reached(cluster, tx.raised)

    @contextmanager
    def look(self) -> Iterator[SqlTransaction]:
        with transaction(self._engine, write=False) as connection:
            if self._watch is not None:
                _check(connection, self._watch)
            yield SqlTransaction(connection)


def judge(connection: Connection, watch: Watch) -> str:
    """Raises StoreClosedError. Returns the store's cluster; empty where nothing is set up."""
    before = watch.before()
    row = connection.execute(select(auth_epoch.c.cluster, auth_epoch.c.n)).one_or_none()
    if row is None:
        return ""
    watch.judge(before, row.cluster, row.n)
    return str(row.cluster)


def _check(connection: Connection, watch: Watch) -> None:
    """As `judge`, where asking costs next to nothing; elsewhere the keeper of the lease has."""
    if connection.dialect.name == "sqlite":
        judge(connection, watch)
    else:
        watch.check()


class Guarded:
    """The barrier on SQLite: there is nothing to wait for.

    Every process looks at the store's version before it answers from memory, and the commit that
    this comes after has changed it (docs/revocation.md).
    """

    def wait(self, epoch: int) -> Receipt:
        return Receipt(epoch, form="guarded")
