"""Reading the audit log, which is itself an event of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from keyhalt.core.principals import Acting
    from keyhalt.usecases.ports import AuditReader, Clock, Recorder
    from keyhalt.usecases.rows import AuditQuery, AuditRow

PAGE_MAX = 1000


class ReadAudit:
    """Whether the caller may was decided before. May raise StoreUnavailableError."""

    def __init__(self, *, audit: AuditReader, recorder: Recorder, clock: Clock) -> None:
        self._audit = audit
        self._recorder = recorder
        self._clock = clock

    def __call__(self, acting: Acting, query: AuditQuery, origin: Origin) -> Sequence[AuditRow]:
        """Newest first. The reading stands in the log within a second."""
        rows = self._audit.page(query)
        self._log(acting, origin, query.datasource_id, {**_asked(query), "rows": len(rows)})
        return rows

    def since(self, acting: Acting, at: datetime | None, origin: Origin) -> Iterator[AuditRow]:
        """Every event of the environment from `at` on, oldest first; None for all there are."""
        self._log(acting, origin, None, {"since": at and at.isoformat(), "export": True})
        return self._audit.since(at)

    def _log(
        self,
        acting: Acting,
        origin: Origin,
        datasource_id: int | None,
        details: Mapping[str, object],
    ) -> None:
        self._recorder.record(
            AuditEvent(
                event=Event.AUDIT_READ,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=datasource_id,
                details=details,
            )
        )


def _asked(query: AuditQuery) -> dict[str, object]:
    """What was said of the query, as plain values. A request id may be anything: not its text."""
    said = {
        "event": query.event and query.event.value,
        "outcome": query.outcome,
        "user_id": query.user_id,
        "key_id": query.key_id,
        "request_id": None if query.request_id is None else "given",
        "since": query.since and query.since.isoformat(),
        "until": query.until and query.until.isoformat(),
    }
    return {name: value for name, value in said.items() if value is not None}
