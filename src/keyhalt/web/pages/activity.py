"""Activity: the audit log of the datasource, and why a request was refused, by its id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keyhalt.core.audit import Event
from keyhalt.core.decisions import permit
from keyhalt.usecases.rows import AuditQuery
from keyhalt.web.pages.asking import Row, Shown
from keyhalt.web.pages.finding import PAGE, number_in
from keyhalt.web.pages.troubles import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.read_audit import ReadAudit
    from keyhalt.usecases.rows import AuditRow
    from keyhalt.web.pages.asking import Answer, Ask

_FIELDS = ("request", "event", "outcome", "user", "key", "since", "until")
_LENGTH_MAX = 100
_EVENTS = {event.value for event in Event}
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class ActivityPages:
    read_audit: ReadAudit
    look_up: LookUp
    needs: Needs

    def rows(self) -> list[Row]:
        return [Row("GET", "/activity", self.every)]

    def every(self, ask: Ask) -> Answer:
        """Reading the log is an event of the log. What a filter cannot be is left out of it."""
        no = permit(ask.principal, self.needs.view_audit)
        if no is not None:
            return no
        said = {name: ask.query.get(name, "").strip()[:_LENGTH_MAX] for name in _FIELDS}
        query = self._query(ask, said)
        rows = self.read_audit(ask.principal, query, ask.origin)
        more = rows[-1] if len(rows) == query.limit else None
        values = {
            "said": said,
            "rows": rows,
            "narrowed": any(said.values()),
            "next": _address(said, more) if more else "",
            "first_page": query.before is None,
            "events": [event.value for event in Event],
            "troubles": TROUBLES,
        }
        return Shown("activity.html", values)

    def _query(self, ask: Ask, said: Mapping[str, str]) -> AuditQuery:
        datasource_id = ask.principal.datasource_id
        user_id = None
        if said["user"]:
            user = self.look_up.user(datasource_id, said["user"])
            user_id = user.user_id if user else _NOBODY
        until = _day(said["until"])
        return AuditQuery(
            datasource_id=datasource_id,
            request_id=said["request"] or None,
            event=Event(said["event"]) if said["event"] in _EVENTS else None,
            outcome=said["outcome"] if said["outcome"] in ("done", "denied") else None,
            user_id=user_id,
            key_id=number_in(said["key"].removeprefix("#").partition("…")[0]),
            since=_day(said["since"]),
            until=until + timedelta(days=1) if until else None,
            before=_place(ask.query.get("before", "")),
            limit=PAGE,
        )


def _address(said: Mapping[str, str], last: AuditRow) -> str:
    """Of the page after the one that ends with `last`."""
    wanted = {name: text for name, text in said.items() if text}
    place = f"{last.event.at.astimezone(UTC).isoformat()}_{last.id}"
    return "/activity?" + urlencode({**wanted, "before": place})


def _place(text: str) -> tuple[datetime, str] | None:
    at, _, row = text.rpartition("_")
    moment = _time(at)
    known = row[:1] in ("r", "u") and row[1:].isascii() and row[1:].isdigit() and len(row) < 19
    return (moment, row) if moment and known else None


def _day(text: str) -> datetime | None:
    """The begin of a day such as 2026-11-24, in UTC as every time on these pages."""
    at = _time(text) if len(text) == len("2026-11-24") else None
    # A day that has no next one is none that anything happened on.
    return at if at and at.year < MAXYEAR else None


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
