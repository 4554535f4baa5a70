"""From a template and its values to the bytes of a page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Denied, Reason, permit
from keyhalt.core.refusals import Refused
from keyhalt.web.pages.asking import Shown

if TYPE_CHECKING:
    from keyhalt.client.problems import Header
    from keyhalt.core.principals import Principal
    from keyhalt.core.profiles import Needs

FOLDER = Path(__file__).parent
_HTML: Header = (b"content-type", b"text/html; charset=utf-8")


class Templates:
    """A name that a template uses and nobody gave is an error, and every value is escaped."""

    def __init__(self, environment: str, needs: Needs) -> None:
        self._needs = needs
        self._jinja = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.globals["environment"] = environment
        self._jinja.filters["moment"] = moment
        self._jinja.filters["day"] = day

    def page(self, shown: Shown, principal: Principal | None) -> tuple[bytes, list[Header]]:
        template = self._jinja.get_template(shown.template)
        ways = self._ways(principal) if principal else []
        values = {"principal": principal, "ways": ways, **shown.values}
        body = template.render(values).encode()
        length = (b"content-length", str(len(body)).encode())
        return body, [_HTML, length, *shown.headers]

    def _ways(self, principal: Principal) -> list[tuple[str, str]]:
        """Where who is signed in can go: no link leads to a page that says no."""
        needs = self._needs
        manages = permit(principal, needs.manage_roles) is None
        sees = permit(principal, needs.view_users) is None
        keys = ("/keys", "API Keys and Webhooks")
        return [
            keys,
            *([("/users", "Users")] if sees else []),
            *([("/roles", "Roles")] if sees or manages else []),
            *([("/activity", "Activity")] if permit(principal, needs.view_audit) is None else []),
        ]


def moment(at: datetime) -> str:
    """As `24 Nov 2026, 09:12 UTC`."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def day(at: date) -> str:
    """As `24 Nov 2026`; of a time, in UTC."""
    if isinstance(at, datetime):
        at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y}"


def problem_page(no: Denied | Refused, request_id: str) -> Shown:
    """The page of a denial or refusal, in the words of docs/problems.md."""
    reason = no.reason if isinstance(no, Denied) else no.fault
    kind = TABLE[reason]
    detail = kind.detail.format(need=no.need) if isinstance(no, Denied) else no.detail
    if reason is Reason.PERMISSION_DENIED and isinstance(no, Denied):
        detail = f"You lack the permission {no.need}. Ask somebody who manages users to give it."
    values = {"title": kind.title, "detail": detail, "request_id": request_id}
    return Shown("problem.html", values, status_of(no))


def status_of(no: Denied | Refused) -> int:
    """A 401 would have to challenge (RFC 9110 15.5.2), and a browser takes none from a page."""
    status = TABLE[no.reason if isinstance(no, Denied) else no.fault].status
    return 403 if status == 401 else status
