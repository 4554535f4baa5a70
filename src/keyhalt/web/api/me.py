"""Who am I: contract row 9. What a principal is, in the profile's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import App, Call, Node, Operation, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.permissions import Catalogue, Permission, PermissionSet
    from keyhalt.core.principals import Principal
    from keyhalt.core.profiles import Hierarchy, Profile


@dataclass(frozen=True, slots=True)
class MeHandlers:
    profile: Profile
    apps: Sequence[App]
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
        for hierarchy in self.profile.hierarchies:
            body[hierarchy.wire] = self._topmost(principal, hierarchy)
        return Reply(body)

    def _topmost(self, principal: Principal, hierarchy: Hierarchy) -> dict[str, object] | None:
        """The first topmost, and all of them when there are several; null when there is none."""
        ids = principal.topmost_ids(hierarchy.name)
        if not ids:
            return None
        nodes = self._describe(principal.datasource_id, hierarchy.name, ids)
        children = [_child(hierarchy.wire, node) for node in nodes]
        stem = hierarchy.wire[0].upper() + hierarchy.wire[1:]
        several = len(children) > 1
        return {
            **children[0],
            f"isMultiTopmost{stem}": several,
            f"multiTopmost{stem}s": children if several else [],
        }

    def _describe(self, datasource_id: int, hierarchy: str, ids: tuple[int, ...]) -> Sequence[Node]:
        for app in self.apps:
            nodes = app.describe(datasource_id, hierarchy, ids)
            if nodes:
                return nodes
        return [Node(number, "", "") for number in ids]


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


def _child(stem: str, node: Node) -> dict[str, object]:
    return {f"{stem}Id": node.id, f"{stem}Code": node.code, f"{stem}Info": node.info, **node.more}
