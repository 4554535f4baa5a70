"""Groups of users: who belongs together. A group grants nothing, so no right changes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.people import GroupRow, NewGroup, fault_of_group
from keyhalt.usecases.ports import DuplicateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.principals import Acting
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction


class ManageGroups:
    """Each verb needs the permission to manage users. None raises the epoch."""

    def __init__(self, *, rights: Rights, needs: Needs, clock: Clock) -> None:
        self._rights = rights
        self._needs = needs
        self._clock = clock

    def create(
        self,
        acting: Acting,
        datasource_id: int,
        *,
        name: str,
        description: str,
        members: Sequence[int],
        origin: Origin,
    ) -> GroupRow | Denied | Refused:
        """`members`: ids of users."""
        refused = fault_of_group(name, description)
        if refused is not None:
            return refused
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._needs.manage_users)
                no_member = no or _fault_of_members(tx, datasource_id, members)
                if no_member is not None:
                    return no_member
                new = NewGroup(name, description, self._clock.now())
                group_id = tx.groups.add(datasource_id, new)
                tx.groups.set_members(datasource_id, group_id, members)
                return self._done(
                    tx, Event.GROUP_CREATE, acting, datasource_id, group_id, origin, members
                )
        except DuplicateError:
            return _taken(name)

    def edit(
        self,
        acting: Acting,
        datasource_id: int,
        group_id: int,
        *,
        name: str,
        description: str | None,
        members: Sequence[int] | None,
        origin: Origin,
    ) -> GroupRow | Denied | Refused:
        """None leaves the description, or the members, as they are."""
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._needs.manage_users)
                before = no or tx.groups.get(datasource_id, group_id)
                if before is None or isinstance(before, Denied):
                    return before or Denied(Reason.NOT_FOUND)
                said = before.description if description is None else description
                refused = fault_of_group(name, said)
                refused = refused or _fault_of_members(tx, datasource_id, members or ())
                if refused is not None:
                    return refused
                tx.groups.edit(datasource_id, group_id, name=name, description=said)
                if members is not None:
                    tx.groups.set_members(datasource_id, group_id, members)
                return self._done(
                    tx, Event.GROUP_EDIT, acting, datasource_id, group_id, origin, members
                )
        except DuplicateError:
            return _taken(name)

    def delete(
        self, acting: Acting, datasource_id: int, group_id: int, origin: Origin
    ) -> GroupRow | Denied:
        """Its members stay what they are."""
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_users)
            if no is not None:
                return no
            if tx.groups.get(datasource_id, group_id) is None:
                return Denied(Reason.NOT_FOUND)
            group = self._done(
                tx, Event.GROUP_DELETE, acting, datasource_id, group_id, origin, None
            )
            tx.groups.delete(datasource_id, group_id)
            return group

    def _done(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Acting,
        datasource_id: int,
        group_id: int,
        origin: Origin,
        members: Sequence[int] | None,
    ) -> GroupRow:
        """Record what was done, and read the group as it is now."""
        group = tx.groups.get(datasource_id, group_id)
        assert group is not None  # noqa: S101 - this transaction wrote it
        details: dict[str, object] = {"name": group.name}
        if members is not None:
            details["members"] = list(members)
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=datasource_id,
                object_type="group",
                object_id=group_id,
                details=details,
            )
        )
        return group


def _fault_of_members(
    tx: RightsTransaction, datasource_id: int, user_ids: Sequence[int]
) -> Refused | None:
    for missing in tx.users.missing(datasource_id, user_ids):
        return Refused(Fault.INVALID_BODY, f"There is no user {missing}.", "members")
    return None


def _taken(name: str) -> Refused:
    detail = f"There is a user group {name!r} in this datasource already."
    return Refused(Fault.CONFLICT, detail, "userGroupName")
