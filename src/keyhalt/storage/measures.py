"""Totals for whoever watches: kept beside what is written anyway, read in a few statements.

Denials and sign-ins are added up in the batch that writes them. What keys were allowed is in the
counts by day; days that are over are added up once a day, so a reading takes three of them at most.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select, union_all, update

from keyhalt.core.audit import IN_EFFECT
from keyhalt.storage.bulk import add_or_merge
from keyhalt.storage.schema import api_key, audit_event, auth_epoch, verifier
from keyhalt.storage.schema_use import (
    allowed_total,
    event_total,
    key_day,
    verification_time,
)
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.measure import FURTHER, EventTotal, TimeTotal, Totals
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.usecases.timing import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection, Engine, ScalarSelect

    from keyhalt.core.audit import AuditEvent
    from keyhalt.usecases.timing import Timing

ALLOWED = "allowed"
OPEN_DAYS = 1
"""Days before today that may still be added to."""
_Like = tuple[str, str, str]


def add_totals(connection: Connection, events: Sequence[tuple[AuditEvent, int]]) -> None:
    """Add a batch of events, each with how often it happened, to the totals. One statement."""
    counts: dict[_Like, list[int]] = defaultdict(lambda: [0, 0])
    waits: set[object] = set()
    for event, count in events:
        reason, waited = event.reason, 0
        if event.event in IN_EFFECT:
            # All that ended in one wait stands in one batch, and tells of the same moment.
            wait = (event.epoch, event.details.get("clock"))
            reason = FURTHER if wait in waits else reason
            waited = 0 if wait in waits else _waited(event)
            waits.add(wait)
        total = counts[event.event.value, event.outcome, reason]
        total[0] += count
        total[1] += waited
    rows = [
        {"event": event, "outcome": outcome, "reason": reason, "happened": n, "waited_ms": ms}
        for (event, outcome, reason), (n, ms) in counts.items()
    ]
    add_or_merge(connection, event_total, rows, _added)


def _waited(event: AuditEvent) -> int:
    waited = event.details.get("waited_ms", 0)
    return waited if isinstance(waited, int) else 0


def write_times(engine: Engine, timing: Timing) -> None:
    """Add what was timed in this process to the totals. What cannot be written is kept."""
    taken = timing.take()
    if not taken:
        return
    names = ("source", "upto_us", "happened", "spent_ns")
    rows = [
        dict(zip(names, (source.value, bound, *told), strict=True))
        for (source, bound), told in taken.items()
    ]
    try:
        with transaction(engine, write=True) as connection:
            add_or_merge(connection, verification_time, rows, _more_times)
    except StoreUnavailableError:
        timing.put_back(taken)


def close_days(engine: Engine, today: date) -> None:
    """Add up the days that are over, once. Raises StoreUnavailableError."""
    upto = today - timedelta(days=OPEN_DAYS)
    closed = (
        select(func.coalesce(func.sum(key_day.c.requests), 0))
        .where(key_day.c.outcome == ALLOWED)
        .where(key_day.c.day >= allowed_total.c.before, key_day.c.day < upto)
        .correlate(allowed_total)
        .scalar_subquery()
    )
    row = update(allowed_total).where(allowed_total.c.before < upto)
    with transaction(engine, write=True) as connection:
        connection.execute(row.values(requests=allowed_total.c.requests + closed, before=upto))


def _added(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    return {name: old[name] + new[name] for name in ("happened", "waited_ms")}


def _more_times(old: Any, new: Any) -> Mapping[str, ColumnElement[Any]]:  # noqa: ANN401 - columns
    return {name: old[name] + new[name] for name in ("happened", "spent_ns")}


class SqlTotals:
    """Implements TotalsReader. `leases`: whether verifiers hold leases in this store."""

    def __init__(self, rights: Engine, use: Engine) -> None:
        self._rights = rights
        self._use = use

    def totals(self) -> Totals:
        with transaction(self._use, write=False) as connection:
            events = connection.execute(select(event_total)).all()
            allowed = connection.execute(select(_allowed())).scalar_one()
            times = connection.execute(select(verification_time)).all()
        numbers = {"epoch": select(auth_epoch.c.n).scalar_subquery(), "changes": _last_row()}
        numbers |= {"active": _keys(deleted=False), "deleted": _keys(deleted=True)}
        if leases := self._rights.dialect.name == "postgresql":
            living = select(func.count()).select_from(verifier).where(verifier.c.alive)
            numbers["verifiers"] = living.scalar_subquery()
        asked = union_all(*(select(literal(name), each) for name, each in numbers.items()))
        with transaction(self._rights, write=False) as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(asked)}
        return Totals(
            events=[EventTotal(*row) for row in events],
            allowed=int(allowed),
            changes=found["changes"],
            epoch=found["epoch"],
            keys={state: found[state] for state in ("active", "deleted")},
            verifiers=found["verifiers"] if leases else None,
            times=[TimeTotal(Source(row[0]), *row[1:]) for row in times],
        )


def _allowed() -> ColumnElement[int]:
    closed = select(allowed_total.c.requests).scalar_subquery()
    since = select(allowed_total.c.before).scalar_subquery()
    still_open = select(func.coalesce(func.sum(key_day.c.requests), 0)).where(
        key_day.c.outcome == ALLOWED, key_day.c.day >= since
    )
    return closed + still_open.scalar_subquery()


def _last_row() -> ScalarSelect[Any]:
    return select(func.coalesce(func.max(audit_event.c.id), 0)).scalar_subquery()


def _keys(*, deleted: bool) -> ScalarSelect[Any]:
    ended = api_key.c.deleted_epoch
    state = ended.is_not(None) if deleted else ended.is_(None)
    return select(func.count()).select_from(api_key).where(state).scalar_subquery()
