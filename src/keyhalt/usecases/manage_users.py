"""Make users and change them. Everything a key inherits is given and taken here.

Who may do what to whom stands in `user_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.passwords import PasswordPolicy
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.new_passwords import refuse_password, refuse_to_set
from keyhalt.usecases.new_users import add_user
from keyhalt.usecases.people import UserDraft, UserEdit, fault_of_details
from keyhalt.usecases.ports import DuplicateError
from keyhalt.usecases.user_rules import Plan, UserRules, user_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, Passwords, Rights, RightsTransaction


@dataclass(frozen=True, slots=True)
class Changed:
    """A user after a change of rights, and how it took effect."""

    user: UserFacts
    receipt: Receipt


class ManageUsers:
    """Each verb is one transaction that raises the epoch, then waits until it counts."""

    def __init__(
        self,
        *,
        rights: Rights,
        passwords: Passwords,
        barrier: Barrier,
        clock: Clock,
        rules: UserRules,
    ) -> None:
        self._rights = rights
        self._passwords = passwords
        self._barrier = barrier
        self._clock = clock
        self._rules = rules

    def create(
        self, acting: Acting, datasource_id: int, draft: UserDraft, origin: Origin
    ) -> UserFacts | Denied | Refused:
        """A new user holds nothing that could be remembered, so there is nothing to wait for."""
        refused = fault_of_details(draft.details, service=draft.service)
        password_hash = refused or self._hash_new(datasource_id, draft)
        if isinstance(password_hash, Refused):
            return password_hash
        try:
            with self._rights.change() as tx:
                at = self._clock.now()
                return add_user(
                    tx, self._rules, acting, datasource_id, draft, origin, at, password_hash
                )
        except DuplicateError:
            return _taken(draft.code)

    def edit(
        self, acting: Acting, datasource_id: int, who: str | int, edit: UserEdit, origin: Origin
    ) -> Changed | Denied | Refused:
        """Change a user, by code or id, in one transaction with one epoch."""
        password_hash = self._hash_other(acting, datasource_id, who, edit)
        if isinstance(password_hash, Denied | Refused):
            return password_hash
        try:
            with self._rights.change() as tx:
                plan = self._rules.plan(tx, acting, datasource_id, who, edit)
                if not isinstance(plan, Plan):
                    return plan
                user = plan.row.facts
                changes = _apply(tx, plan, edit)
                if password_hash is not None:
                    tx.users.set_password(
                        datasource_id, user.user_id, password_hash, at=self._clock.now()
                    )
                    changes[Event.USER_SET_PASSWORD] = {}
                epoch = tx.raise_epoch(subject(Kind.USER, user.user_id))
                after = _found(tx, datasource_id, user.user_id)
                for event, change in (changes or {Event.USER_EDIT: {}}).items():
                    details = {"code": user.user_code, **change}
                    self._record(tx, event, acting, after, origin, details, epoch)
        except DuplicateError:
            return _taken(str(edit.details.get("code", "")))
        return Changed(after, self._barrier.wait(epoch))

    def set_active(
        self, acting: Acting, datasource_id: int, who: str | int, origin: Origin, *, active: bool
    ) -> Changed | Denied | Refused:
        """Deactivating ends tokens and sessions for good and lets keys rest until activation."""
        return self.edit(acting, datasource_id, who, UserEdit(active=active), origin)

    def set_role(
        self, acting: Acting, datasource_id: int, who: str | int, role: str | int, origin: Origin
    ) -> Changed | Denied | Refused:
        return self.edit(acting, datasource_id, who, UserEdit(role=role), origin)

    def set_topmosts(
        self,
        acting: Acting,
        datasource_id: int,
        who: str | int,
        topmosts: Mapping[str, tuple[int, ...]],
        origin: Origin,
    ) -> Changed | Denied | Refused:
        """Replace the topmosts of the hierarchies named; the others stay."""
        return self.edit(acting, datasource_id, who, UserEdit(topmosts=topmosts), origin)

    def _hash_new(self, datasource_id: int, draft: UserDraft) -> str | Refused | None:
        if draft.password is None or draft.service:
            return None if draft.password is None else _no_password()
        with self._rights.look() as tx:
            length_min = tx.datasources.policy(datasource_id).password_length_min
        policy = PasswordPolicy(length_min, draft.details.strong_password)
        about = (draft.code, draft.full_name, draft.email)
        refused = refuse_password(draft.password, policy, about)
        return refused or self._passwords.hash(draft.password)

    def _hash_other(
        self, acting: Acting, datasource_id: int, who: str | int, edit: UserEdit
    ) -> str | Denied | Refused | None:
        """Hashed before the transaction; whether it may be set is asked here and in it."""
        if edit.password is None:
            return None
        with self._rights.look() as tx:
            no = check_again(tx, acting, self._rules.needs.manage_users)
            row = None if no else user_row(tx, datasource_id, who)
            if row is None:
                return no or Denied(Reason.NOT_FOUND)
            length_min = tx.datasources.policy(datasource_id).password_length_min
            refused = refuse_to_set(tx, acting, row.facts, self._rules.needs, self._rules.covering)
        details = replace(row.details, **edit.details)
        policy = PasswordPolicy(length_min, details.strong_password)
        about = (details.code, details.full_name, details.email)
        refused = refused or refuse_password(edit.password, policy, about)
        return refused or self._passwords.hash(edit.password)

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Acting,
        user: UserFacts,
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
                datasource_id=user.datasource_id,
                object_type="user",
                object_id=user.user_id,
                details=details,
                epoch=epoch,
            )
        )


def _apply(tx: RightsTransaction, plan: Plan, edit: UserEdit) -> dict[Event, dict[str, object]]:
    """Write what differs; each kind of change is an event of its own, with before and after."""
    user, users = plan.row.facts, tx.users
    where = user.datasource_id, user.user_id
    changes: dict[Event, dict[str, object]] = {}
    if plan.role.id != user.role_id:
        users.set_role(*where, plan.role.id)
        changes[Event.USER_SET_ROLE] = {"before": user.role_name, "after": plan.role.name}
    if plan.topmosts != user.topmosts:
        users.set_topmosts(*where, plan.topmosts)
        before, after = dict(user.topmosts), dict(plan.topmosts)
        changes[Event.USER_SET_TOPMOST] = {"before": before, "after": after}
    if plan.active != user.active:
        users.set_active(*where, active=plan.active)
        changes[Event.USER_ACTIVATE if plan.active else Event.USER_DEACTIVATE] = {}
    said: dict[str, object] = {}
    if plan.details != plan.row.details:
        users.set_details(*where, plan.details)
        said = {name: getattr(plan.details, name) for name in edit.details}
    if edit.groups is not None:
        tx.groups.set_groups_of(*where, edit.groups)
        said["groups"] = list(edit.groups)
    if said:
        changes[Event.USER_EDIT] = said
    return changes


def _found(tx: RightsTransaction, datasource_id: int, user_id: int) -> UserFacts:
    user = tx.users.get(datasource_id, user_id)
    assert user is not None  # noqa: S101 - users are never removed
    return user


def _no_password() -> Refused:
    detail = "A service account has no password: it owns keys and never signs in."
    return Refused(Fault.INVALID_STATE, detail, "password")


def _taken(code: str) -> Refused:
    detail = f"There is a user {code!r} in this datasource already."
    return Refused(Fault.CONFLICT, detail, "userCode")
