"""Narrow a key: first what it would be and would have refused, then make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Denied, permit
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.narrow import Wish
from keyhalt.web.pages.asking import Row, Shown
from keyhalt.web.pages.render import status_of

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.narrow import Narrowing, NarrowKey
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.web.pages.asking import Answer, Ask
    from keyhalt.web.pages.creating import CreatingPages

_PERMISSION = "p:"


@dataclass(frozen=True, slots=True)
class NarrowingPages:
    narrow: NarrowKey
    look_up: LookUp
    creating: CreatingPages
    needs: Needs

    def rows(self) -> list[Row]:
        path = "/keys/{key}/narrow"
        return [Row("GET", path, self.ask), Row("POST", path, self.make, hashes=True)]

    def ask(self, ask: Ask) -> Answer:
        row = self._row(ask)
        return row if isinstance(row, Denied) else self._form(ask, row, Wish())

    def make(self, ask: Ask) -> Answer:
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        chosen = [name[len(_PERMISSION) :] for name in ask.form if name.startswith(_PERMISSION)]
        wish = Wish(permissions=chosen, user_code=ask.form.get("code", "").strip() or None)
        if not ask.form.get("make"):
            return self._form(ask, row, wish)
        if not ask.fresh:
            password = Secret(ask.form.get("password", ""))
            no = self.creating.sessions.confirm(ask.principal, password, ask.origin)
            if no is not None:
                return self._form(ask, row, wish, TABLE[no.reason].detail, status_of(no))
        made = self.narrow.make(
            ask.principal,
            datasource_id=row.datasource_id,
            key_id=row.id,
            wish=wish,
            origin=ask.origin,
        )
        if isinstance(made, Refused):
            return self._form(ask, row, wish, made.detail, status_of(made))
        return made if isinstance(made, Denied) else self.creating.handed_over(ask, made.issued)

    def _row(self, ask: Ask) -> KeyRow | Denied:
        """Who may not make all of it sees nothing to press."""
        needs = (self.needs.manage_keys, self.needs.manage_roles, self.needs.manage_users)
        no = next((no for need in needs if (no := permit(ask.principal, need))), None)
        return no or self.look_up.key(ask.principal.datasource_id, ask.ids["key"])

    def _form(
        self, ask: Ask, row: KeyRow, wish: Wish, error: str = "", status: int = 200
    ) -> Answer:
        plan = self.narrow.plan(row.datasource_id, row.id, wish)
        if isinstance(plan, Refused) and wish.permissions is not None:
            error = error or plan.detail
            plan = self.narrow.plan(row.datasource_id, row.id, Wish(days=wish.days))
        if isinstance(plan, Denied):
            return plan
        values = {
            "row": row,
            "plan": None if isinstance(plan, Refused) else plan,
            "error": plan.detail if isinstance(plan, Refused) else error,
            "choices": [] if isinstance(plan, Refused) else _choices(plan),
            "code": wish.user_code or f"key-{row.id}",
            "fresh": ask.fresh,
        }
        return Shown("narrow.html", values, status)


def _choices(plan: Narrowing) -> list[tuple[str, bool, str]]:
    """Each permission that may be chosen: whether it is, and why it is not."""
    missing = [
        (each.permission, False, f"last used on {each.last_day.isoformat()}")
        for each in plan.missing
        if each.held
    ]
    return [*((name, True, "") for name in plan.permissions), *missing]
