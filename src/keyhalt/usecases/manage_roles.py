"""The operator's verbs about roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.names import fault_of, has_unseen
from keyhalt.core.permissions import CatalogueError, PermissionSet, union
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import DuplicateError, RoleRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import Operator
    from keyhalt.usecases.ports import Barrier, Clock, Receipt, Rights, RightsTransaction

NAME_MAX = 64
DESCRIPTION_MAX = 1000


class ManageRoles:
    """Roles by name. A built-in role (`read_only`) does not change; make a copy of it."""

    def __init__(
        self, *, rights: Rights, catalogue: Catalogue, barrier: Barrier, clock: Clock
    ) -> None:
        self._rights = rights
        self._catalogue = catalogue
        self._barrier = barrier
        self._clock = clock

    def create(
        self,
        acting: Operator,
        datasource_id: int,
        *,
        name: str,
        description: str,
        grants: Sequence[str],
        origin: Origin,
    ) -> RoleRow | Refused:
        """`grants`: patterns such as `meters.view`, `meters.*`, `*.view` or `*`."""
        permissions = self._permissions(grants)
        if isinstance(permissions, Refused):
            return permissions
        fault = fault_of(name, length_max=NAME_MAX)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"The name of a role {fault}.", "name")
        if len(description) > DESCRIPTION_MAX or has_unseen(description, but="\r\n\t"):
            detail = f"A description has at most {DESCRIPTION_MAX} characters, all of them visible."
            return Refused(Fault.INVALID_BODY, detail, "description")
        try:
            with self._rights.change() as tx:
                new = RoleRow(0, name, description, permissions, read_only=False, hidden=False)
                role_id = tx.roles.add(datasource_id, new)
                details = {"name": name, "grants": list(self._catalogue.names(permissions))}
                self._record(tx, Event.ROLE_CREATE, acting, datasource_id, role_id, origin, details)
                role = tx.roles.get(datasource_id, role_id)
                assert role is not None  # noqa: S101 - this transaction wrote it
                return role
        except DuplicateError:
            detail = f"There is a role {name!r} in this datasource already."
            return Refused(Fault.CONFLICT, detail, "name")

    def set_permissions(
        self,
        acting: Operator,
        datasource_id: int,
        name: str,
        grants: Sequence[str],
        origin: Origin,
    ) -> Receipt | Denied | Refused:
        """Replace what a role grants. Whoever has it, and their keys, follow at once."""
        permissions = self._permissions(grants)
        if isinstance(permissions, Refused):
            return permissions
        with self._rights.change() as tx:
            role = tx.roles.find(datasource_id, name)
            if role is None:
                return Denied(Reason.NOT_FOUND)
            if role.read_only:
                detail = f"{role.name!r} is a built-in role; make a copy and change that."
                return Refused(Fault.INVALID_STATE, detail, "name")
            tx.roles.set_permissions(datasource_id, role.id, permissions)
            epoch = tx.raise_epoch(subject(Kind.ROLE, role.id))
            details = {
                "name": role.name,
                "before": list(self._catalogue.names(role.permissions)),
                "after": list(self._catalogue.names(permissions)),
            }
            self._record(
                tx, Event.ROLE_EDIT, acting, datasource_id, role.id, origin, details, epoch
            )
        return self._barrier.wait(epoch)

    def _permissions(self, grants: Sequence[str]) -> PermissionSet | Refused:
        try:
            return union(*(self._catalogue.grants(pattern) for pattern in grants))
        except CatalogueError as error:
            return Refused(Fault.INVALID_BODY, f"{error}.", "grants")

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Operator,
        datasource_id: int,
        role_id: int,
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
                object_id=role_id,
                details=details,
                epoch=epoch,
            )
        )
