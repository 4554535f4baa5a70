"""One page of a list: what is reached and passes the filter, in the order of ids.

The page and its total come from one snapshot. A page in the last half is read from the end, and a
caller that reaches little gets what it reaches collected instead of every row asked. What passes a
filter is looked for once, for the page and the total together, unless it is very much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select, text, true, union_all

from keyhalt import Refused, filters, paging
from keyhalt_energy.clock import now
from keyhalt_energy.fields import values_of
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import Utc
from keyhalt_energy.scope import How

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import BindParameter, ColumnElement, Connection, FromClause, Table

    from keyhalt_energy.scope import Reach
    from keyhalt_energy.tallies import Tally

CHILDREN_MAX = 1000
"""How many children of one kind an answer holds at most; the list of the kind has the rest."""
SAMPLE = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """What can be listed. `table`: one row per entry. `source`: it, and what is shown with it.

    `within(reach, how)` is the condition of scope.py, `tally` its count without a filter.
    """

    table: Table
    source: FromClause
    columns: Sequence[ColumnElement[Any]]
    fields: Mapping[str, filters.Field]
    within: Callable[[Reach, How], ColumnElement[bool]]
    tally: Callable[[Connection, Reach], Tally]


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
    own = table.c.datasource_id == reach.datasource_id

    def within(how: How) -> ColumnElement[bool]:
        shape = own if tally.whole else and_(own, listing.within(reach, how))
        return shape if passes is None else and_(shape, passes)

    chosen = within(How.COLLECT if gather else How.ROW_BY_ROW)
    total = tally.reached
    if passes is not None:
        if gather or not _many_pass(connection, table, reach, passes, page, tally):
            total, ids = _collected(connection, table, chosen, page)
            return _found(connection, listing, reach, page, total, ids)
        counted = select(func.count()).select_from(table).where(within(How.COMPARE))
        total = int(connection.scalar(counted) or 0)
    ids = _walked(connection, table, chosen, page, total, gather=gather)
    return _found(connection, listing, reach, page, total, ids)


def _found(
    connection: Connection,
    listing: Listing,
    reach: Reach,
    page: paging.Page,
    total: int,
    ids: Sequence[int],
) -> Found:
    wanted = listing.table.c.id.in_(ids)
    rows = rows_where(connection, listing, reach.datasource_id, wanted) if ids else []
    return Found(rows, paging.headers(page, total))


def _walked(
    connection: Connection,
    table: Table,
    chosen: ColumnElement[bool],
    page: paging.Page,
    total: int,
    *,
    gather: bool,
) -> Sequence[int]:
    """The ids of a page, in their order from the nearer end until the page is full."""
    take = max(0, min(page.size, total - page.offset))
    if not take:
        return []
    backwards = page.offset > total // 2
    skip = total - page.offset - take if backwards else page.offset
    key = sorted_by(table.c.id) if gather else table.c.id
    ids = select(table.c.id).where(chosen).order_by(key.desc() if backwards else key)
    return list(connection.scalars(ids.limit(take).offset(skip)))


def _collected(
    connection: Connection, table: Table, chosen: ColumnElement[bool], page: paging.Page
) -> tuple[int, Sequence[int]]:
    """The total and the ids of a page, each row looked at once: what passes is kept meanwhile."""
    hits = select(table.c.id).where(chosen).cte("hits").prefix_with("MATERIALIZED")
    total = select(func.count().label("total")).select_from(hits).subquery()
    some = select(hits.c.id).order_by(hits.c.id).limit(page.size).offset(page.offset).subquery()
    both = select(total.c.total, some.c.id).select_from(total.outerjoin(some, true()))
    rows = connection.execute(both).all()
    return rows[0].total, [row.id for row in rows if row.id is not None]


def _many_pass(
    connection: Connection,
    table: Table,
    reach: Reach,
    passes: ColumnElement[bool],
    page: paging.Page,
    tally: Tally,
) -> bool:
    """Whether so much passes that counting it and walking to the page beats keeping it all.

    Judged by a sample, the oldest rows and the newest. Keeping costs a fifth of a look for each row
    that passes, walking page / share looks. Being wrong costs time only.
    """
    own = table.c.datasource_id == reach.datasource_id
    ends = [
        select(select(table.c.id).where(own).order_by(key).limit(SAMPLE // 2).subquery().c.id)
        for key in (table.c.id, table.c.id.desc())
    ]
    sampled = table.c.id.in_(union_all(*ends))
    hits = select(func.count()).select_from(table).where(own, sampled, passes)
    share = int(connection.scalar(hits) or 0) / SAMPLE
    return share**2 * tally.there > 5 * page.size


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
    within = listing.within(reach, How.ROW_BY_ROW)
    rows = rows_where(connection, listing, reach.datasource_id, one, within)
    return rows[0] if rows else None


def _filter(
    listing: Listing, reach: Reach, query: Mapping[str, str]
) -> ColumnElement[bool] | Refused | None:
    """The filter as a part of a statement; None for a blank one. Its values stay parameters."""
    wanted = query.get("filter", "")
    if not wanted.strip():
        return None
    where = filters.compile_filter(wanted, listing.fields, now=now())
    return where if isinstance(where, Refused) else condition_of(where, values_of(reach))


def condition_of(
    where: filters.Condition, values: Mapping[str, Any] | None = None
) -> ColumnElement[bool]:
    """`values`: what the fields' own SQL may use. A list is for `in`, and may be empty."""
    typed = [
        bindparam(name, value, type_=Utc()) if hasattr(value, "tzinfo") else bindparam(name, value)
        for name, value in where.params.items()
    ]
    used: list[BindParameter[Any]] = [
        bindparam(name, value, expanding=isinstance(value, list))
        for name, value in (values or {}).items()
        if f":{name}" in where.sql
    ]
    return text(f"({where.sql})").bindparams(*typed, *used)  # type: ignore[return-value]
