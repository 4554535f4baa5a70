"""Create a key, and see its value: once, on a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Denied, Reason, permit
from keyhalt.core.principals import Principal
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.hand_over import WAITS
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.finding import number_in
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.words import power_words

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.hand_over import HandOver
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.making_keys import Issued
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.usecases.sessions import WebSessions
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.cookies import Jar


@dataclass(frozen=True, slots=True)
class CreatingPages:
    issue: IssueKey
    look_up: LookUp
    look_up_users: LookUpUsers
    hand_over: HandOver
    sessions: WebSessions
    profile: Profile
    trees: Trees
    jar: Jar

    def rows(self) -> list[Row]:
        return [
            Row("GET", "/keys/new", self.ask),
            Row("POST", "/keys/new", self.create, hashes=True),
            Row("GET", "/users/{user}/keys/new", self.ask),
            Row("POST", "/users/{user}/keys/new", self.create, hashes=True),
            Row("GET", "/keys/{key}/value", self.value),
        ]

    def ask(self, ask: Ask) -> Answer:
        owner = self._owner(ask)
        return owner if isinstance(owner, Denied) else self._form(ask, owner)

    def create(self, ask: Ask) -> Answer:
        """What a sign-in of a while ago left open on a desk makes no key: the password is asked."""
        owner = self._owner(ask)
        if isinstance(owner, Denied):
            return owner
        if not ask.fresh:
            password = Secret(ask.form.get("password", ""))
            no = self.sessions.confirm(ask.principal, password, ask.origin)
            if no is not None:
                return self._form(ask, owner, TABLE[no.reason].detail, status_of(no))
        issued = self.issue.create(
            ask.principal,
            datasource_id=ask.principal.datasource_id,
            owner_id=owner.user_id,
            name=ask.form.get("name", ""),
            description=ask.form.get("description", "").replace("\r\n", "\n"),
            origin=ask.origin,
        )
        if isinstance(issued, Refused):
            return self._form(ask, owner, issued.detail, status_of(issued))
        return issued if isinstance(issued, Denied) else self.handed_over(ask, issued)

    def handed_over(self, ask: Ask, issued: Issued) -> Moved:
        """To the page that shows the value, once."""
        half = self.hand_over.put(ask.principal, issued.row.id, issued.text)
        cookie = self.jar.keep_half(half, int(WAITS.total_seconds()))
        return Moved(f"/keys/{issued.row.id}/value", (cookie,))

    def value(self, ask: Ask) -> Answer:
        """A second look, a reload, the way back: the page says that it was shown."""
        half = self.jar.half_in(ask.cookies)
        text = self.hand_over.take(ask.principal, ask.ids["key"], half) if half else None
        # Who made the key for a service account may see its value, also without seeing keys.
        no = permit(ask.principal, self.profile.needs.view_keys) if text is None else None
        row = no or self.look_up.key(ask.principal.datasource_id, ask.ids["key"])
        if isinstance(row, Denied):
            return row
        gone = (self.jar.end_half(),)
        if text is None:
            return Shown("value_gone.html", {"row": row}, headers=gone)
        return Shown("value.html", {"row": row, "value": text.reveal()}, headers=gone)

    def _owner(self, ask: Ask) -> Principal | Denied:
        """Who signed in; or the service account of the address, for who manages users too."""
        me, needs = ask.principal, self.profile.needs
        no = permit(me, needs.manage_keys)
        if no is not None or "user" not in ask.ids:
            return no or me
        no = permit(me, needs.manage_users)
        row = no or self.look_up_users.user(me.datasource_id, ask.ids["user"])
        if isinstance(row, Denied):
            return row
        if not row.facts.service:
            return Denied(Reason.NOT_FOUND)
        return Principal(me.environment, row.facts, me.credential)

    def _beside(self, ask: Ask, owner: Principal) -> KeyRow | None:
        """The key that the new one is to take the place of."""
        number = number_in(ask.query.get("beside", ""))
        if number is None or permit(ask.principal, self.profile.needs.view_keys):
            return None
        row = self.look_up.key(owner.datasource_id, number)
        return None if isinstance(row, Denied) else row

    def _form(self, ask: Ask, owner: Principal, error: str = "", status: int = 200) -> Shown:
        yours = owner.user_id == ask.principal.user_id
        old = self._beside(ask, owner)
        values = {
            "action": "/keys/new" if yours else f"/users/{owner.user_id}/keys/new",
            "fresh": ask.fresh,
            "yours": yours,
            "name": ask.form.get("name", old.name if old else ""),
            "description": ask.form.get("description", old.description if old else ""),
            "error": error,
            "power": power_words(owner, self.profile, self.trees, you=yours),
        }
        return Shown("new.html", values, status)
