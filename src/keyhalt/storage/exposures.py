"""Keys that everybody on the way could read: which, how often, where, in the store of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, select

from keyhalt.storage.bulk import add_or_merge
from keyhalt.storage.columns import text_of
from keyhalt.storage.schema_use import key_exposed
from keyhalt.usecases.uses import Exposure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one process saw of one key in one place since it wrote last."""

    key_id: int
    place: str
    at: datetime
    times: int
    network: str


def add(connection: Connection, exposed: Sequence[Exposed]) -> None:
    rows = [
        {
            "key_id": each.key_id,
            "place": each.place,
            "first_at": text_of(each.at),
            "last_at": text_of(each.at),
            "times": each.times,
            "network": each.network,
        }
        for each in exposed
    ]
    add_or_merge(connection, key_exposed, rows, _both)


def forget(connection: Connection, before: datetime) -> None:
    connection.execute(delete(key_exposed).where(key_exposed.c.last_at < before))


def keys(connection: Connection, since: datetime) -> Sequence[int]:
    query = select(key_exposed.c.key_id).where(key_exposed.c.last_at >= since).distinct()
    return connection.execute(query.order_by(key_exposed.c.key_id)).scalars().all()


def read(
    connection: Connection, since: datetime, key_ids: Sequence[int] | None
) -> Mapping[int, Sequence[Exposure]]:
    """By key; None: of the whole environment. An id of a key is of one datasource only."""
    query = select(key_exposed).where(key_exposed.c.last_at >= since)
    if key_ids is not None:
        query = query.where(key_exposed.c.key_id.in_(key_ids))
    found: dict[int, list[Exposure]] = {}
    for row in connection.execute(query.order_by(key_exposed.c.key_id, key_exposed.c.place)):
        each = Exposure(row.place, row.first_at, row.last_at, row.times, row.network)
        found.setdefault(row.key_id, []).append(each)
    return found


def _both(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    later = new.last_at >= old.last_at
    last = {name: case((later, new[name]), else_=old[name]) for name in ("last_at", "network")}
    first = case((new.first_at < old.first_at, new.first_at), else_=old.first_at)
    return {**last, "first_at": first, "times": old.times + new.times}
