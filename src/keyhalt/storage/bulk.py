"""Any number of rows in one statement: they travel as one parameter, a JSON text.

Drivers limit the parameters of a statement, and a statement for each row is slow. The two
databases unpack JSON by functions of their own, which stand here and nowhere else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, bindparam, column, func, literal_column, select, type_coerce
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

    Merge = Callable[[Any, Any], Mapping[str, ColumnElement[Any]]]


class merged_json(FunctionElement[Any]):  # noqa: N801 - as SQLAlchemy names what SQL has
    """Two JSON objects in one; where both have a name, the second's value. NULL is empty."""

    inherit_cache = True


@compiles(merged_json, "sqlite")
def _patched(element: merged_json, compiler: Any, **how: Any) -> str:  # noqa: ANN401
    one, other = (compiler.process(each, **how) for each in element.clauses)
    return f"json_patch(coalesce({one}, '{{}}'), coalesce({other}, '{{}}'))"


@compiles(merged_json, "postgresql")
def _joined(element: merged_json, compiler: Any, **how: Any) -> str:  # noqa: ANN401
    one, other = (compiler.process(each, **how) for each in element.clauses)
    return f"coalesce({one}, '{{}}'::jsonb) || coalesce({other}, '{{}}'::jsonb)"


def add_or_merge(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    merge: Merge,
    where: Callable[[Any, Any], ColumnElement[bool]] | None = None,
    *,
    room: Callable[[Mapping[str, Any]], ColumnElement[bool]] | None = None,
) -> None:
    """Insert rows; one whose primary key is there changes that row by `merge(old, new)`.

    `where(old, new)`: whether it does; `room(new)`: whether a row is taken at all. Times and days
    are given as the texts that SQLite stores.
    No two rows have the same key.
    """
    if not rows:
        return
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    names = list(rows[0])
    new = dialect.insert(table).from_select(names, _unpacked(connection, table, names, room))
    statement = new.on_conflict_do_update(
        index_elements=[each.name for each in table.primary_key],
        set_=dict(merge(table.c, new.excluded)),
        where=where and where(table.c, new.excluded),
    )
    connection.execute(statement, {"rows": json.dumps(rows)})


def _unpacked(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    room: Callable[[Mapping[str, Any]], ColumnElement[bool]] | None,
) -> Select[Any]:
    given: Any = bindparam("rows")
    if connection.dialect.name == "postgresql":
        columns = [column(name, table.c[name].type) for name in names]
        call = func.json_to_recordset(sql_cast(type_coerce(given, postgresql.TEXT), JSON))
        rows = call.table_valued(*columns, name="given").render_derived(with_types=True)
        given_columns = {name: rows.c[name] for name in names}
        plain = select(*given_columns.values())
        return plain.where(room(given_columns)) if room else plain
    each = func.json_each(given).table_valued("value", name="given")
    values = {name: func.json_extract(each.c.value, f"$.{name}") for name in names}
    # Without a WHERE, SQLite takes the ON of ON CONFLICT for that of a join.
    wanted = room(values) if room else literal_column("1") == literal_column("1")
    return select(*values.values()).where(wanted)
