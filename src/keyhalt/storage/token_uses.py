"""Who still uses bearer tokens, by day, in the store of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, select

from keyhalt.storage.bulk import add_or_merge
from keyhalt.storage.schema_use import token_use
from keyhalt.usecases.uses import LastUse, TokenUse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection

_LAST = ("last_used_at", "network", "agent", "operation")


def add(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    add_or_merge(connection, token_use, rows, _both)


def forget(connection: Connection, before: date) -> None:
    connection.execute(delete(token_use).where(token_use.c.day < before))


def read(
    connection: Connection,
    datasource_id: int,
    since: date,
    *,
    after: int = 0,
    take: int | None = None,
) -> Mapping[int, TokenUse]:
    """By user, from that day on. `take`: of so many users, the next ones after a user's id."""
    lately = (token_use.c.datasource_id == datasource_id) & (token_use.c.day >= since)
    query = select(token_use).where(lately)
    if take is not None:
        some = select(token_use.c.user_id).where(lately, token_use.c.user_id > after).distinct()
        some = some.order_by(token_use.c.user_id).limit(take)
        query = query.where(token_use.c.user_id.in_(some))
    found: dict[int, TokenUse] = {}
    for row in connection.execute(query.order_by(token_use.c.user_id, token_use.c.day)):
        last = LastUse(row.last_used_at, row.network, row.agent, row.operation)
        before = found[row.user_id].requests if row.user_id in found else 0
        found[row.user_id] = TokenUse(before + row.requests, last)
    return found


def _both(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    later = new.last_used_at >= old.last_used_at
    last = {name: case((later, new[name]), else_=old[name]) for name in _LAST}
    return {**last, "requests": old.requests + new.requests}
