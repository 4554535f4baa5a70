"""The userGroup operations: contract rows 24 to 29 (docs/wire.md, "Groups")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import NO_CONTENT, Call, Operation, Reply
from keyhalt.core import paging
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.manage_groups import EMAIL_FIELD
from keyhalt.web.api.user_bodies import Id, reduced_json

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_groups import ManageGroups
    from keyhalt.usecases.people import GroupRow

MEMBERS_MAX = 100_000
EMAILS_MAX = 1_000


class GroupBody(BaseModel):
    """Create and edit; on edit, absent or null members stay, an empty list removes all."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str = Field(alias="userGroupName", max_length=64)
    description: str | None = Field(None, max_length=255)
    members: Annotated[list[Id], Field(max_length=MEMBERS_MAX)] | None = None
    emails: Annotated[list[str], Field(max_length=EMAILS_MAX)] | None = Field(
        None, alias=EMAIL_FIELD
    )


@dataclass(frozen=True, slots=True)
class GroupHandlers:
    verbs: ManageGroups
    look_up: LookUpUsers

    def list(self, call: Call) -> Reply | Refused:
        page = paging.page_from(call.query)
        if isinstance(page, Refused):
            return page
        found = self.look_up.groups(
            call.principal.datasource_id, filter_text=call.query.get("filter", ""), page=page
        )
        if isinstance(found, Refused):
            return found
        rows, total = found
        return Reply([_group(row) for row in rows], headers=paging.headers(page, total))

    def get(self, call: Call) -> Reply | Denied:
        row = self.look_up.group(call.principal.datasource_id, call.ids["userGroupId"])
        return row if isinstance(row, Denied) else Reply(_group(row))

    def members(self, call: Call) -> Reply | Denied:
        rows = self.look_up.members(call.principal.datasource_id, call.ids["userGroupId"])
        return rows if isinstance(rows, Denied) else Reply([reduced_json(row) for row in rows])

    def create(self, call: Call) -> Reply | Denied | Refused:
        body: GroupBody = call.body
        made = self.verbs.create(
            call.principal,
            call.principal.datasource_id,
            name=body.name,
            description=body.description or "",
            members=body.members or (),
            emails=body.emails or (),
            origin=call.origin,
        )
        return made if isinstance(made, Denied | Refused) else Reply(_group(made))

    def edit(self, call: Call) -> Reply | Denied | Refused:
        body: GroupBody = call.body
        done = self.verbs.edit(
            call.principal,
            call.principal.datasource_id,
            call.ids["userGroupId"],
            name=body.name,
            description=body.description,
            members=body.members,
            emails=body.emails or (),
            origin=call.origin,
        )
        return done if isinstance(done, Denied | Refused) else Reply(_group(done))

    def delete(self, call: Call) -> Reply | Denied:
        done = self.verbs.delete(
            call.principal, call.principal.datasource_id, call.ids["userGroupId"], call.origin
        )
        return done if isinstance(done, Denied) else NO_CONTENT


def operations(handlers: GroupHandlers, needs: Needs) -> list[Operation]:
    view, manage = needs.view_users, needs.manage_users
    base, one = "/api/v3/userGroup", "/api/v3/userGroup/{userGroupId}"
    return [
        Operation("GetUserGroupsV3", "GET", base, view, handlers.list),
        Operation("GetUserGroupV3", "GET", one, view, handlers.get),
        Operation("CreateUserGroupV3", "POST", base, manage, handlers.create, GroupBody),
        Operation("EditUserGroupV3", "PUT", one, manage, handlers.edit, GroupBody),
        Operation("DeleteUserGroupV3", "DELETE", one, manage, handlers.delete),
        Operation("GetUserGroupMembersV3", "GET", f"{one}/member", view, handlers.members),
    ]


def _group(row: GroupRow) -> dict[str, object]:
    return {
        "userGroupId": row.id,
        "userGroupName": row.name,
        "description": row.description,
        "memberCount": row.members,
    }
