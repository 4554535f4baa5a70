"""Groups of users: who belongs together. A group grants nothing, so no right changes here.

Who is named by a new address becomes a user that holds no permission (docs/wire.md, "Groups").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.names import fault_of
from keyhalt.core.principals import Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.new_users import add_user
from keyhalt.usecases.people import (
    CODE_MAX,
    FULL_NAME_MAX,
    GroupRow,
    MemberChange,
    NewGroup,
    UserDraft,
    fault_of_group,
)
from keyhalt.usecases.ports import DuplicateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.principals import Acting
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.user_rules import UserRules

CONTACT = "Contact"
"""The role of whom a group makes a user by an address alone; one that grants nothing."""
EMAIL_FIELD = "newUserEmail"


class ManageGroups:
    """Each verb needs the permission to manage users. None raises the epoch.

    `emails`: addresses that no user has yet; each becomes a user and a member.
    """

    def __init__(self, *, rights: Rights, clock: Clock, rules: UserRules) -> None:
        self._rights = rights
        self._clock = clock
        self._rules = rules

    def create(
        self,
        acting: Acting,
        datasource_id: int,
        *,
        name: str,
        description: str,
        members: Sequence[int],
        emails: Sequence[str] = (),
        origin: Origin,
    ) -> GroupRow | Denied | Refused:
        """`members`: ids of users."""
        refused = fault_of_group(name, description)
        if refused is not None:
            return refused
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._rules.needs.manage_users)
                no_member = no or _fault_of_members(tx, datasource_id, members)
                added = no_member or self._add_users(tx, acting, datasource_id, emails, origin)
                if isinstance(added, Denied | Refused):
                    return added
                new = NewGroup(name, description, self._clock.now())
                group_id = tx.groups.add(datasource_id, new)
                members = [*members, *added]
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
        members: Sequence[int] | MemberChange | None,
        emails: Sequence[str] = (),
        origin: Origin,
    ) -> GroupRow | Denied | Refused:
        """None leaves the description, or the members, as they are; `emails` come on top."""
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._rules.needs.manage_users)
                before = no or tx.groups.get(datasource_id, group_id)
                if before is None or isinstance(before, Denied):
                    return before or Denied(Reason.NOT_FOUND)
                said = before.description if description is None else description
                refused = fault_of_group(name, said)
                some = members.add if isinstance(members, MemberChange) else members or ()
                refused = refused or _fault_of_members(tx, datasource_id, some)
                added = refused or self._add_users(tx, acting, datasource_id, emails, origin)
                if isinstance(added, Denied | Refused):
                    return added
                if added or isinstance(members, MemberChange):
                    kept = tx.groups.members(datasource_id, group_id)
                    members = _members_after(kept, members, added)
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
            no = check_again(tx, acting, self._rules.needs.manage_users)
            if no is not None:
                return no
            if tx.groups.get(datasource_id, group_id) is None:
                return Denied(Reason.NOT_FOUND)
            group = self._done(
                tx, Event.GROUP_DELETE, acting, datasource_id, group_id, origin, None
            )
            tx.groups.delete(datasource_id, group_id)
            return group

    def _add_users(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        emails: Sequence[str],
        origin: Origin,
    ) -> Sequence[int] | Denied | Refused:
        """The ids of new users, one per address, who see from where the one who acts does.

        What is not allowed is so for all of them, and found before the first is written.
        """
        refused = _fault_of_emails(tx, datasource_id, emails)
        if refused is not None or not emails:
            return refused or ()
        own = None if isinstance(acting, Operator) else tx.users.get(datasource_id, acting.user_id)
        ids = []
        for email in emails:
            draft = UserDraft(
                code=email,
                full_name=email[:FULL_NAME_MAX].strip(),
                email=email,
                role=CONTACT,
                password=None,
                topmosts={} if own is None else own.topmosts,
                more={"max_approval_amount": 0},
            )
            at = self._clock.now()
            made = add_user(tx, self._rules, acting, datasource_id, draft, origin, at)
            if isinstance(made, Denied | Refused):
                return made
            ids.append(made.user_id)
        return ids

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


def _members_after(
    kept: Sequence[int], said: Sequence[int] | MemberChange | None, added: Sequence[int]
) -> Sequence[int]:
    if isinstance(said, MemberChange):
        every = dict.fromkeys([*kept, *said.add, *added])
        return [each for each in every if each not in set(said.remove)]
    return [*(kept if said is None else said), *added]


def _fault_of_members(
    tx: RightsTransaction, datasource_id: int, user_ids: Sequence[int]
) -> Refused | None:
    for missing in tx.users.missing(datasource_id, user_ids):
        return Refused(Fault.INVALID_BODY, f"There is no user {missing}.", "members")
    return None


def _fault_of_emails(
    tx: RightsTransaction, datasource_id: int, emails: Sequence[str]
) -> Refused | None:
    if not emails:
        return None
    for email in emails:
        before, _, after = email.partition("@")
        if not (before and after) or fault_of(email, length_max=CODE_MAX) is not None:
            detail = (
                f"{email[:CODE_MAX]!r} is no email address of at most {CODE_MAX} characters,"
                " all of them visible."
            )
            return Refused(Fault.INVALID_BODY, detail, EMAIL_FIELD)
    if len({email.casefold() for email in emails}) < len(emails):
        return Refused(Fault.INVALID_BODY, "An address is named twice.", EMAIL_FIELD)
    for used in tx.users.known_emails(datasource_id, emails):
        detail = f"A user has {used!r} already; name them as a member by their id."
        return Refused(Fault.CONFLICT, detail, EMAIL_FIELD)
    role = tx.roles.find(datasource_id, CONTACT)
    if role is None or role.permissions:
        detail = f"It takes a role {CONTACT!r} that grants nothing, and there is none here."
        return Refused(Fault.INVALID_STATE, detail, EMAIL_FIELD)
    return None


def _taken(name: str) -> Refused:
    detail = f"There is a user group {name!r} in this datasource already."
    return Refused(Fault.CONFLICT, detail, "userGroupName")
