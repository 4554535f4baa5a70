"""The chain of changes in the store of rights: adding to it, and reading what is stored.

Writers take turns from a transaction's first statement on, so the last row that one reads is still
the last when it commits. The hashes are over what is stored, so it is read as text, unparsed.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, Text, cast, func, insert, select, type_coerce

from keyhalt.core.chain import COLUMNS, SALT_BYTES, START, Link, commitment_of, row_hash
from keyhalt.storage.schema import audit_checkpoint, audit_event
from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Select

PAGE = 5000
_COUNT = len(COLUMNS)
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_PG_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_LAST = select(audit_event.c.id, audit_event.c.hash).order_by(audit_event.c.id.desc()).limit(1)


def add_row(connection: Connection, values: Mapping[str, Any]) -> None:
    """Append to the chain. `values`: every column but the id and the hashes."""
    last = connection.execute(_LAST).one_or_none()
    previous = START if last is None else bytes(last.hash)
    row = {"id": _next_id(connection, 0 if last is None else last.id), **values}
    connection.execute(insert(audit_event).values(**row, **link_of(previous, row)))


def link_of(previous: bytes, row: Mapping[str, Any]) -> Mapping[str, bytes]:
    """The columns that chain a row to the one before."""
    stored = {**row, "at": _time_text(row["at"]), "details": json.dumps(row["details"])}
    values = [stored[name] for name in COLUMNS]
    salt = os.urandom(SALT_BYTES)
    commitment = commitment_of(salt, values)
    digest = row_hash(previous, values, commitment)
    return {"previous": previous, "hash": digest, "salt": salt, "commitment": commitment}


def _next_id(connection: Connection, last_id: int) -> int:
    # The hash is over the id too, so it must be known before the row is written.
    if connection.dialect.name == "sqlite":
        return last_id + 1
    sequence = func.pg_get_serial_sequence(audit_event.name, "id")
    return int(connection.execute(select(func.nextval(sequence))).scalar_one())


def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_TIME)


class SqlChain:
    """Implements ChainReader. Any call may raise StoreUnavailableError."""

    def __init__(self, rights: Engine) -> None:
        self._engine = rights

    def head(self) -> tuple[int, bytes] | None:
        with transaction(self._engine, write=False) as connection:
            row = connection.execute(_LAST).one_or_none()
        return None if row is None else (row.id, row.hash)

    def checkpoint(self) -> str | None:
        with transaction(self._engine, write=False) as connection:
            return connection.execute(select(audit_checkpoint.c.line)).scalar_one_or_none()

    def rows(self) -> Iterator[tuple[Sequence[Any], Link]]:
        """In pages, each a transaction of its own: nobody waits, and little is held.

        The next page is read while the caller works on this one.
        """
        query = _stored(self._engine.dialect.name)
        with ThreadPoolExecutor(1) as reading:
            coming = reading.submit(self._page, query, 0)
            while rows := coming.result():
                if len(rows) == PAGE:
                    coming = reading.submit(self._page, query, rows[-1][0])
                for row in rows:
                    yield row[:_COUNT], Link._make(row[_COUNT:])
                if len(rows) < PAGE:
                    return

    def _page(self, query: Select[Any], after: int) -> Sequence[tuple[Any, ...]]:
        page = query.where(audit_event.c.id > after)
        with transaction(self._engine, write=False) as connection:
            # As the driver has them: nothing here is converted, and there may be millions.
            return connection.execute(page).cursor.fetchall()

    def hashes(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        query = select(audit_event.c.id, audit_event.c.hash).where(audit_event.c.id.in_(ids))
        with transaction(self._engine, write=False) as connection:
            return {row.id: row.hash for row in connection.execute(query)}


def _stored(dialect: str) -> Select[Any]:
    """COLUMNS and those of Link, oldest first."""
    texts: dict[str, ColumnElement[Any]] = {
        "at": type_coerce(audit_event.c.at, String),
        "details": type_coerce(audit_event.c.details, Text),
    }
    if dialect == "postgresql":
        texts["at"] = func.to_char(func.timezone("UTC", audit_event.c.at), _PG_TIME)
        texts["details"] = cast(audit_event.c.details, Text)
    columns = [texts.get(name, audit_event.c[name]) for name in COLUMNS]
    query = select(*columns, *(audit_event.c[name] for name in Link._fields))
    return query.order_by(audit_event.c.id).limit(PAGE)
