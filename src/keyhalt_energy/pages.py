"""One page of a list: what is reached and passes the filter, in the order of ids.

The page and its total come from one snapshot. A page in the last half is read from the end, and a
caller that reaches little gets what it reaches collected instead of every row asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select, text

from keyhalt import Refused, filters, paging
from keyhalt_energy.clock import now
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import Utc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import BindParameter, ColumnElement, Connection, FromClause, Table

    from keyhalt_energy.scope import Reach
    from keyhalt_energy.tallies import Tally

CHILDREN_MAX = 1000
"""How many children of one kind an answer holds at most; the list of the kind has the rest."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What can be listed. `table`: one row per entry. `source`: it, and what is shown with it.

    `within(reach, gather)` is the condition of scope.py, `tally` its count without a filter.
    `values` gives the parameters that the fields' own SQL uses.
    """

    table: Table
    source: FromClause
    columns: Sequence[ColumnElement[Any]]
    fields: Mapping[str, filters.Field]
    within: Callable[[Reach, bool], ColumnElement[bool]]
    tally: Callable[[Connection, Reach], Tally]
    more_fields: Callable[[Reach], tuple[Mapping[str, filters.Field], Mapping[str, Any]]] = field(
        default=lambda _reach: ({}, {})
    )


@dataclass(frozen=True, slots=True)
class Found:
    rows: Sequence[Row]
    headers: tuple[tuple[str, str], ...]


def read_page(
    connection: Connection, listing: Listing, reach: Reach, query: Mapping[str, str]
) -> Found | Refused:
    """The page that a query asks for, or what is wrong with it."""
    page = paging.page_from(query)
    if isinstance(page, Refused):
        return page
    passes = _filter(listing, reach, query)
    if isinstance(passes, Refused):
        return passes
    table = listing.table
    tally = listing.tally(connection, reach)
    # Asking row by row costs about page * there / reached rows, collecting costs `reached`.
    gather = tally.reached**2 <= page.size * tally.there
    chosen = and_(table.c.datasource_id == reach.datasource_id, listing.within(reach, gather))
    total = tally.reached
    if passes is not None:
        chosen = and_(chosen, passes)
        total = int(connection.scalar(select(func.count()).select_from(table).where(chosen)) or 0)
    take = max(0, min(page.size, total - page.offset))
    if not take:
        return Found([], paging.headers(page, total))
    backwards = page.offset > total // 2
    skip = total - page.offset - take if backwards else page.offset
    # By the same reckoning: few that pass are found and sorted, of many the order of ids is walked.
    few = gather or total**2 <= page.size * tally.there
    key = sorted_by(table.c.id) if few else table.c.id
    ids = select(table.c.id).where(chosen).order_by(key.desc() if backwards else key)
    wanted = table.c.id.in_(ids.limit(take).offset(skip))
    rows = rows_where(connection, listing, reach.datasource_id, wanted)
    return Found(rows, paging.headers(page, total))


def rows_where(
    connection: Connection, listing: Listing, datasource_id: int, *conditions: ColumnElement[bool]
) -> Sequence[Row]:
    """Rows of a listing by other conditions, such as an id with its reach, in the order of ids."""
    table = listing.table
    statement = (
        select(*listing.columns)
        .select_from(listing.source)
        .where(table.c.datasource_id == datasource_id, *conditions)
        .order_by(table.c.id)
    )
    return rows_of(connection, statement)


def row_of(connection: Connection, listing: Listing, reach: Reach, number: int) -> Row | None:
    """The entry with this id, if it is reached."""
    one = listing.table.c.id == number
    within = listing.within(reach, False)  # noqa: FBT003
    rows = rows_where(connection, listing, reach.datasource_id, one, within)
    return rows[0] if rows else None


def _filter(
    listing: Listing, reach: Reach, query: Mapping[str, str]
) -> ColumnElement[bool] | Refused | None:
    """The filter as a part of a statement; None for a blank one. Its values stay parameters."""
    wanted = query.get("filter", "")
    if not wanted.strip():
        return None
    more, values = listing.more_fields(reach)
    where = filters.compile_filter(wanted, {**listing.fields, **more}, now=now())
    return where if isinstance(where, Refused) else condition_of(where, values)


def condition_of(where: filters.Condition, values: Mapping[str, Any]) -> ColumnElement[bool]:
    typed = [
        bindparam(name, value, type_=Utc()) if hasattr(value, "tzinfo") else bindparam(name, value)
        for name, value in where.params.items()
    ]
    used: list[BindParameter[Any]] = [
        bindparam(name, value) for name, value in values.items() if f":{name}" in where.sql
    ]
    return text(f"({where.sql})").bindparams(*typed, *used)  # type: ignore[return-value]
