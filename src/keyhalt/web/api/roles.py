"""The userrole operations: contract rows 18 to 23 (docs/wire.md, "Roles")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import NO_CONTENT, Call, Operation, Reply
from keyhalt.core.decisions import Denied, permit
from keyhalt.core.permissions import LEVELS
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.people import RoleEdit
from keyhalt.web.api.me import permissions_json
from keyhalt.web.api.wire import RECEIPT

if TYPE_CHECKING:
    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_roles import ManageRoles
    from keyhalt.usecases.rows import RoleRow


class RoleBody(BaseModel):
    """Create and edit. In `permissions`, what is absent is a no; without any, nothing changes."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str = Field(alias="systemUserRoleName", max_length=64)
    description: str | None = Field(None, max_length=1000)
    hidden: bool | None = None
    permissions: dict[str, dict[str, Any] | None] | None = None


class HiddenBody(BaseModel):
    hidden: bool


def grants_of(catalogue: Catalogue, wanted: dict[str, Any] | None) -> list[str] | Refused | None:
    """`meters.view` for each level that is true; None when nothing was said.

    What else an entry of an answer holds is not read, nor are licences, which no role grants.
    """
    if wanted is None:
        return None
    grants = []
    for name, levels in wanted.items():
        entry = catalogue.by_name.get(name)
        if entry is not None and entry.licence:
            continue
        for level in LEVELS:
            value = (levels or {}).get(level)
            if value is not None and not isinstance(value, bool):
                detail = f"permissions.{name}.{level} must be true or false."
                return Refused(Fault.INVALID_BODY, detail, f"permissions.{name}.{level}")
            if value and (entry is None or level not in entry.bits):
                detail = f"There is no permission {name}.{level} to grant."
                return Refused(Fault.INVALID_BODY, detail, f"permissions.{name}.{level}")
            if value:
                grants.append(f"{name}.{level}")
    return grants


@dataclass(frozen=True, slots=True)
class RoleHandlers:
    profile: Profile
    verbs: ManageRoles
    look_up: LookUpUsers

    def list(self, call: Call) -> Reply:
        rows = self.look_up.roles(call.principal.datasource_id, hidden=self._sees_hidden(call))
        return Reply([self._role(row) for row in rows])

    def get(self, call: Call) -> Reply | Denied:
        row = self.look_up.role(
            call.principal.datasource_id, call.ids["userRoleId"], hidden=self._sees_hidden(call)
        )
        return row if isinstance(row, Denied) else Reply(self._role(row))

    def create(self, call: Call) -> Reply | Denied | Refused:
        grants = grants_of(self.profile.catalogue, call.body.permissions or {})
        if isinstance(grants, Refused):
            return grants
        made = self.verbs.create(
            call.principal,
            call.principal.datasource_id,
            name=call.body.name,
            description=call.body.description or "",
            grants=grants or (),
            hidden=bool(call.body.hidden),
            origin=call.origin,
        )
        return made if isinstance(made, Denied | Refused) else Reply(self._role(made))

    def edit(self, call: Call) -> Reply | Denied | Refused:
        body: RoleBody = call.body
        grants = grants_of(self.profile.catalogue, body.permissions)
        if isinstance(grants, Refused):
            return grants
        return self._edit(call, RoleEdit(body.name, body.description, grants, body.hidden))

    def set_hidden(self, call: Call) -> Reply | Denied | Refused:
        return self._edit(call, RoleEdit(hidden=call.body.hidden))

    def delete(self, call: Call) -> Reply | Denied | Refused:
        done = self.verbs.delete(
            call.principal, call.principal.datasource_id, call.ids["userRoleId"], call.origin
        )
        return done if isinstance(done, Denied | Refused) else NO_CONTENT

    def _edit(self, call: Call, edit: RoleEdit) -> Reply | Denied | Refused:
        changed = self.verbs.edit(
            call.principal, call.principal.datasource_id, call.ids["userRoleId"], edit, call.origin
        )
        if isinstance(changed, Denied | Refused):
            return changed
        return Reply(self._role(changed.role), headers=((RECEIPT, str(changed.receipt)),))

    def _sees_hidden(self, call: Call) -> bool:
        return permit(call.principal, self.profile.needs.manage_roles) is None

    def _role(self, row: RoleRow) -> dict[str, object]:
        return {
            "systemUserRoleId": row.id,
            "systemUserRoleName": row.name,
            "description": row.description,
            "usersAssignedCount": row.users,
            "permissions": permissions_json(self.profile.catalogue, row.permissions),
            "readOnly": row.read_only,
            "hidden": row.hidden,
            "products": [],
        }


def operations(handlers: RoleHandlers) -> list[Operation]:
    needs = handlers.profile.needs
    manage, view = needs.manage_roles, needs.view_users
    one = "{userRoleId}"
    base, dated = "/api/v3/userrole", "/api/v202206/userrole"
    return [
        Operation("GetUserRolesV3", "GET", base, manage, handlers.list, instead=view),
        Operation("GetUserRoleV3", "GET", f"{base}/{one}", manage, handlers.get, instead=view),
        Operation(
            "CreateUserRoleV202206",
            "POST",
            dated,
            manage,
            handlers.create,
            RoleBody,
            also=(base,),
            deprecated_paths={base: "v202206 CreateUserRoleV202206"},
        ),
        Operation(
            "EditUserRoleV202206",
            "PUT",
            f"{dated}/{one}",
            manage,
            handlers.edit,
            RoleBody,
            also=(f"{base}/{one}",),
            deprecated_paths={f"{base}/{one}": "v202206 EditUserRoleV202206"},
        ),
        Operation(
            "SetUserRoleHiddenV202206",
            "PUT",
            f"{dated}/{one}/hidden",
            manage,
            handlers.set_hidden,
            HiddenBody,
        ),
        Operation("DeleteUserRoleV3", "DELETE", f"{base}/{one}", manage, handlers.delete),
    ]
