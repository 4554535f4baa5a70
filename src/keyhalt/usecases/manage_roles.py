"""Make roles, change what they grant, hide and delete them.

Who acts needs the permission to manage roles and covers what a role grants to each of its holders,
before and after (`Covering`): so no edit gives anybody, themselves included, what they have not. An
operator is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.permissions import CatalogueError, PermissionSet, Power, covers, union
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again, strips_last_manager
from keyhalt.usecases.people import RoleEdit, fault_of_role
from keyhalt.usecases.ports import DuplicateError
from keyhalt.usecases.rows import RoleRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import Acting
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction


@dataclass(frozen=True, slots=True)
class ChangedRole:
    """A role after a change of rights, and how it took effect."""

    role: RoleRow
    receipt: Receipt


class ManageRoles:
    """Roles by name or id. A built-in role (`read_only`) does not change, but may be hidden."""

    def __init__(
        self, *, rights: Rights, needs: Needs, covering: Covering, barrier: Barrier, clock: Clock
    ) -> None:
        self._rights = rights
        self._needs = needs
        self._covering = covering
        self._barrier = barrier
        self._clock = clock

    @property
    def _catalogue(self) -> Catalogue:
        return self._covering.catalogue

    def create(
        self,
        acting: Acting,
        datasource_id: int,
        *,
        name: str,
        description: str,
        grants: Sequence[str],
        origin: Origin,
        hidden: bool = False,
    ) -> RoleRow | Denied | Refused:
        """`grants`: patterns such as `meters.view`, `meters.*`, `*.view` or `*`."""
        permissions = self._permissions(grants)
        if isinstance(permissions, Refused):
            return permissions
        new = RoleRow(0, name, description, permissions, read_only=False, hidden=hidden)
        refused = fault_of_role(new.name, new.description)
        if refused is not None:
            return refused
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._needs.manage_roles)
                no = no or self._covering.refuse(tx, acting, Power(permissions, {}))
                if no is not None:
                    return no
                role_id = tx.roles.add(datasource_id, new)
                role = tx.roles.get(datasource_id, role_id)
                assert role is not None  # noqa: S101 - this transaction wrote it
                details = {"name": name, "grants": list(self._catalogue.names(permissions))}
                self._record(tx, Event.ROLE_CREATE, acting, datasource_id, role, origin, details)
                return role
        except DuplicateError:
            return _taken(name)

    def edit(
        self, acting: Acting, datasource_id: int, who: str | int, edit: RoleEdit, origin: Origin
    ) -> ChangedRole | Denied | Refused:
        """Whoever has the role, and their keys, follow at once: one statement, one epoch."""
        permissions = None if edit.grants is None else self._permissions(edit.grants)
        if isinstance(permissions, Refused):
            return permissions
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._needs.manage_roles)
                before = no or _role(tx, datasource_id, who)
                if isinstance(before, Denied):
                    return before
                after = _edited(before, edit, permissions)
                no_change = self._refuse_edit(tx, acting, datasource_id, before, after)
                if no_change is not None:
                    return no_change
                tx.roles.edit(datasource_id, after)
                epoch = tx.raise_epoch(subject(Kind.ROLE, before.id))
                details = self._difference(before, after)
                self._record(
                    tx, Event.ROLE_EDIT, acting, datasource_id, after, origin, details, epoch
                )
        except DuplicateError:
            return _taken(str(edit.name))
        return ChangedRole(after, self._barrier.wait(epoch))

    def set_permissions(
        self,
        acting: Acting,
        datasource_id: int,
        who: str | int,
        grants: Sequence[str],
        origin: Origin,
    ) -> Receipt | Denied | Refused:
        """Replace what a role grants."""
        changed = self.edit(acting, datasource_id, who, RoleEdit(grants=grants), origin)
        return changed.receipt if isinstance(changed, ChangedRole) else changed

    def delete(
        self, acting: Acting, datasource_id: int, who: str | int, origin: Origin
    ) -> RoleRow | Denied | Refused:
        """Only a role that nobody has, so nobody's rights change."""
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_roles)
            role = no or _role(tx, datasource_id, who)
            if isinstance(role, Denied):
                return role
            if role.read_only:
                return _built_in(role)
            if role.users:
                detail = f"{role.users:,} users have {role.name!r}; give them another role first."
                return Refused(Fault.INVALID_STATE, detail)
            denied = self._covering.refuse(tx, acting, Power(role.permissions, {}))
            if denied is not None:
                return denied
            tx.roles.delete(datasource_id, role.id)
            details = {"name": role.name, "grants": list(self._catalogue.names(role.permissions))}
            self._record(tx, Event.ROLE_DELETE, acting, datasource_id, role, origin, details)
        return role

    def _refuse_edit(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        before: RoleRow,
        after: RoleRow,
    ) -> Denied | Refused | None:
        if replace(after, hidden=before.hidden) == before:
            return None  # hiding and showing give and take nothing
        if before.read_only:
            return _built_in(before)
        refused = fault_of_role(after.name, after.description)
        if refused is not None:
            return refused
        permissions = union(before.permissions, after.permissions)
        holders = tx.roles.topmosts_of_holders(datasource_id, before.id)
        denied = self._covering.refuse(tx, acting, Power(permissions, holders))
        bits = self._needs.manage_users.bits
        if denied or covers(after.permissions, bits) or not covers(before.permissions, bits):
            return denied
        return strips_last_manager(tx, acting, datasource_id, self._needs, but_role=before.id)

    def _permissions(self, grants: Sequence[str]) -> PermissionSet | Refused:
        try:
            return union(*(self._catalogue.grants(pattern) for pattern in grants))
        except CatalogueError as error:
            return Refused(Fault.INVALID_BODY, f"{error}.", "permissions")

    def _difference(self, before: RoleRow, after: RoleRow) -> dict[str, object]:
        details: dict[str, object] = {"name": after.name}
        if before.name != after.name:
            details["name_before"] = before.name
        if before.hidden != after.hidden:
            details["hidden"] = after.hidden
        if before.permissions != after.permissions:
            details["before"] = list(self._catalogue.names(before.permissions))
            details["after"] = list(self._catalogue.names(after.permissions))
        return details

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Acting,
        datasource_id: int,
        role: RoleRow,
        origin: Origin,
        details: Mapping[str, object],
        epoch: int | None = None,
    ) -> None:
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=datasource_id,
                object_type="role",
                object_id=role.id,
                details=details,
                epoch=epoch,
            )
        )


def _role(tx: RightsTransaction, datasource_id: int, who: str | int) -> RoleRow | Denied:
    if isinstance(who, str):
        found = tx.roles.find(datasource_id, who)
    else:
        found = tx.roles.get(datasource_id, who)
    return found or Denied(Reason.NOT_FOUND)


def _edited(role: RoleRow, edit: RoleEdit, permissions: PermissionSet | None) -> RoleRow:
    return replace(
        role,
        name=role.name if edit.name is None else edit.name,
        description=role.description if edit.description is None else edit.description,
        permissions=role.permissions if permissions is None else permissions,
        hidden=role.hidden if edit.hidden is None else edit.hidden,
    )


def _built_in(role: RoleRow) -> Refused:
    detail = f"{role.name!r} is a built-in role; make a copy and change that."
    return Refused(Fault.INVALID_STATE, detail)


def _taken(name: str) -> Refused:
    detail = f"There is a role {name!r} in this datasource already."
    return Refused(Fault.CONFLICT, detail, "systemUserRoleName")
