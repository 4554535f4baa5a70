"""Bill activity: contract row 34."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from keyhalt import Call, Fault, Refused, Reply
from keyhalt_energy.clock import now
from keyhalt_energy.schema import bill
from keyhalt_energy.scope import reach_of
from keyhalt_energy.wire import reduced

if TYPE_CHECKING:
    from keyhalt_energy.store import Store

ROWS_MAX = 100_000
"""The answer is not paged (the contract's), so it ends somewhere: with the latest changes."""


class Activity:
    def __init__(self, store: Store) -> None:
        self._store = store

    def bills(self, call: Call) -> Reply | Refused:
        """The bills made or changed since a moment; a day ago if none is given. Latest first."""
        since = _moment(call.query.get("date", ""))
        if isinstance(since, Refused):
            return since
        reach = reach_of(call.principal)
        query = (
            select(bill.c.id, bill.c.created_at)
            .where(bill.c.datasource_id == reach.datasource_id, bill.c.modified_at >= since)
            .where(reach.bill())
            .order_by(bill.c.modified_at.desc(), bill.c.id.desc())
            .limit(ROWS_MAX)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        bodies: list[dict[str, object]] = [
            {"id": row.id, "reason": "created" if row.created_at >= since else "modified"}
            for row in rows
        ]
        return Reply([reduced(body, call.query) for body in bodies])


def _moment(text: str) -> datetime | Refused:
    if not text:
        return now() - timedelta(days=1)
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        detail = "date must be a date and time such as 2026-03-30T10:00:00Z."
        return Refused(Fault.INVALID_QUERY, detail, "date")
