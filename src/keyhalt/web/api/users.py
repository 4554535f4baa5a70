"""The user operations: contract rows 12 to 17, and keys of service accounts (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core import paging
from keyhalt.core.decisions import Denied, permit
from keyhalt.core.refusals import Refused
from keyhalt.usecases.people import UserEdit
from keyhalt.web.api.keys import KeyBody, created_json
from keyhalt.web.api.user_bodies import (
    RoleOfUserBody,
    draft_of,
    edit_of,
    reduced_json,
    user_body,
    users_json,
)
from keyhalt.web.api.wire import RECEIPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_users import ManageUsers
    from keyhalt.usecases.people import UserRow

OURS = "/api/keyhalt/v1/users"


@dataclass(frozen=True, slots=True)
class UserHandlers:
    profile: Profile
    trees: Trees
    verbs: ManageUsers
    look_up: LookUpUsers
    issue: IssueKey

    def all(self, call: Call) -> Reply | Refused:
        """All users; who may not view them gets only how they are called."""
        found = self.look_up.users(
            call.principal.datasource_id,
            filter_text=call.query.get("filter", ""),
            reduced=self._reduced(call),
        )
        return found if isinstance(found, Refused) else Reply(self._seen(call, found[0]))

    def page(self, call: Call) -> Reply | Refused:
        page = paging.page_from(call.query)
        if isinstance(page, Refused):
            return page
        found = self.look_up.users(
            call.principal.datasource_id,
            filter_text=call.query.get("filter", ""),
            page=page,
            order=call.query.get("orderBy", ""),
            reduced=self._reduced(call),
        )
        if isinstance(found, Refused):
            return found
        rows, total = found
        return Reply(self._seen(call, rows), headers=paging.headers(page, total))

    def get(self, call: Call) -> Reply | Denied:
        return self._answer(call, call.ids["userId"])

    def create(self, call: Call) -> Reply | Denied | Refused:
        draft = draft_of(call.body, self.profile.hierarchies)
        if isinstance(draft, Refused):
            return draft
        made = self.verbs.create(call.principal, call.principal.datasource_id, draft, call.origin)
        return made if isinstance(made, Denied | Refused) else self._answer(call, made.user_id)

    def edit(self, call: Call) -> Reply | Denied | Refused:
        edit = edit_of(call.body, self.profile.hierarchies)
        return edit if isinstance(edit, Refused) else self._edit(call, edit)

    def set_role(self, call: Call) -> Reply | Denied | Refused:
        return self._edit(call, UserEdit(role=call.body.role_id))

    def create_key(self, call: Call) -> Reply | Denied | Refused:
        """A key of a service account. Its text is in this answer and nowhere else, ever."""
        issued = self.issue.create(
            call.principal,
            datasource_id=call.principal.datasource_id,
            owner_id=call.ids["userId"],
            name=call.body.name,
            description=call.body.description or "",
            origin=call.origin,
        )
        return issued if isinstance(issued, Denied | Refused) else Reply(created_json(issued))

    def _edit(self, call: Call, edit: UserEdit) -> Reply | Denied | Refused:
        user_id = call.ids["userId"]
        changed = self.verbs.edit(
            call.principal, call.principal.datasource_id, user_id, edit, call.origin
        )
        if isinstance(changed, Denied | Refused):
            return changed
        return self._answer(call, user_id, headers=((RECEIPT, str(changed.receipt)),))

    def _answer(
        self, call: Call, user_id: int, headers: tuple[tuple[str, str], ...] = ()
    ) -> Reply | Denied:
        row = self.look_up.user(call.principal.datasource_id, user_id)
        if isinstance(row, Denied):
            return row
        return Reply(self._full(call, [row])[0], headers=headers)

    def _reduced(self, call: Call) -> bool:
        return permit(call.principal, self.profile.needs.view_users) is not None

    def _seen(self, call: Call, rows: Sequence[UserRow]) -> list[dict[str, object]]:
        if self._reduced(call):
            return [reduced_json(row) for row in rows]
        return self._full(call, rows)

    def _full(self, call: Call, rows: Sequence[UserRow]) -> list[dict[str, object]]:
        signed_in = self.look_up.signed_in(call.principal.datasource_id, rows)
        return users_json(self.trees, self.profile.hierarchies, rows, signed_in)


def operations(handlers: UserHandlers) -> list[Operation]:
    needs, body = handlers.profile.needs, user_body(handlers.profile.hierarchies)
    view, manage = needs.view_users, needs.manage_users
    one = "{userId}"
    create, edit = "v202406 CreateUserV202406", "v202406 EditUserV202406"
    return [
        Operation("GetUsersV3", "GET", "/api/v3/user", None, handlers.all),
        Operation("GetUsersV202512", "GET", "/api/v202512/user/paginated", None, handlers.page),
        Operation(
            "GetUserV3", "GET", f"/api/v3/user/{one}", view, handlers.get, also=(f"{OURS}/{one}",)
        ),
        Operation(
            "CreateUserV202406",
            "POST",
            "/api/v202406/user",
            manage,
            handlers.create,
            body,
            hashes=True,
            also=("/api/v202306/user", "/api/v3/user", OURS),
            deprecated_paths={"/api/v202306/user": create, "/api/v3/user": create},
        ),
        Operation(
            "EditUserV202406",
            "PUT",
            f"/api/v202406/user/{one}",
            manage,
            handlers.edit,
            body,  # most set no password, and a deactivation must not queue behind sign-ins
            also=(f"/api/v202306/user/{one}", f"/api/v3/user/{one}", f"{OURS}/{one}"),
            deprecated_paths={
                f"/api/v202306/user/{one}": edit,
                f"/api/v3/user/{one}": edit,
            },
        ),
        Operation(
            "EditSystemUsersRoleV202206",
            "PUT",
            f"/api/v202206/systemUser/{one}/role",
            manage,
            handlers.set_role,
            RoleOfUserBody,
        ),
        Operation(
            "CreateServiceKey", "POST", f"{OURS}/{one}/keys", manage, handlers.create_key, KeyBody
        ),
    ]
