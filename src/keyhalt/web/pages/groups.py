"""Groups of users: the list, one of them with its members, making, editing, deleting one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.paging import Page
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.people import MemberChange
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.finding import PAGE, number_in, page_number
from keyhalt.web.pages.render import status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_groups import ManageGroups
    from keyhalt.usecases.people import GroupRow
    from keyhalt.web.pages.asking import Answer, Ask

_NOTICES = {"saved": "Saved.", "made": "Made.", "deleted": "Deleted. Its members stay users."}
_MEMBER = "member-"


@dataclass(frozen=True, slots=True)
class GroupPages:
    verbs: ManageGroups
    look_up: LookUp
    look_up_users: LookUpUsers
    needs: Needs

    def rows(self) -> list[Row]:
        one = "/groups/{group}"
        return [
            Row("GET", "/groups", self.every),
            Row("POST", "/groups", self.create),
            Row("GET", one, self.get),
            Row("POST", one, self.edit),
            Row("POST", f"{one}/delete", self.delete),
        ]

    def every(self, ask: Ask) -> Answer:
        return permit(ask.principal, self.needs.view_users) or self._every(ask)

    def create(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.needs.manage_users)
        if no is not None:
            return no
        made = self.verbs.create(
            ask.principal,
            ask.principal.datasource_id,
            name=ask.form.get("name", ""),
            description=ask.form.get("description", ""),
            members=(),
            origin=ask.origin,
        )
        if isinstance(made, Refused):
            return self._every(ask, made)
        return made if isinstance(made, Denied) else Moved(f"/groups/{made.id}?said=made")

    def get(self, ask: Ask) -> Answer:
        row = self._row(ask)
        return row if isinstance(row, Denied) else self._shown(ask, row)

    def edit(self, ask: Ask) -> Answer:
        """The name, the description, whom to add by their codes, and which shown ones to remove."""
        no = permit(ask.principal, self.needs.manage_users)
        row = no or self._row(ask)
        if isinstance(row, Denied):
            return row
        added = self._named(ask)
        if isinstance(added, Refused):
            return self._shown(ask, row, added)
        leaving = [number_in(name.removeprefix(_MEMBER)) for name in ask.form if _MEMBER in name]
        done = self.verbs.edit(
            ask.principal,
            ask.principal.datasource_id,
            row.id,
            name=ask.form.get("name", ""),
            description=ask.form.get("description", ""),
            members=MemberChange(added, [each for each in leaving if each is not None]),
            origin=ask.origin,
        )
        if isinstance(done, Refused):
            return self._shown(ask, row, done)
        return done if isinstance(done, Denied) else Moved(f"/groups/{row.id}?said=saved")

    def delete(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.needs.manage_users)
        done = no or self.verbs.delete(
            ask.principal, ask.principal.datasource_id, ask.ids["group"], ask.origin
        )
        return done if isinstance(done, Denied) else Moved("/groups?said=deleted")

    def _named(self, ask: Ask) -> Sequence[int] | Refused:
        """The ids of the users whose codes were typed."""
        found = []
        for code in ask.form.get("add", "").replace(",", " ").split():
            user = self.look_up.user(ask.principal.datasource_id, code)
            if user is None:
                return Refused(Fault.INVALID_BODY, f"There is no user {code!r}.", "add")
            found.append(user.user_id)
        return found

    def _row(self, ask: Ask) -> GroupRow | Denied:
        no = permit(ask.principal, self.needs.view_users)
        return no or self.look_up_users.group(ask.principal.datasource_id, ask.ids["group"])

    def _may(self, ask: Ask) -> bool:
        return permit(ask.principal, self.needs.manage_users) is None

    def _every(self, ask: Ask, refused: Refused | None = None) -> Shown:
        page = page_number(ask.query)
        found = self.look_up_users.groups(ask.principal.datasource_id, page=Page(page, PAGE))
        assert not isinstance(found, Refused)  # noqa: S101 - nothing was filtered
        rows, count = found
        values = {
            "rows": rows,
            "found": count,
            "page": page,
            "more": page * PAGE < count,
            "notice": _NOTICES.get(ask.query.get("said", ""), ""),
            "error": refused.detail if refused else "",
            "form": {"name": ask.form.get("name", ""), "about": ask.form.get("description", "")},
            "may": self._may(ask),
            "need": self.needs.manage_users,
        }
        return Shown("groups.html", values, 200 if refused is None else status_of(refused))

    def _shown(self, ask: Ask, row: GroupRow, refused: Refused | None = None) -> Shown:
        page = page_number(ask.query)
        text = f"userGroupID equals '{row.id}'"
        found = self.look_up_users.users(
            ask.principal.datasource_id, filter_text=text, page=Page(page, PAGE), order="fullName"
        )
        assert not isinstance(found, Refused)  # noqa: S101 - the text is ours
        members, count = found
        values = {
            "row": row,
            "members": members,
            "found": count,
            "page": page,
            "more": page * PAGE < count,
            "notice": _NOTICES.get(ask.query.get("said", ""), ""),
            "error": refused.detail if refused else "",
            "form": {
                "name": ask.form.get("name", row.name),
                "about": ask.form.get("description", row.description),
                "add": ask.form.get("add", ""),
            },
            "may": self._may(ask),
            "need": self.needs.manage_users,
        }
        return Shown("group.html", values, 200 if refused is None else status_of(refused))
