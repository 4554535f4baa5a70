"""The audit log of the caller's datasource: ours (docs/wire.md, docs/audit.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.audit import Event
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.paging import whole_number
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.read_audit import PAGE_MAX
from keyhalt.usecases.rows import AuditQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.read_audit import ReadAudit
    from keyhalt.usecases.rows import AuditRow

PAGE_SIZE = 50
_OUTCOMES = ("done", "denied")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PLACE = re.compile(r"(.{1,40})_([ru][0-9]{1,18})")
_NAMES = {
    "event", "outcome", "userId", "keyId", "requestId", "since", "until", "before", "pageSize",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditHandlers:
    read_audit: ReadAudit

    def list(self, call: Call) -> Reply | Refused:
        try:
            query = query_of(call.principal.datasource_id, call.query)
        except _WrongError as wrong:
            return Refused(Fault.INVALID_QUERY, f"{wrong.field} {wrong}", field=wrong.field)
        rows = self.read_audit(call.principal, query, call.origin)
        more = len(rows) == query.limit
        return Reply(
            {"events": [_event(row) for row in rows], "next": _place(rows[-1]) if more else None}
        )


def operations(handlers: AuditHandlers, needs: Needs) -> list[Operation]:
    return [Operation("GetAudit", "GET", "/api/keyhalt/v1/audit", needs.view_audit, handlers.list)]


class _WrongError(Exception):
    """A parameter that cannot be; the text goes on after its name."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def query_of(datasource_id: int, said: Mapping[str, str]) -> AuditQuery:
    for name in said:
        if name not in _NAMES:
            raise _WrongError(name, f"is not known here; there is: {', '.join(sorted(_NAMES))}")
    event = said.get("event")
    if event is not None and event not in set(Event):
        raise _WrongError("event", "must be an event of the audit log, such as key.create")
    outcome = said.get("outcome")
    if outcome not in {None, *_OUTCOMES}:
        raise _WrongError("outcome", "must be done or denied")
    request_id = said.get("requestId")
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        raise _WrongError("requestId", "must be the id that a problem or a log shows")
    return AuditQuery(
        datasource_id=datasource_id,
        event=None if event is None else Event(event),
        outcome=outcome,
        user_id=_number(said, "userId", ID_MAX),
        key_id=_number(said, "keyId", ID_MAX),
        request_id=request_id,
        since=_time(said, "since"),
        until=_time(said, "until"),
        before=_before(said),
        limit=_number(said, "pageSize", PAGE_MAX) or PAGE_SIZE,
    )


def _number(said: Mapping[str, str], name: str, most: int) -> int | None:
    text = said.get(name)
    if text is None:
        return None
    number = whole_number(text)
    if number is None or number > most:
        raise _WrongError(name, f"must be a whole number from 1 to {most}")
    return number


def _time(said: Mapping[str, str], name: str) -> datetime | None:
    text = said.get(name)
    return None if text is None else _read_time(text, name)


def _read_time(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _WrongError(name, "must be a time with its zone, such as 2026-11-24T12:00:00Z")
    return at


def _before(said: Mapping[str, str]) -> tuple[datetime, str] | None:
    text = said.get("before")
    if text is None:
        return None
    place = _PLACE.fullmatch(text)
    if place is None:
        raise _WrongError("before", "must be the 'next' of a page before")
    return _read_time(place[1], "before"), place[2]


def _place(row: AuditRow) -> str:
    return f"{_time_text(row.event.at)}_{row.id}"


def _time_text(at: datetime) -> str:
    """To the microsecond: two events of one millisecond have an order."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _event(row: AuditRow) -> dict[str, object]:
    event = row.event
    credential = event.actor.credential
    about = {"type": event.object_type, "id": event.object_id}
    return {
        "id": row.id,
        "at": _time_text(event.at),
        "event": event.event.value,
        "outcome": event.outcome,
        "reason": event.reason or None,
        "actor": {"userId": event.actor.user_id, "name": event.actor.name or None},
        "credential": credential and {"kind": credential.kind.value, "id": credential.id},
        "object": about if event.object_type else None,
        "source": event.origin.source,
        "operation": event.origin.operation,
        "requestId": event.origin.request_id,
        "details": dict(event.details),
        "epoch": event.epoch,
        "count": row.count,
    }
