"""Who am I, and how I am called: contract rows 9 to 11."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.web.api.topmosts import topmosts_json

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.permissions import Catalogue, Permission, PermissionSet
    from keyhalt.core.principals import Principal
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.edit_me import EditMe
    from keyhalt.usecases.look_up import LookUp


class MeBody(BaseModel):
    """The client leaves out what is null: that stays as it is."""

    model_config = ConfigDict(hide_input_in_errors=True)

    full_name: str | None = Field(None, alias="fullName", max_length=32)
    email: str | None = Field(None, max_length=128)
    preference: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MeHandlers:
    profile: Profile
    trees: Trees
    edit_me: EditMe
    look_up: LookUp
    build_date: str
    version: str

    def get(self, call: Call) -> Reply:
        return self._me(call.principal)

    def edit(self, call: Call) -> Reply | Denied | Refused:
        body: MeBody = call.body
        said = {"full_name": body.full_name, "email": body.email}
        after = self.edit_me(
            call.principal,
            said={name: value for name, value in said.items() if value is not None},
            preference=body.preference,
            origin=call.origin,
        )
        return after if isinstance(after, Denied | Refused) else self._me(after)

    def upgrade(self, call: Call) -> Reply:
        """There is nothing to do before a sign-in: stores are upgraded when a server starts."""
        del call
        return Reply()

    def _me(self, principal: Principal) -> Reply:
        preference = self.look_up.preference(principal.datasource_id, principal.user_id)
        body: dict[str, object] = {
            "systemUserId": principal.user_id,
            "systemUserCode": principal.user_code,
            "fullName": principal.full_name,
            "email": principal.email,
            "userRoleName": principal.role_name,
            "permissions": permissions_json(self.profile.catalogue, principal.permissions),
            "environment": principal.environment,
            "buildDate": self.build_date,
            "upgradeVersion_V7": self.version,
            "applicationMode": "Online",
            "featureFlags": [],
            "claim": [],
            "preference": preference or {},
        }
        tops = topmosts_json(
            self.trees, self.profile.hierarchies, principal.datasource_id, [principal.topmosts]
        )
        return Reply(body | tops[0])


def operations(handlers: MeHandlers) -> list[Operation]:
    me = "/api/v3/me"
    return [
        Operation("MeV3", "GET", me, None, handlers.get),
        Operation("UpdateMeV3", "PUT", me, None, handlers.edit, MeBody),
        Operation("UpgradeV3", "POST", f"{me}/upgrade", None, handlers.upgrade),
    ]


def permissions_json(catalogue: Catalogue, held: PermissionSet) -> dict[str, object]:
    """Every entry of the catalogue with its levels; licences included."""
    return {entry.name: _entry(catalogue, entry, held) for entry in catalogue.permissions}


def _entry(catalogue: Catalogue, entry: Permission, held: PermissionSet) -> dict[str, object]:
    return {
        **catalogue.levels(entry, held),
        "permissionId": entry.id,
        "permissionCode": entry.code,
        "permissionName": entry.title,
        "description": entry.description,
        "permissionCategoryName": entry.category,
        "isLicensed": True,
        "products": [],
    }
