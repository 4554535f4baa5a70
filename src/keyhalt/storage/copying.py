"""Copying all three stores from one place to another, whatever each lies in.

The source is locked for writers, so it cannot move meanwhile; who only verifies goes on. The target
is written in one transaction a store, Rights last: until that commits, nothing there is set up.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from keyhalt.storage.rights import SqlTransaction
from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE, environment, verifier
from keyhalt.storage.stores import engine_of
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.ports import CopyError
from keyhalt.usecases.rows import Copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Table

    from keyhalt.storage.stores import Stores

CHUNK = 1000
_DIGEST_BITS = 256
# In the order of locking. Whoever holds a lease there holds none here.
TABLES = {
    "rights": [table for table in RIGHTS.sorted_tables if table is not verifier],
    "use": USE.sorted_tables,
    "signins": SIGN_INS.sorted_tables,
}


def copy(
    source: Stores,
    target: Stores,
    *,
    progress: Callable[[int, int], None],
    finish: Callable[[SqlTransaction], None],
) -> Sequence[Copied]:
    """Both have this version's schema. `progress(rows done, of)`; `finish`: before the last commit.

    Raises CopyError, and StoreUnavailableError; the target is then not set up.
    """
    with ExitStack() as stack:
        reading = {name: _writing(stack, source, name) for name in TABLES}
        # Left in the reverse order, so that Rights commits last.
        writing = {name: _writing(stack, target, name) for name in TABLES}
        if reading["rights"].execute(select(environment)).one_or_none() is None:
            raise CopyError("the source holds no environment yet")
        if writing["rights"].execute(select(environment)).one_or_none() is not None:
            raise CopyError("the target holds an environment already; say an empty one")
        total = 2 * sum(_count(reading[name], t) for name, ts in TABLES.items() for t in ts)
        bar = _Bar(progress, total)
        copied = [
            each
            for name, tables in TABLES.items()
            for each in _copy_store(reading[name], writing[name], tables, bar)
        ]
        finish(SqlTransaction(writing["rights"]))
    return copied


class _Bar:
    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def move(self, rows: int) -> None:
        self._done += rows
        self._progress(self._done, self._total)


def _writing(stack: ExitStack, stores: Stores, name: str) -> Connection:
    return stack.enter_context(transaction(engine_of(stores, name), write=True))


def _copy_store(
    source: Connection, target: Connection, tables: Sequence[Table], bar: _Bar
) -> Iterator[Copied]:
    for table in reversed(tables):
        # Only what an earlier copy left that did not come to its end: nothing is set up here.
        target.execute(delete(table))
    for table in tables:
        try:
            yield _copy_table(source, target, table, bar)
        except (ValueError, DBAPIError) as error:
            why = getattr(error, "orig", error)
            raise CopyError(f"the table {table.name} cannot be copied: {why}") from None


def _copy_table(source: Connection, target: Connection, table: Table, bar: _Bar) -> Copied:
    rows, digest = 0, 0
    for chunk in _chunks(source, table):
        target.execute(insert(table), chunk)
        rows, digest = rows + len(chunk), _add(digest, chunk)
        bar.move(len(chunk))
    position = _position(source, table)
    if position is not None:
        _set_position(target, table, position)
    there, there_digest = 0, 0
    for chunk in _chunks(target, table):
        there, there_digest = there + len(chunk), _add(there_digest, chunk)
        bar.move(len(chunk))
    if (there, there_digest, _position(target, table)) != (rows, digest, position):
        raise CopyError(f"the copy of the table {table.name} differs; nothing was kept of it")
    return Copied(table.name, rows, format(digest, "064x"))


def _chunks(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute(select(table).execution_options(yield_per=CHUNK))
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _add(digest: int, chunk: Sequence[dict[str, Any]]) -> int:
    """The sum of the rows' digests: their order differs between databases and does not count."""
    for row in chunk:
        line = json.dumps(row, sort_keys=True, default=_plain).encode()
        digest += int.from_bytes(hashlib.sha256(line).digest())
    return digest % (1 << _DIGEST_BITS)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, bytes | memoryview)  # noqa: S101 - no other type is in the schema
    return bytes(value).hex()


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _position(connection: Connection, table: Table) -> int | None:
    """The highest id that was ever given, so that none is given twice; None: ids are no numbers."""
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return None
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return int(connection.execute(query, {"name": table.name}).scalar() or 0)
    query = text(f"SELECT last_value, is_called FROM {_sequence(connection, table)}")  # noqa: S608
    row = connection.execute(query).one()
    return int(row.last_value) if row.is_called else 0


def _set_position(connection: Connection, table: Table, position: int) -> None:
    values = {"name": table.name, "n": position}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :n)"), values)
        return
    row = {"name": _sequence(connection, table), "n": max(position, 1), "called": position > 0}
    connection.execute(text("SELECT setval(CAST(:name AS regclass), :n, :called)"), row)


def _sequence(connection: Connection, table: Table) -> str:
    query = text("SELECT pg_get_serial_sequence(:name, 'id')")
    quoted = connection.dialect.identifier_preparer.format_table(table)
    return str(connection.execute(query, {"name": quoted}).scalar_one())
