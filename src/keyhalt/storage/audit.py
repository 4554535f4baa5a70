"""The audit log: changes stand in Rights, denials and sign-ins in Use; read as one."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select

from keyhalt.core.audit import VERSION, Actor, AuditEvent, Event, Origin
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.storage.chain import add_row
from keyhalt.storage.measures import add_totals
from keyhalt.storage.schema import audit_event
from keyhalt.storage.schema_use import audit_denial
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.rows import AuditRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Table

    from keyhalt.usecases.rows import AuditQuery

_PAGE = 1000


def values_of(event: AuditEvent) -> dict[str, object]:
    """An event as the columns that both tables share."""
    credential = event.actor.credential
    return {
        "version": VERSION,
        "at": event.at,
        "event": event.event.value,
        "outcome": event.outcome,
        "reason": event.reason,
        "actor": event.actor.name,
        "user_id": event.actor.user_id,
        "credential_kind": credential.kind.value if credential else None,
        "credential_id": credential.id if credential else None,
        "datasource_id": event.datasource_id,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "request_id": event.origin.request_id,
        "source": event.origin.source,
        "operation": event.origin.operation,
        "details": dict(event.details),
        "epoch": event.epoch,
    }


def add_event(connection: Connection, event: AuditEvent) -> None:
    add_row(connection, values_of(event))


def add_denials(engine: Engine, events: Sequence[tuple[AuditEvent, int]]) -> None:
    """Write a batch, each with how often it happened, and add it to the totals."""
    rows = [{**values_of(event), "count": count} for event, count in events]
    with transaction(engine, write=True) as connection:
        connection.execute(insert(audit_denial), rows)
        add_totals(connection, events)


class SqlAuditReader:
    def __init__(self, rights: Engine, use: Engine) -> None:
        self._tables = ((rights, audit_event, "r"), (use, audit_denial, "u"))

    def page(self, query: AuditQuery) -> Sequence[AuditRow]:
        rows = [
            (row.at, mark, row.id, row)
            for engine, table, mark in self._tables
            for row in _newest(engine, table, mark, query)
        ]
        rows.sort(key=lambda row: row[:3], reverse=True)
        return [_audit_row(row, mark) for _, mark, _, row in rows[: query.limit]]

    def since(self, at: datetime | None) -> Iterator[AuditRow]:
        """Every event from `at` on, oldest first; None for all there are."""
        each = (_since(engine, table, mark, at) for engine, table, mark in self._tables)
        return heapq.merge(*each, key=lambda row: row.event.at)

    def in_effect(self, epoch: int, key_id: int) -> AuditRow | None:
        columns, (_, (engine, table, mark)) = audit_denial.c, self._tables
        # Before keys had rows of their own there was one for the epoch.
        plain = columns.event == Event.EPOCH_DONE.value
        own = and_(columns.event == Event.KEY_REVOKE_DONE.value, columns.object_id == key_id)
        query = select(table).where(columns.epoch.is_not(None), columns.epoch == epoch)
        query = query.where(or_(plain, own)).order_by(columns.at, columns.id).limit(1)
        with transaction(engine, write=False) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _audit_row(row, mark)


def _since(engine: Engine, table: Table, mark: str, since: datetime | None) -> Iterator[AuditRow]:
    """In pages, each a transaction of its own: an export holds nobody up."""
    after = 0
    while True:
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(_PAGE)
        if since is not None:
            query = query.where(table.c.at >= since)
        with transaction(engine, write=False) as connection:
            rows = connection.execute(query).all()
        yield from (_audit_row(row, mark) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _newest(engine: Engine, table: Table, mark: str, query: AuditQuery) -> Sequence[Any]:
    columns = table.c
    wanted = select(table).order_by(columns.at.desc(), columns.id.desc()).limit(query.limit)
    for each in _conditions(table, mark, query):
        wanted = wanted.where(each)
    with transaction(engine, write=False) as connection:
        return connection.execute(wanted).all()


def _conditions(table: Table, mark: str, query: AuditQuery) -> Iterator[ColumnElement[bool]]:
    columns = table.c
    equal = {
        "request_id": query.request_id,
        "event": query.event and query.event.value,
        "outcome": query.outcome,
        "user_id": query.user_id,
    }
    yield from (columns[name] == value for name, value in equal.items() if value is not None)
    if query.datasource_id is not None:
        # Where a request is looked for, its index is the one to use.
        place = columns.datasource_id if query.request_id is None else columns.datasource_id + 0
        yield place == query.datasource_id
    if not query.with_reads:
        yield columns.event != Event.AUDIT_READ.value
    if query.key_id is not None:
        by = and_(columns.credential_kind == "key", columns.credential_id == query.key_id)
        about = and_(columns.object_type == "key", columns.object_id == query.key_id)
        yield or_(by, about)
    if query.since is not None:
        yield columns.at >= query.since
    if query.until is not None:
        yield columns.at < query.until
    if query.before is not None:
        yield _further_back(table, mark, *query.before)


def _further_back(table: Table, mark: str, at: datetime, row_id: str) -> ColumnElement[bool]:
    """In the order of pages: by time, then the table's mark, then the row."""
    earlier = table.c.at < at
    if mark > row_id[:1]:
        return earlier
    if mark < row_id[:1]:
        return table.c.at <= at
    return or_(earlier, and_(table.c.at == at, table.c.id < int(row_id[1:])))


def _audit_row(row: Any, mark: str) -> AuditRow:  # noqa: ANN401 - a row of either table
    credential = None
    if row.credential_kind is not None:
        credential = Credential(CredentialKind(row.credential_kind), row.credential_id)
    event = AuditEvent(
        event=Event(row.event),
        at=row.at,
        actor=Actor(row.actor, row.user_id, credential),
        origin=Origin(row.request_id, row.source, row.operation),
        outcome=row.outcome,
        datasource_id=row.datasource_id,
        object_type=row.object_type,
        object_id=row.object_id,
        reason=row.reason,
        details=row.details,
        epoch=row.epoch,
    )
    return AuditRow(f"{mark}{row.id}", event, getattr(row, "count", 1) if mark == "u" else 1)
