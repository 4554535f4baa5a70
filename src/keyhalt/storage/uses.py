"""What keys do, in the store of use: written in batches, read for a page of keys at once.

Neither depends on how many keys there are: four statements to write, three to read a page.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, func, select

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.storage import callers, exposures, token_uses
from keyhalt.storage.bulk import add_or_merge, merged_json
from keyhalt.storage.columns import text_of
from keyhalt.storage.schema_use import key_day, key_hour, key_use
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.uses import DayCount, Gathered, History, KeyUse, LastUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Select, Table

    from keyhalt.storage.exposures import Exposed
    from keyhalt.usecases.uses import TokenUse

ALLOWED = "allowed"
HOURS = 24
KEEP_DAYS = 366


@dataclass(frozen=True, slots=True)
class Used:
    """What one process saw of one key since it wrote last. `last` None: it was only denied.

    Of the tokens of a user likewise, under the user's id.
    """

    datasource_id: int
    key_id: int
    at: datetime
    last: LastUse | None
    counts: Mapping[str, int]
    """Of `allowed`, and of each exact reason of a denial."""
    permissions: PermissionSet
    callers: Mapping[tuple[str, str], PermissionSet] = field(default_factory=dict)
    """By network and agent, what let them through."""


def add_uses(
    engine: Engine,
    used: Sequence[Used],
    tokens: Sequence[Used] = (),
    exposed: Sequence[Exposed] = (),
) -> None:
    """Write a batch; none stands in it twice. Raises StoreUnavailableError."""
    with transaction(engine, write=True) as connection:
        add_or_merge(connection, key_use, _last_rows(used), _later)
        add_or_merge(connection, key_day, _day_rows(used), _added)
        add_or_merge(connection, key_hour, _hour_rows(used), _turned)
        callers.add(connection, _caller_rows(used))
        token_uses.add(connection, _token_rows(tokens))
        exposures.add(connection, exposed)


def forget(engine: Engine, today: date) -> None:
    """What is kept no longer. Raises StoreUnavailableError."""
    before = first_kept(today)
    with transaction(engine, write=True) as connection:
        connection.execute(delete(key_day).where(key_day.c.day < before))
        token_uses.forget(connection, before)
        exposures.forget(connection, datetime(before.year, before.month, before.day, tzinfo=UTC))
        callers.forget(connection, today)


def _key(each: Used) -> dict[str, object]:
    return {"datasource_id": each.datasource_id, "key_id": each.key_id}


def _last_rows(used: Iterable[Used]) -> list[dict[str, object]]:
    return [
        {**_key(each), **_last(each.last), "permission_days": _days(each)}
        for each in used
        if each.last is not None
    ]


def _days(used: Used) -> dict[str, str]:
    day = _day(used.at)
    return {str(bit): day for bit in _bits(used.permissions)}


def _last(last: LastUse) -> dict[str, object]:
    how = {"network": last.network, "agent": last.agent, "operation": last.operation}
    return {"last_used_at": text_of(last.at), **how}


def _token_rows(tokens: Iterable[Used]) -> list[dict[str, object]]:
    return [
        {
            "datasource_id": each.datasource_id,
            "user_id": each.key_id,
            "day": _day(each.at),
            "requests": each.counts[ALLOWED],
            **_last(each.last),
        }
        for each in tokens
        if each.last is not None
    ]


def _caller_rows(used: Iterable[Used]) -> list[dict[str, object]]:
    return [
        row
        for each in used
        for row in callers.rows_of(_key(each), each.at.astimezone(UTC).date(), each.callers)
    ]


def _day_rows(used: Iterable[Used]) -> list[dict[str, object]]:
    return [
        {**_key(each), "day": _day(each.at), "outcome": outcome, "requests": count}
        for each in used
        for outcome, count in each.counts.items()
    ]


def _hour_rows(used: Iterable[Used]) -> list[dict[str, object]]:
    rows = []
    for each in used:
        hour = hour_of(each.at)
        allowed = each.counts.get(ALLOWED, 0)
        denied = sum(each.counts.values()) - allowed
        place = {"place": hour % HOURS, "hour": hour, "allowed": allowed, "denied": denied}
        rows.append({**_key(each), **place})
    return rows


def _bits(permissions: PermissionSet) -> Iterator[int]:
    return (bit for bit in range(permissions.bit_length()) if permissions >> bit & 1)


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def hour_of(at: datetime) -> int:
    """Hours since 1970."""
    return int(at.timestamp()) // 3600


def _later(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    """The later of two last uses; whatever permissions either knows of, each with its last day."""
    later = new.last_used_at >= old.last_used_at
    one, other = old.permission_days, new.permission_days
    days = case((later, merged_json(one, other)), else_=merged_json(other, one))
    last = {
        each.name: case((later, new[each.name]), else_=each)
        for each in old
        if not each.primary_key and each.name != "permission_days"
    }
    return {**last, "permission_days": days}


def _added(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401
    return {"requests": old.requests + new.requests}


def _turned(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401
    """An hour adds to itself, takes the place of an earlier one, and leaves a later one alone."""
    kept = case((new.hour >= old.hour, 1), else_=0)
    before = case((old.hour >= new.hour, 1), else_=0)
    counts = {name: old[name] * before + new[name] * kept for name in ("allowed", "denied")}
    return {"hour": case((new.hour > old.hour, new.hour), else_=old.hour), **counts}


# ------------------------------------------------------------------ reading


@dataclass(slots=True)
class _Found:
    last: LastUse | None = None
    days: list[DayCount] = field(default_factory=list)
    denied: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    permissions: PermissionSet = NOTHING
    last_24_hours: tuple[int, int] = (0, 0)


class SqlUses:
    """Implements UseReader."""

    def __init__(self, use: Engine) -> None:
        self._engine = use

    def last(self, datasource_id: int) -> Mapping[int, LastUse]:
        query = _of(key_use, datasource_id, None)
        with transaction(self._engine, write=False) as connection:
            return {row.key_id: _last_use(row) for row in connection.execute(query)}

    def recent(self, datasource_id: int, since: datetime | None = None) -> Sequence[int]:
        query = select(key_use.c.key_id).where(key_use.c.datasource_id == datasource_id)
        if since is not None:
            query = query.where(key_use.c.last_used_at >= since)
        query = query.order_by(key_use.c.last_used_at.desc(), key_use.c.key_id)
        with transaction(self._engine, write=False) as connection:
            return connection.execute(query).scalars().all()

    def gathered(
        self,
        datasource_id: int,
        key_ids: Sequence[int] | None,
        *,
        since: date,
        earlier: date | None = None,
    ) -> Gathered:
        begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
        with transaction(self._engine, write=False) as connection:
            rows = connection.execute(_of(key_use, datasource_id, key_ids)).all()
            used = {row.key_id: _used_since(row, since) for row in rows}
            known = {row.key_id: _used_since(row, earlier or since) for row in rows}
            before = {key_id: PermissionSet(each & ~used[key_id]) for key_id, each in known.items()}
            return Gathered(
                counted_since=_counted_since(connection),
                last={row.key_id: _last_use(row) for row in rows},
                permissions={key_id: each for key_id, each in used.items() if each},
                earlier={key_id: each for key_id, each in before.items() if each},
                callers=callers.read(connection, datasource_id, key_ids, since),
                exposures=exposures.read(connection, begin, key_ids),
                tokens=token_uses.read(connection, datasource_id, since) if key_ids is None else {},
            )

    def exposed(self, *, since: date) -> Sequence[int]:
        begin = datetime(since.year, since.month, since.day, tzinfo=UTC)
        with transaction(self._engine, write=False) as connection:
            return exposures.keys(connection, begin)

    def of_several(self, datasource_id: int, *, since: date) -> Sequence[int]:
        with transaction(self._engine, write=False) as connection:
            return callers.keys_of_several(connection, datasource_id, since)

    def token_users(
        self, datasource_id: int, *, since: date, after: int, take: int
    ) -> Mapping[int, TokenUse]:
        with transaction(self._engine, write=False) as connection:
            return token_uses.read(connection, datasource_id, since, after=after, take=take)

    def history(self, datasource_id: int, key_id: int) -> History:
        with transaction(self._engine, write=False) as connection:
            used = connection.execute(_of(key_use, datasource_id, [key_id])).one_or_none()
            return History(
                last_days=dict(_last_days(used)) if used else {},
                callers=callers.read_one(connection, datasource_id, key_id),
            )

    def counted_since(self) -> date | None:
        with transaction(self._engine, write=False) as connection:
            return _counted_since(connection)

    def of(
        self, datasource_id: int, key_ids: Sequence[int] | None, *, since: date, now: datetime
    ) -> Mapping[int, KeyUse]:
        found: dict[int, _Found] = defaultdict(_Found)
        with transaction(self._engine, write=False) as connection:
            for row in connection.execute(_of(key_use, datasource_id, key_ids)):
                found[row.key_id].last = _last_use(row)
                found[row.key_id].permissions = _used_since(row, since)
            _read_days(connection, _of(key_day, datasource_id, key_ids), since, found)
            hours = _of(key_hour, datasource_id, key_ids)
            for row in connection.execute(_sums(hours, hour_of(now))):
                found[row.key_id].last_24_hours = (int(row.allowed), int(row.denied))
        return {key_id: _key_use(each) for key_id, each in found.items()}


def _counted_since(connection: Connection) -> date | None:
    first: date | None = connection.execute(select(func.min(key_day.c.day))).scalar_one()
    return first


def _of(table: Table, datasource_id: int, key_ids: Sequence[int] | None) -> Select[Any]:
    query = select(table).where(table.c.datasource_id == datasource_id)
    return query if key_ids is None else query.where(table.c.key_id.in_(key_ids))


def _read_days(
    connection: Connection, query: Select[Any], since: date, found: dict[int, _Found]
) -> None:
    query = query.where(key_day.c.day >= since).order_by(key_day.c.key_id, key_day.c.day)
    counts: dict[tuple[int, date], list[int]] = defaultdict(lambda: [0, 0])
    for row in connection.execute(query):
        was_denied = row.outcome != ALLOWED
        counts[row.key_id, row.day][was_denied] += row.requests
        if was_denied:
            found[row.key_id].denied[row.outcome] += row.requests
    for (key_id, day), (allowed, denied) in counts.items():
        found[key_id].days.append(DayCount(day, allowed, denied))


def _last_days(row: Any) -> Iterator[tuple[PermissionSet, date]]:  # noqa: ANN401 - of key_use
    for bit, day in (row.permission_days or {}).items():
        yield PermissionSet(1 << int(bit)), date.fromisoformat(day)


def _used_since(row: Any, since: date) -> PermissionSet:  # noqa: ANN401 - of key_use
    used: int = NOTHING
    for bit, day in _last_days(row):
        if day >= since:
            used |= bit
    return PermissionSet(used)


def _sums(query: Select[Any], hour: int) -> Select[Any]:
    sums = (func.sum(key_hour.c[name]).label(name) for name in ("allowed", "denied"))
    recent = query.where(key_hour.c.hour > hour - HOURS)
    return recent.with_only_columns(key_hour.c.key_id, *sums).group_by(key_hour.c.key_id)


def _last_use(row: Any) -> LastUse:  # noqa: ANN401 - a row
    return LastUse(row.last_used_at, row.network, row.agent, row.operation)


def _key_use(found: _Found) -> KeyUse:
    return KeyUse(
        last=found.last,
        days=tuple(found.days),
        denied=dict(found.denied),
        permissions=found.permissions,
        last_24_hours=found.last_24_hours,
    )


def first_kept(today: date) -> date:
    return today - timedelta(days=KEEP_DAYS)
