"""Users: the list, one of them, making one, editing one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keyhalt.core.decisions import Denied, permit
from keyhalt.core.paging import Page
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.people import UserDraft, UserEdit, UserQuery
from keyhalt.web.pages.asking import Moved, Row, Shown
from keyhalt.web.pages.finding import PAGE, TEXT_MAX, number_in, page_number
from keyhalt.web.pages.render import status_of
from keyhalt.web.pages.words import receipt_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keyhalt.client.trees import Trees
    from keyhalt.core.principals import UserFacts
    from keyhalt.core.profiles import Hierarchy, Profile
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_users import ManageUsers
    from keyhalt.usecases.people import UserRow
    from keyhalt.usecases.rows import RoleRow
    from keyhalt.web.pages.asking import Answer, Ask

_ADD = "add-"
_OFFERED = 100
_STATES = {"active": True, "inactive": False}
_DETAILS = ("code", "full_name", "email")
_NOTICES = {"made": "The user is made.", "same": "Nothing was changed."}


@dataclass(frozen=True, slots=True)
class UserSearch:
    """What is looked for, as the address of the list has it."""

    text: str
    role: str
    state: str
    page: int

    def address(self, **changes: object) -> str:
        values = {"q": self.text, "role": self.role, "state": self.state, "page": self.page}
        return "/users?" + urlencode({k: v for k, v in (values | changes).items() if v})

    @property
    def asked(self) -> UserQuery:
        return UserQuery(
            page=Page(self.page, PAGE),
            order="fullName",
            text=self.text,
            role_id=number_in(self.role),
            active=_STATES.get(self.state),
        )


@dataclass(frozen=True, slots=True)
class Tops:
    """Of a hierarchy its name, its field, where a user sees from, and what can be added by name."""

    name: str
    field: str
    now: list[str]
    offered: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class UserPages:
    verbs: ManageUsers
    look_up: LookUpUsers
    profile: Profile
    trees: Trees

    def rows(self) -> list[Row]:
        return [
            Row("GET", "/users", self.every),
            Row("GET", "/users/new", self.ask_new),
            Row("POST", "/users/new", self.create, hashes=True),
            Row("GET", "/users/{user}", self.get),
            Row("POST", "/users/{user}", self.edit),
        ]

    def every(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.profile.needs.view_users)
        if no is not None:
            return no
        search = UserSearch(
            text=ask.query.get("q", "").strip()[:TEXT_MAX],
            role=str(number_in(ask.query.get("role", "")) or ""),
            state=ask.query.get("state", "") if ask.query.get("state") in _STATES else "",
            page=page_number(ask.query),
        )
        rows, found = self.look_up.found(ask.principal.datasource_id, search.asked)
        first = (search.page - 1) * PAGE
        values = {
            "search": search,
            "rows": rows,
            "found": found,
            "first": first,
            "more": first + len(rows) < found,
            "roles": self._roles(ask),
            "may": self._may(ask),
            "need": self.profile.needs.manage_users,
        }
        return Shown("users.html", values)

    def ask_new(self, ask: Ask) -> Answer:
        return permit(ask.principal, self.profile.needs.manage_users) or self._new(ask)

    def create(self, ask: Ask) -> Answer:
        no = permit(ask.principal, self.profile.needs.manage_users)
        topmosts = no or self._topmosts(ask.form)
        service = "service" in ask.form
        password = ask.form.get("password", "")
        if isinstance(topmosts, Denied):
            return topmosts
        if isinstance(topmosts, Refused):
            return self._new(ask, topmosts)
        for name, value in (("password", password), ("email address", ask.form.get("email"))):
            if not (service or value):
                detail = f"A person needs {'an' if name[0] == 'e' else 'a'} {name}."
                return self._new(ask, Refused(Fault.INVALID_BODY, detail, name))
        draft = UserDraft(
            code=ask.form.get("code", ""),
            full_name=ask.form.get("full_name", ""),
            email=ask.form.get("email", ""),
            role=number_in(ask.form.get("role", "")) or 0,
            password=Secret(password) if password else None,
            topmosts=topmosts,
            service=service,
            more={} if service else {"force_password_change": True},
        )
        made = self.verbs.create(ask.principal, ask.principal.datasource_id, draft, ask.origin)
        if isinstance(made, Refused):
            return self._new(ask, made)
        return made if isinstance(made, Denied) else Moved(f"/users/{made.user_id}?said=made")

    def get(self, ask: Ask) -> Answer:
        row = self._row(ask)
        if isinstance(row, Denied):
            return row
        return self.shown(ask, row, notice=_NOTICES.get(ask.query.get("said", ""), ""))

    def edit(self, ask: Ask) -> Answer:
        """Loading the answer again changes nothing more, and says the same."""
        no = permit(ask.principal, self.profile.needs.manage_users)
        row = no or self.look_up.user(ask.principal.datasource_id, ask.ids["user"])
        topmosts = self._topmosts(ask.form)
        if isinstance(row, Denied):
            return row
        if isinstance(topmosts, Refused):
            return self.shown(ask, row, refused=topmosts)
        edit = UserEdit(
            role=number_in(ask.form.get("role", "")),
            topmosts=topmosts,
            details={name: ask.form[name] for name in _DETAILS if name in ask.form},
        )
        return self.changed(ask, row, edit, "Saved.")

    def changed(self, ask: Ask, row: UserRow, edit: UserEdit, said: str) -> Answer:
        """Make a change, and show the user after it, with how it took effect."""
        where = ask.principal.datasource_id, row.facts.user_id
        done = self.verbs.edit(ask.principal, *where, edit, ask.origin)
        if isinstance(done, Denied):
            return done
        if isinstance(done, Refused):
            return self.shown(ask, row, refused=done)
        after = self._row(ask)
        if isinstance(after, Denied):
            return Moved("/keys")  # they took the view of users from themselves
        return self.shown(ask, after, notice=f"{said} {receipt_words(done.receipt)}", typed=False)

    def shown(
        self,
        ask: Ask,
        row: UserRow,
        *,
        notice: str = "",
        refused: Refused | None = None,
        typed: bool = True,
        made_since: tuple[int, datetime] | None = None,
    ) -> Shown:
        """`typed`: what a form brought stands in it again. `made_since`: how many keys."""
        form = ask.form if typed and "code" in ask.form else {}
        user = row.facts
        values = {
            "row": row,
            "form": {**_typed(user, self.profile.hierarchies), **form},
            "notice": notice,
            "error": refused.detail if refused else "",
            "roles": self._roles(ask, user),
            "tops": self._tops(ask, user),
            "may": self._may(ask),
            "may_reset": permit(ask.principal, self.profile.needs.reset_passwords) is None,
            "own": user.user_id == ask.principal.user_id,
            "need": self.profile.needs.manage_users,
            "made_since": made_since,
            "may_end_keys": permit(ask.principal, self.profile.needs.manage_keys) is None,
        }
        return Shown("user.html", values, 200 if refused is None else status_of(refused))

    def _new(self, ask: Ask, refused: Refused | None = None) -> Shown:
        empty = dict.fromkeys([*_DETAILS, "role"], "")
        tops = {top_name(hierarchy): "" for hierarchy in self.profile.hierarchies}
        values = {
            "form": {**empty, **tops, **ask.form, "password": ""},
            "service": "service" in ask.form,
            "error": refused.detail if refused else "",
            "roles": self._roles(ask),
            "tops": self._tops(ask),
        }
        return Shown("user_new.html", values, 200 if refused is None else status_of(refused))

    def _row(self, ask: Ask) -> UserRow | Denied:
        no = permit(ask.principal, self.profile.needs.view_users)
        return no or self.look_up.user(ask.principal.datasource_id, ask.ids["user"])

    def _may(self, ask: Ask) -> bool:
        return permit(ask.principal, self.profile.needs.manage_users) is None

    def _roles(self, ask: Ask, user: UserFacts | None = None) -> Sequence[RoleRow]:
        """Those that who asks may give; a hidden one is kept by who has it."""
        sees = permit(ask.principal, self.profile.needs.manage_roles) is None
        rows = self.look_up.roles(ask.principal.datasource_id, hidden=True)
        return [r for r in rows if sees or not r.hidden or (user and r.id == user.role_id)]

    def _topmosts(self, form: Mapping[str, str]) -> dict[str, tuple[int, ...]] | Refused:
        """Of each hierarchy that the form has. Ids, between commas or spaces."""
        topmosts = {}
        for hierarchy in self.profile.hierarchies:
            if top_name(hierarchy) not in form:
                continue
            text = f"{form[top_name(hierarchy)]} {form.get(_ADD + top_name(hierarchy), '')}"
            numbers = [number_in(each) for each in text.replace(",", " ").split()]
            if None in numbers:
                detail = f"The topmosts of {hierarchy.name} are ids such as 1, 25."
                return Refused(Fault.INVALID_BODY, detail, hierarchy.name)
            topmosts[hierarchy.name] = tuple(sorted({n for n in numbers if n is not None}))
        return topmosts

    def _tops(self, ask: Ask, user: UserFacts | None = None) -> list[Tops]:
        found = []
        for hierarchy in self.profile.hierarchies:
            ids = user.topmosts.get(hierarchy.name, ()) if user else ()
            own = ask.principal.topmost_ids(hierarchy.name)[:_OFFERED]
            where = ask.principal.datasource_id, hierarchy.name
            names = {
                node.id: f"{node.info or node.code or 'unknown'} ({node.id})"
                for node in self.trees.describe(*where, (*ids, *own)).values()
            }
            offered = [(each, names[each]) for each in own if each not in ids]
            now = [names[each] for each in ids]
            found.append(Tops(hierarchy.name, top_name(hierarchy), now, offered))
        return found


def top_name(hierarchy: Hierarchy) -> str:
    return f"top-{hierarchy.wire}"


def _typed(user: UserFacts, hierarchies: Sequence[Hierarchy]) -> dict[str, str]:
    tops = {
        top_name(h): ", ".join(str(number) for number in user.topmosts.get(h.name, ()))
        for h in hierarchies
    }
    names = {"code": user.user_code, "full_name": user.full_name, "email": user.email}
    return {**names, "role": str(user.role_id), **tops}
