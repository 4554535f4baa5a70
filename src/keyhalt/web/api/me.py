"""Who am I: contract row 9. What a principal is, in the profile's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.web.api.topmosts import topmosts_json

if TYPE_CHECKING:
    from keyhalt.client.trees import Trees
    from keyhalt.core.permissions import Catalogue, Permission, PermissionSet
    from keyhalt.core.profiles import Profile


@dataclass(frozen=True, slots=True)
class MeHandlers:
    profile: Profile
    trees: Trees
    build_date: str
    version: str

    def get(self, call: Call) -> Reply:
        principal = call.principal
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
        }
        tops = topmosts_json(
            self.trees, self.profile.hierarchies, principal.datasource_id, [principal.topmosts]
        )
        return Reply(body | tops[0])


def operations(handlers: MeHandlers) -> list[Operation]:
    return [Operation("MeV3", "GET", "/api/v3/me", None, handlers.get)]


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
