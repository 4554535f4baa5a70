"""Roles: the list, the matrix of what one grants, the difference before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.permissions import LEVELS, NOTHING, PermissionSet, union
from keyhalt.core.refusals import Refused
from keyhalt.usecases.people import RoleEdit
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.finding import number_in
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.words import receipt_words

if TYPE_CHECKING:
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_roles import ManageRoles
    from keyhalt.usecases.rows import RoleRow
    from keyhalt.web.pages.asking import Answer, Ask

_NOTICES = {"made": "The role is made.", "gone": "The role is deleted.", "same": "No difference."}


@dataclass(frozen=True, slots=True)
class RolePages:
    verbs: ManageRoles
    look_up: LookUpUsers
    profile: Profile

    def rows(self) -> list[Row]:
        return [
            Row("GET", "/roles", self.every),
            Row("GET", "/roles/new", self.ask_new),
            Row("POST", "/roles/new", self.create),
            Row("GET", "/roles/{role}", self.get),
            Row("POST", "/roles/{role}", self.edit),
            Row("POST", "/roles/{role}/hidden", self.set_hidden),
            Row("POST", "/roles/{role}/delete", self.delete),
        ]

    def every(self, ask: Ask) -> Answer:
        no = self._no_look(ask)
        if no is not None:
            return no
        rows = self.look_up.roles(ask.principal.datasource_id, hidden=self._may(ask))
        return Shown(
            "roles.html",
            {"rows": rows, "notice": self._said(ask), **self._who(ask)},
        )

    def ask_new(self, ask: Ask) -> Answer:
        """`from`: a role to begin with what it grants."""
        no = permit(ask.principal, self.profile.needs.manage_roles)
        if no is not None:
            return no
        start, number = NOTHING, number_in(ask.query.get("from", ""))
        if number is not None:
            row = self.look_up.role(ask.principal.datasource_id, number, hidden=True)
            start = NOTHING if isinstance(row, Denied) else row.permissions
        return self._new(ask, start)

    def create(self, ask: Ask) -> Answer:
        wanted = self._ticked(ask)
        made = self.verbs.create(
            ask.principal,
            ask.principal.datasource_id,
            name=ask.form.get("name", ""),
            description=_lines(ask),
            grants=list(self.profile.catalogue.names(wanted)),
            origin=ask.origin,
        )
        if isinstance(made, Refused):
            return self._new(ask, wanted, made)
        return made if isinstance(made, Denied) else Moved(f"/roles/{made.id}?said=made")

    def get(self, ask: Ask) -> Answer:
        row = self._row(ask)
        return row if isinstance(row, Denied) else self._shown(ask, row, notice=self._said(ask))

    def edit(self, ask: Ask) -> Answer:
        """First the difference, then the change: only from what the difference was shown of."""
        row = self._row_to_change(ask)
        if isinstance(row, Denied):
            return row
        wanted = self._ticked(ask)
        name, description = ask.form.get("name", ""), _lines(ask)
        same = (name, description, wanted) == (row.name, row.description, row.permissions)
        if same and "confirmed" not in ask.form:
            return Moved(f"/roles/{row.id}?said=same")
        if ask.form.get("confirmed") != _state(row) and not same:
            return self._difference(row, name, description, wanted, ask)
        edit = RoleEdit(name, description, list(self.profile.catalogue.names(wanted)))
        done = self.verbs.edit(ask.principal, ask.principal.datasource_id, row.id, edit, ask.origin)
        if isinstance(done, Refused):
            return self._shown(ask, row, refused=done, held=wanted)
        if isinstance(done, Denied):
            return done
        words = f"Saved. {receipt_words(done.receipt)}"
        after = self._row(ask)
        return Moved("/keys") if isinstance(after, Denied) else self._shown(ask, after, words)

    def set_hidden(self, ask: Ask) -> Answer:
        row = self._row_to_change(ask)
        if isinstance(row, Denied):
            return row
        edit = RoleEdit(hidden=ask.form.get("hidden") == "yes")
        done = self.verbs.edit(ask.principal, ask.principal.datasource_id, row.id, edit, ask.origin)
        if isinstance(done, Refused):
            return self._shown(ask, row, refused=done)
        return done if isinstance(done, Denied) else Moved(f"/roles/{row.id}")

    def delete(self, ask: Ask) -> Answer:
        row = self._row_to_change(ask)
        if isinstance(row, Denied):
            return row
        done = self.verbs.delete(ask.principal, ask.principal.datasource_id, row.id, ask.origin)
        if isinstance(done, Refused):
            return self._shown(ask, row, refused=done)
        return done if isinstance(done, Denied) else Moved("/roles?said=gone")

    def _difference(
        self, row: RoleRow, name: str, description: str, wanted: PermissionSet, ask: Ask
    ) -> Shown:
        names = self.profile.catalogue.names
        values = {
            "row": row,
            "name": name,
            "description": description,
            "given": list(names(PermissionSet(wanted & ~row.permissions))),
            "taken": list(names(PermissionSet(row.permissions & ~wanted))),
            "grants": " ".join(names(wanted)),
            "state": _state(row),
            "moved_on": "confirmed" in ask.form,
        }
        return Shown("role_difference.html", values)

    def _shown(
        self,
        ask: Ask,
        row: RoleRow,
        notice: str = "",
        *,
        refused: Refused | None = None,
        held: PermissionSet | None = None,
    ) -> Shown:
        values = {
            "row": row,
            "notice": notice,
            "error": refused.detail if refused else "",
            "name": ask.form.get("name", row.name) if refused else row.name,
            "description": _lines(ask) if held is not None else row.description,
            "areas": self._areas(row.permissions if held is None else held),
            **self._who(ask),
        }
        return Shown("role.html", values, 200 if refused is None else status_of(refused))

    def _new(self, ask: Ask, held: PermissionSet, refused: Refused | None = None) -> Shown:
        values = {
            "error": refused.detail if refused else "",
            "name": ask.form.get("name", ""),
            "description": _lines(ask),
            "areas": self._areas(held),
        }
        return Shown("role_new.html", values, 200 if refused is None else status_of(refused))

    def _areas(self, held: PermissionSet) -> list[tuple[str, list[tuple[str, list[object]]]]]:
        """By area, each permission's title, and of its levels name, word and whether it is held."""
        catalogue = self.profile.catalogue
        entries = sorted(
            (entry for entry in catalogue.permissions if not entry.licence),
            key=lambda entry: entry.category,
        )
        return [
            (
                area,
                [
                    (
                        entry.title,
                        [
                            (f"{entry.name}.{level}", level, has)
                            for level, has in sorted(
                                catalogue.levels(entry, held).items(),
                                key=lambda each: LEVELS.index(each[0]),
                            )
                        ],
                    )
                    for entry in some
                ],
            )
            for area, some in groupby(entries, key=lambda entry: entry.category)
        ]

    def _ticked(self, ask: Ask) -> PermissionSet:
        """What the boxes say, or the confirmed difference; names that there are not, are not."""
        said = {*ask.form, *ask.form.get("grants", "").split()}
        catalogue = self.profile.catalogue
        every = catalogue.names(catalogue.grants("*"))
        return union(*(catalogue.grants(name) for name in every if name in said))

    def _row(self, ask: Ask) -> RoleRow | Denied:
        no = self._no_look(ask)
        where = ask.principal.datasource_id, ask.ids["role"]
        return no or self.look_up.role(*where, hidden=self._may(ask))

    def _row_to_change(self, ask: Ask) -> RoleRow | Denied:
        return permit(ask.principal, self.profile.needs.manage_roles) or self._row(ask)

    def _no_look(self, ask: Ask) -> Denied | None:
        """Who may view users sees roles too, as on the API."""
        needs = self.profile.needs
        no = permit(ask.principal, needs.manage_roles)
        return no and (no if permit(ask.principal, needs.view_users) else None)

    def _may(self, ask: Ask) -> bool:
        return permit(ask.principal, self.profile.needs.manage_roles) is None

    def _who(self, ask: Ask) -> dict[str, object]:
        needs = self.profile.needs
        return {
            "may": self._may(ask),
            "need": needs.manage_roles,
            "sees_users": permit(ask.principal, needs.view_users) is None,
        }

    def _said(self, ask: Ask) -> str:
        return _NOTICES.get(ask.query.get("said", ""), "")


def _state(row: RoleRow) -> str:
    """Which version of a role a difference was shown of."""
    return f"{row.permissions:x}"


def _lines(ask: Ask) -> str:
    return ask.form.get("description", "").replace("\r\n", "\n")
