"""Copying this app's data to another place, which `keyhalt db copy` leaves to the app.

`python -m keyhalt_energy.moving --from sqlite:FOLDER --to env:KEYHALT_DATABASE_URL`, in either
direction, with `keyhalt serve` stopped. Ids stay, for users' topmosts name them.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text

from keyhalt_energy.options import Place
from keyhalt_energy.schema import metadata
from keyhalt_energy.scope import TREES
from keyhalt_energy.store import Store, UnavailableError, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Select, Table

CHUNK = 1_000


class MoveError(Exception):
    """In a sentence for who asked."""


def copy(source: Store, target: Store) -> dict[str, int]:
    """Every row, in one transaction; returns how many of each table. Raises MoveError.

    Writers of the source wait. The target must be empty, and stays so if it does not succeed.
    """
    with source.bulk() as reading, target.bulk() as writing:
        filled = [table.name for table in metadata.sorted_tables if _count(writing, table)]
        if filled:
            raise MoveError(f"the target has rows already, in the table {filled[0]}")
        return {table.name: _copy(reading, writing, table) for table in metadata.sorted_tables}


def _copy(reading: Connection, writing: Connection, table: Table) -> int:
    for rows in _chunks(reading, _in_order(table)):
        writing.execute(insert(table), rows)
    _go_on(reading, writing, table)
    number = _count(reading, table)
    if _count(writing, table) != number:
        raise MoveError(f"the copy of the table {table.name} is not whole; nothing was kept of it")
    return number


def _in_order(table: Table) -> Select[Any]:
    """Of a tree, each node after what it lies below: no row points at one that is not there."""
    above = {tree.nodes.name: tree.above for tree in TREES.values()}.get(table.name)
    if above is None:
        return select(table)
    same = (above.c.datasource_id == table.c.datasource_id) & (above.c.node_id == table.c.id)
    depth = select(func.count()).select_from(above).where(same).scalar_subquery()
    return select(table).order_by(depth, table.c.id)


def _chunks(connection: Connection, query: Select[Any]) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute(query.execution_options(yield_per=CHUNK))
    for rows in result.mappings().partitions():
        yield [dict(row) for row in rows]


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _go_on(reading: Connection, writing: Connection, table: Table) -> None:
    """An id that was given once is given to nothing else, wherever the data lies."""
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return
    last = _last_id(reading, table)
    if not last:
        return
    values = {"name": table.name, "last": last}
    if writing.dialect.name == "sqlite":
        writing.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        writing.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)
    else:
        writing.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), last)))


def _last_id(connection: Connection, table: Table) -> int:
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return int(connection.scalar(query, {"name": table.name}) or 0)
    sequence = f"{table.name}_id_seq"
    row = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()  # noqa: S608 - our own name
    return int(row.last_value) if row.is_called else 0


def _opened(said: str) -> Store:
    """`sqlite:FOLDER`, or `env:NAME`: a URL in a variable, so that no password is in a command."""
    kind, _, rest = said.partition(":")
    if kind == "sqlite" and rest:
        return open_store(Place(Path(rest)))
    if kind == "env" and os.environ.get(rest):
        return open_store(Place(database_url=os.environ[rest]))
    raise MoveError(f"{said!r} is neither sqlite:FOLDER nor env:NAME of a variable that is set")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="keyhalt_energy.moving", description=__doc__)
    parser.add_argument("--from", dest="source", required=True)
    parser.add_argument("--to", dest="target", required=True)
    said = parser.parse_args(arguments)
    try:
        with closing(_opened(said.source)) as source, closing(_opened(said.target)) as target:
            copied = copy(source, target)
    except (MoveError, UnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name, number in copied.items():
        sys.stdout.write(f"{name:20}{number:10}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
