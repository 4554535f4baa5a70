"""Letting go of old rows of the audit log, and taking away what is personal in others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, or_, select, update

from keyhalt.core.audit import Event
from keyhalt.storage.schema import api_key, audit_checkpoint, audit_event
from keyhalt.storage.schema_use import audit_denial
from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Table

    from keyhalt.usecases.keeping import Person

_GONE: dict[str, object] = {"actor": "", "source": "", "details": {}}


class SqlChainKeeping:
    """Implements ChainKeeping."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def old(self, before: datetime, at_most: int) -> tuple[int, bytes] | None:
        columns = audit_event.c
        first = self._connection.execute(select(func.min(columns.id))).scalar()
        kept = self._connection.execute(
            select(func.coalesce(
                select(func.min(columns.id)).where(columns.at >= before).scalar_subquery(),
                select(func.max(columns.id)).scalar_subquery(),
            ))
        ).scalar()  # fmt: skip
        if first is None or kept is None:
            return None
        last = select(columns.id, columns.hash).where(
            columns.id < kept, columns.id < first + at_most
        )
        row = self._connection.execute(last.order_by(columns.id.desc()).limit(1)).one_or_none()
        return None if row is None else (row.id, bytes(row.hash))

    def let_go(self, upto: int, checkpoint: str) -> int:
        self._connection.execute(delete(audit_checkpoint))
        self._connection.execute(insert(audit_checkpoint).values(one=True, line=checkpoint))
        _overwrite(self._connection)
        gone = self._connection.execute(delete(audit_event).where(audit_event.c.id <= upto))
        return gone.rowcount

    def erase(self, person: Person) -> tuple[int, int]:
        columns = audit_event.c
        meant = and_(_tells_of(audit_event, person), columns.event != Event.AUDIT_FORGET.value)
        old = select(func.count()).where(meant, columns.commitment.is_(None))
        left = self._connection.execute(old).scalar_one()
        _overwrite(self._connection)
        erased = update(audit_event).where(meant, columns.salt.is_not(None))
        done = self._connection.execute(erased.values(**_GONE, salt=None))
        return done.rowcount, int(left)

    def keys_of(self, datasource_id: int, user_id: int) -> Sequence[int]:
        own = select(api_key.c.id).where(
            api_key.c.datasource_id == datasource_id, api_key.c.owner_id == user_id
        )
        return self._connection.execute(own.order_by(api_key.c.id)).scalars().all()


class SqlEventKeeping:
    """Implements EventKeeping."""

    def __init__(self, use: Engine) -> None:
        self._engine = use

    def let_go(self, before: datetime, at_most: int) -> int:
        columns = audit_denial.c
        some = select(columns.id).where(columns.at < before).order_by(columns.at).limit(at_most)
        with transaction(self._engine, write=True) as connection:
            _overwrite(connection)
            gone = connection.execute(delete(audit_denial).where(columns.id.in_(some)))
            return gone.rowcount

    def erase(self, person: Person) -> int:
        with transaction(self._engine, write=True) as connection:
            _overwrite(connection)
            # That a key's end counts everywhere says nothing of anybody, and proves the promise.
            other = audit_denial.c.event != Event.KEY_REVOKE_DONE.value
            meant = and_(_tells_of(audit_denial, person), other)
            erased = update(audit_denial).where(meant).values(**_GONE)
            return connection.execute(erased).rowcount


def _tells_of(table: Table, person: Person) -> ColumnElement[bool]:
    columns = table.c
    about_user = and_(columns.object_type == "user", columns.object_id == person.user_id)
    about_keys = and_(columns.object_type == "key", columns.object_id.in_(person.keys))
    of_them = or_(columns.user_id == person.user_id, about_user, about_keys)
    return and_(columns.datasource_id == person.datasource_id, of_them)


def _overwrite(connection: Any) -> None:  # noqa: ANN401 - of either dialect
    """On SQLite: with zeros, so that nothing of it stays in the file."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
