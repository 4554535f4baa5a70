"""The operator's verb about one role in every datasource: as the profile's template says it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.leases import Kind, subject
from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.usecases.rows import role_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import Operator
    from keyhalt.core.profiles import RoleTemplate
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.rows import DatasourceRow, RoleRow


class Standing(enum.StrEnum):
    """How a datasource's role of the template's name compares with it."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"
    OWN = "own"
    """A built-in role of the profile, but here the datasource made a role of that name itself."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`more`, `less`: what `role` grants beyond the template, and what it lacks of it."""

    datasource: DatasourceRow
    role: RoleRow | None
    standing: Standing
    more: PermissionSet
    less: PermissionSet


@dataclass(frozen=True, slots=True)
class RolledOut:
    """How it was before, in every datasource. No receipt where nobody's rights changed."""

    before: Sequence[Compared]
    receipt: Receipt | None


class RollOut:
    """Roles that a datasource made itself stay as they are: they only have the same name."""

    def __init__(
        self, *, rights: Rights, catalogue: Catalogue, barrier: Barrier, clock: Clock
    ) -> None:
        self._rights = rights
        self._catalogue = catalogue
        self._barrier = barrier
        self._clock = clock

    def compare(self, template: RoleTemplate) -> Sequence[Compared]:
        """Every datasource, active or not. Changes nothing."""
        with self._rights.look() as tx:
            return _compared(tx, template)

    def __call__(self, acting: Operator, template: RoleTemplate, origin: Origin) -> RolledOut:
        """Make the role where it is missing and change it where it differs: all, or none.

        Whoever has the role, and their keys, follow at once: one transaction, one epoch.
        """
        with self._rights.change() as tx:
            before = _compared(tx, template)
            differing = [
                each.role.id
                for each in before
                if each.standing is Standing.DIFFERS and each.role is not None
            ]
            concerned = [subject(Kind.ROLE, role_id) for role_id in differing]
            epoch = tx.raise_epoch(*concerned) if concerned else None
            for each in before:
                if each.standing is Standing.MISSING:
                    role_id = tx.roles.add(each.datasource.id, role_of(template))
                    granted = list(self._catalogue.names(template.permissions))
                    details = {"name": template.name, "grants": granted}
                    self._record(tx, Event.ROLE_CREATE, acting, each, role_id, origin, details)
                elif each.standing is Standing.DIFFERS and each.role is not None:
                    after = replace(
                        each.role,
                        description=template.description,
                        permissions=template.permissions,
                    )
                    tx.roles.edit(each.datasource.id, after)
                    details = {
                        "name": after.name,
                        "before": list(self._catalogue.names(each.role.permissions)),
                        "after": list(self._catalogue.names(after.permissions)),
                    }
                    self._record(
                        tx, Event.ROLE_EDIT, acting, each, after.id, origin, details, epoch
                    )
        return RolledOut(before, None if epoch is None else self._barrier.wait(epoch))

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Operator,
        where: Compared,
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
                datasource_id=where.datasource.id,
                object_type="role",
                object_id=role_id,
                details=details,
                epoch=epoch,
            )
        )


def _compared(tx: RightsTransaction, template: RoleTemplate) -> Sequence[Compared]:
    found = ((each, tx.roles.find(each.id, template.name)) for each in tx.datasources.list())
    return [_compare(place, role, template) for place, role in found]


def _compare(place: DatasourceRow, role: RoleRow | None, template: RoleTemplate) -> Compared:
    if role is None:
        return Compared(place, None, Standing.MISSING, NOTHING, template.permissions)
    more = PermissionSet(role.permissions & ~template.permissions)
    less = PermissionSet(template.permissions & ~role.permissions)
    if template.read_only and not role.read_only:
        return Compared(place, role, Standing.OWN, more, less)
    return Compared(place, role, Standing.DIFFERS if more or less else Standing.SAME, more, less)
