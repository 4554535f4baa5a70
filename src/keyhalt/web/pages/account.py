"""My account: how I am called, my password, my sessions, my keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.refusals import Refused
from keyhalt.usecases.rows import KeySearch
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.words import power_words

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.edit_me import EditMe
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.sessions import WebSessions
    from keyhalt.web.pages.asking import Answer, Ask

_KEYS = 20
_NOTICES = {"saved": "Saved.", "ended": "The session is ended, in effect everywhere."}


@dataclass(frozen=True, slots=True)
class AccountPages:
    edit_me: EditMe
    look_up: LookUp
    sessions: WebSessions
    profile: Profile
    trees: Trees

    def rows(self) -> list[Row]:
        return [
            Row("GET", "/me", self.get),
            Row("POST", "/me", self.edit),
            Row("POST", "/me/sessions/{session}/end", self.end),
        ]

    def get(self, ask: Ask) -> Answer:
        return self._shown(ask, notice=_NOTICES.get(ask.query.get("said", ""), ""))

    def edit(self, ask: Ask) -> Answer:
        said = {name: ask.form.get(name, "") for name in ("full_name", "email")}
        done = self.edit_me(ask.principal, said=said, preference=None, origin=ask.origin)
        if isinstance(done, Refused):
            return self._shown(ask, done)
        return done if isinstance(done, Denied) else Moved("/me?said=saved")

    def end(self, ask: Ask) -> Answer:
        no = self.sessions.end(ask.principal, ask.ids["session"], ask.origin)
        return no or Moved("/me?said=ended")

    def _shown(self, ask: Ask, refused: Refused | None = None, *, notice: str = "") -> Shown:
        me = ask.principal
        mine: tuple[object, int] | None = None
        if permit(me, self.profile.needs.view_keys) is None:
            search = KeySearch(owner_id=me.user_id, take=_KEYS)
            mine = self.look_up.key_page(me.datasource_id, search)
        values = {
            "full_name": ask.form.get("full_name", me.full_name),
            "email": ask.form.get("email", me.email),
            "notice": notice,
            "error": refused.detail if refused else "",
            "sessions": self.sessions.of(me),
            "mine": mine,
            "power": power_words(me, self.profile, self.trees),
        }
        return Shown("me.html", values, 200 if refused is None else status_of(refused))
