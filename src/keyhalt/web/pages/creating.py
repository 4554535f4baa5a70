"""Create a key, and see its value: once, on a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.refusals import Refused
from keyhalt.usecases.hand_over import WAITS
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.words import power_words

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.hand_over import HandOver
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.cookies import Jar


@dataclass(frozen=True, slots=True)
class CreatingPages:
    issue: IssueKey
    look_up: LookUp
    hand_over: HandOver
    profile: Profile
    trees: Trees
    jar: Jar

    def rows(self) -> list[Row]:
        return [
            Row("GET", "/keys/new", self.ask),
            Row("POST", "/keys/new", self.create),
            Row("GET", "/keys/{key}/value", self.value),
        ]

    def ask(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.profile.needs.manage_keys)
        return no or self._form(ask)

    def create(self, ask: Ask) -> Answer:
        issued = self.issue.create(
            ask.principal,
            datasource_id=ask.principal.datasource_id,
            owner_id=ask.principal.user_id,
            name=ask.form.get("name", ""),
            description=ask.form.get("description", "").replace("\r\n", "\n"),
            origin=ask.origin,
        )
        if isinstance(issued, Refused):
            return self._form(ask, issued)
        if isinstance(issued, Denied):
            return issued
        half = self.hand_over.put(ask.principal, issued.row.id, issued.text)
        cookie = self.jar.keep_half(half, int(WAITS.total_seconds()))
        return Moved(f"/keys/{issued.row.id}/value", (cookie,))

    def value(self, ask: Ask) -> Answer:
        """A second look, a reload, the way back: the page says that it was shown."""
        no = permit(ask.principal, self.profile.needs.view_keys)
        row = no or self.look_up.key(ask.principal.datasource_id, ask.ids["key"])
        if isinstance(row, Denied):
            return row
        half = self.jar.half_in(ask.cookies)
        text = self.hand_over.take(ask.principal, row.id, half) if half else None
        gone = (self.jar.end_half(),)
        if text is None:
            return Shown("value_gone.html", {"row": row}, headers=gone)
        return Shown("value.html", {"row": row, "value": text.reveal()}, headers=gone)

    def _form(self, ask: Ask, refused: Refused | None = None) -> Shown:
        values = {
            "name": ask.form.get("name", ""),
            "description": ask.form.get("description", ""),
            "error": refused.detail if refused else "",
            "power": power_words(ask.principal, self.profile, self.trees),
        }
        return Shown("new.html", values, 200 if refused is None else status_of(refused))
