"""By whom keys are used, week by week, in the store of use: bounded for each key and week.

A permission set has more bits than an integer of a database, so it is stored in pages.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, or_, select

from keyhalt.core.permissions import PermissionSet
from keyhalt.core.sharing import CallerWeek
from keyhalt.storage.bulk import add_or_merge
from keyhalt.storage.schema_use import key_caller

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Select

ROWS_MAX = 48
"""Of a key in a week; callers that come when so many are there are not kept."""
KEEP_WEEKS = 15
_PAGE_BITS = 60
_ROWS = ("datasource_id", "key_id", "week")


def week_of(day: date) -> int:
    """Whole weeks since Monday, 1 January of the year 1."""
    return (day.toordinal() - 1) // 7


def rows_of(
    key: Mapping[str, object], day: date, callers: Mapping[tuple[str, str], PermissionSet]
) -> Iterator[dict[str, object]]:
    """`callers`: what let each network and agent through on that day."""
    when = {"week": week_of(day), "days": 1 << day.weekday()}
    for (network, agent), permissions in callers.items():
        for page, bits in _pages(permissions):
            yield {**key, **when, "network": network, "agent": agent, "page": page, "bits": bits}


def _pages(permissions: PermissionSet) -> Sequence[tuple[int, int]]:
    pages = [
        (page, permissions >> page * _PAGE_BITS & (1 << _PAGE_BITS) - 1)
        for page in range(-(-permissions.bit_length() // _PAGE_BITS))
    ]
    return [each for each in pages if each[1]] or [(0, 0)]


def add(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    add_or_merge(connection, key_caller, rows, _both, room=_room)


def forget(connection: Connection, today: date) -> None:
    old = key_caller.c.week <= week_of(today) - KEEP_WEEKS
    connection.execute(delete(key_caller).where(old))


def read(
    connection: Connection, datasource_id: int, key_ids: Sequence[int] | None, since: date
) -> Mapping[int, Sequence[CallerWeek]]:
    """Of those keys that more than one caller used, from the week of that day on."""
    where = _where(datasource_id, since)
    if key_ids is not None:
        where.append(key_caller.c.key_id.in_(key_ids))
    keys = _of_several(where)
    found: dict[int, list[CallerWeek]] = defaultdict(list)
    for row in connection.execute(select(key_caller).where(*where, key_caller.c.key_id.in_(keys))):
        found[row.key_id].append(_caller_week(row))
    return found


def keys_of_several(connection: Connection, datasource_id: int, since: date) -> Sequence[int]:
    query = _of_several(_where(datasource_id, since)).order_by(key_caller.c.key_id)
    return connection.execute(query).scalars().all()


def _where(datasource_id: int, since: date) -> list[ColumnElement[bool]]:
    return [key_caller.c.datasource_id == datasource_id, key_caller.c.week >= week_of(since)]


def _of_several(where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    names = (key_caller.c.network, key_caller.c.agent)
    several = or_(*(func.min(each) != func.max(each) for each in names))
    return select(key_caller.c.key_id).where(*where).group_by(key_caller.c.key_id).having(several)


def read_one(connection: Connection, datasource_id: int, key_id: int) -> Sequence[CallerWeek]:
    where = (key_caller.c.datasource_id == datasource_id, key_caller.c.key_id == key_id)
    query = select(key_caller).where(*where).order_by(*key_caller.primary_key)
    return [_caller_week(row) for row in connection.execute(query)]


def _caller_week(row: Any) -> CallerWeek:  # noqa: ANN401 - a row
    permissions = PermissionSet(row.bits << row.page * _PAGE_BITS)
    return CallerWeek(row.week, row.network, row.agent, row.days, permissions)


def _both(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    return {name: old[name].bitwise_or(new[name]) for name in ("days", "bits")}


def _room(new: Mapping[str, Any]) -> ColumnElement[bool]:
    """Whether there is room for another row of the key, or it is one that is there."""
    there = key_caller.alias("there")
    here = and_(*(there.c[name] == new[name] for name in _ROWS))
    itself = and_(here, *(there.c[name] == new[name] for name in ("network", "agent", "page")))
    count = select(func.count()).select_from(there).where(here).scalar_subquery()
    return or_(count < ROWS_MAX, select(there.c.key_id).where(itself).exists())
