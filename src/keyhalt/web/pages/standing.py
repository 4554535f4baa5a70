"""What ends and revives a user: deactivation, activation, another password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.paging import Page
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.people import UserEdit, UserQuery
from keyhalt.usecases.rows import KeySearch
from keyhalt.web.pages.asking import Row, Shown
from keyhalt.web.pages.words import count_words, receipt_words

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.people import UserRow
    from keyhalt.usecases.reset_password import ResetPassword
    from keyhalt.usecases.revoke import DeleteKey
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.users import UserPages
    from keyhalt.web.pages.uses import Uses

_SHOWN = 10
_COUNTED = 100


@dataclass(frozen=True, slots=True)
class StandingPages:
    users: UserPages
    look_up: LookUp
    look_up_users: LookUpUsers
    reset_password: ResetPassword
    delete_key: DeleteKey
    needs: Needs
    uses: Uses

    def rows(self) -> list[Row]:
        one = "/users/{user}"
        return [
            Row("GET", f"{one}/deactivate", self.ask_deactivate),
            Row("POST", f"{one}/deactivate", self.deactivate),
            Row("POST", f"{one}/activate", self.activate),
            Row("POST", f"{one}/password", self.reset, hashes=True),
            Row("POST", f"{one}/end-keys", self.end_keys),
        ]

    def ask_deactivate(self, ask: Ask) -> Answer:
        """What it will stop, and who could own the keys that are needed further."""
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        user = row.facts
        search = KeySearch(owner_id=user.user_id, take=_COUNTED)
        keys, count = self.look_up.key_page(user.datasource_id, search)
        uses = self.uses.of(user.datasource_id, [key.id for key in keys]) or {}
        last = [shown.use.last for shown in uses.values() if shown.use.last]
        alike = UserQuery(role_id=user.role_id, active=True, page=Page(1, 6))
        others, _ = self.look_up_users.found(user.datasource_id, alike)
        values = {
            "row": row,
            "count": count_words(count, "key", "keys"),
            "newest": f"of the newest {_COUNTED} " if count > _COUNTED else "",
            "last": max(last, key=lambda each: each.at) if last else None,
            "uses": uses,
            "keys": keys[:_SHOWN] if permit(ask.principal, self.needs.view_keys) is None else [],
            "others": [each for each in others if each.facts.user_id != user.user_id],
        }
        return Shown("deactivate.html", values)

    def deactivate(self, ask: Ask) -> Answer:
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        return self.users.changed(ask, row, UserEdit(active=False), "Deactivated.")

    def activate(self, ask: Ask) -> Answer:
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        return self.users.changed(ask, row, UserEdit(active=True), "Activated.")

    def reset(self, ask: Ask) -> Answer:
        """It is good for choosing another one only."""
        no = permit(ask.principal, self.needs.reset_passwords)
        where = ask.principal.datasource_id, ask.ids["user"]
        row = no or self.look_up_users.user(*where)
        if isinstance(row, Denied):
            return row
        done = self.reset_password(
            ask.principal,
            datasource_id=where[0],
            user_id=where[1],
            password=Secret(ask.form.get("password", "")),
            must_change=True,
            origin=ask.origin,
        )
        if isinstance(done, Denied):
            return done
        if isinstance(done, Refused):
            return self.users.shown(ask, row, refused=done)
        said = "The password is set; with it another one has to be chosen. Sessions ended."
        return self.users.shown(
            ask,
            row,
            notice=f"{said} {receipt_words(done.receipt)}",
            made_since=(done.keys, done.since) if done.keys else None,
        )

    def end_keys(self, ask: Ask) -> Answer:
        """All that the user has or made since a time: somebody else may have known the password."""
        no = permit(ask.principal, self.needs.manage_keys)
        where = ask.principal.datasource_id, ask.ids["user"]
        row = no or self.look_up_users.user(*where)
        if isinstance(row, Denied):
            return row
        since = _moment(ask.form.get("since", ""))
        if since is None:
            refused = Refused(Fault.INVALID_BODY, "This is no time; set the password again.")
            return self.users.shown(ask, row, refused=refused)
        ended = self.delete_key.made_since(
            ask.principal,
            datasource_id=where[0],
            user_id=where[1],
            since=since,
            origin=ask.origin,
        )
        if isinstance(ended, Denied):
            return ended
        said = f"{count_words(len(ended.keys), 'key', 'keys')} ended for ever."
        words = receipt_words(ended.receipt) if ended.receipt else ""
        return self.users.shown(ask, row, notice=f"{said} {words}".strip())

    def _row(self, ask: Ask) -> UserRow | Denied:
        no = permit(ask.principal, self.needs.manage_users)
        return no or self.look_up_users.user(ask.principal.datasource_id, ask.ids["user"])


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
