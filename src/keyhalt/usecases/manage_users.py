"""The operator's verbs about users. Everything a key inherits is changed here.

On the wire these come with the rules against escalation; the operator, who owns the store's
files, needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.names import fault_of, has_unseen
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import DuplicateError, NewUser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyhalt.core.principals import Operator, UserFacts
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.ports import Barrier, Clock, Passwords, Receipt, Rights, RightsTransaction

CODE_MAX = 65
FULL_NAME_MAX = 32
EMAIL_MAX = 128
PASSWORD_MIN = 15
PASSWORD_MAX = 128


@dataclass(frozen=True, slots=True)
class UserDraft:
    """A user to be made. `password` None: cannot sign in, as a service account."""

    code: str
    full_name: str
    email: str
    role: str
    password: Secret | None
    topmosts: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Changed:
    """A user after a change of rights, and how it took effect."""

    user: UserFacts
    receipt: Receipt


def fault_of_password(password: Secret) -> Refused | None:
    """NIST SP 800-63B-4: length is what counts; no rules about characters."""
    length = len(password.reveal())
    if PASSWORD_MIN <= length <= PASSWORD_MAX and not has_unseen(password.reveal()):
        return None
    detail = (
        f"A password has {PASSWORD_MIN} to {PASSWORD_MAX} characters and no control characters;"
        " several words are a good one."
    )
    return Refused(Fault.INVALID_BODY, detail, "password")


class ManageUsers:
    """Each verb is one transaction that raises the epoch, then waits until it counts."""

    def __init__(
        self, *, rights: Rights, passwords: Passwords, barrier: Barrier, clock: Clock
    ) -> None:
        self._rights = rights
        self._passwords = passwords
        self._barrier = barrier
        self._clock = clock

    def create(
        self, acting: Operator, datasource_id: int, draft: UserDraft, origin: Origin
    ) -> UserFacts | Denied | Refused:
        """A new user holds nothing that could be remembered, so there is nothing to wait for."""
        refused = _fault_of_draft(draft)
        if refused is not None:
            return refused
        password_hash = self._passwords.hash(draft.password) if draft.password else None
        try:
            with self._rights.change() as tx:
                role = tx.roles.find(datasource_id, draft.role)
                if role is None:
                    return _no_role(draft.role)
                new = NewUser(
                    code=draft.code,
                    full_name=draft.full_name,
                    email=draft.email,
                    role_id=role.id,
                    password_hash=password_hash,
                    topmosts=draft.topmosts,
                    created_at=self._clock.now(),
                )
                user_id = tx.users.add(datasource_id, new)
                details = {"code": draft.code, "role": role.name}
                self._record(tx, Event.USER_CREATE, acting, datasource_id, user_id, origin, details)
                user = tx.users.get(datasource_id, user_id)
                assert user is not None  # noqa: S101 - this transaction wrote it
                return user
        except DuplicateError:
            detail = f"There is a user {draft.code!r} in this datasource already."
            return Refused(Fault.CONFLICT, detail, "userCode")

    def set_active(
        self, acting: Operator, datasource_id: int, code: str, origin: Origin, *, active: bool
    ) -> Changed | Denied | Refused:
        """Deactivating ends tokens and sessions for good and lets keys rest until activation."""

        def change(tx: RightsTransaction, user: UserFacts) -> dict[str, object]:
            tx.users.set_active(datasource_id, user.user_id, active=active)
            return {"code": user.user_code}

        event = Event.USER_ACTIVATE if active else Event.USER_DEACTIVATE
        return self._change(acting, datasource_id, code, origin, event, change)

    def set_role(
        self, acting: Operator, datasource_id: int, code: str, role_name: str, origin: Origin
    ) -> Changed | Denied | Refused:
        def change(tx: RightsTransaction, user: UserFacts) -> dict[str, object] | Refused:
            role = tx.roles.find(datasource_id, role_name)
            if role is None:
                return _no_role(role_name)
            tx.users.set_role(datasource_id, user.user_id, role.id)
            return {"code": user.user_code, "before": user.role_name, "after": role.name}

        return self._change(acting, datasource_id, code, origin, Event.USER_SET_ROLE, change)

    def set_topmosts(
        self,
        acting: Operator,
        datasource_id: int,
        code: str,
        topmosts: Mapping[str, tuple[int, ...]],
        origin: Origin,
    ) -> Changed | Denied | Refused:
        """Replace the topmosts of the hierarchies named; the others stay."""

        def change(tx: RightsTransaction, user: UserFacts) -> dict[str, object]:
            after = {**user.topmosts, **topmosts}
            tx.users.set_topmosts(datasource_id, user.user_id, after)
            return {"code": user.user_code, "before": dict(user.topmosts), "after": after}

        return self._change(acting, datasource_id, code, origin, Event.USER_SET_TOPMOST, change)

    def set_password(
        self, acting: Operator, datasource_id: int, code: str, password: Secret, origin: Origin
    ) -> Changed | Denied | Refused:
        """Ends the user's tokens and sessions; keys are not touched."""
        refused = fault_of_password(password)
        if refused is not None:
            return refused
        password_hash = self._passwords.hash(password)

        def change(tx: RightsTransaction, user: UserFacts) -> dict[str, object]:
            tx.users.set_password(datasource_id, user.user_id, password_hash, at=self._clock.now())
            return {"code": user.user_code}

        return self._change(acting, datasource_id, code, origin, Event.USER_SET_PASSWORD, change)

    def _change(
        self,
        acting: Operator,
        datasource_id: int,
        code: str,
        origin: Origin,
        event: Event,
        change: Callable[[RightsTransaction, UserFacts], dict[str, object] | Refused],
    ) -> Changed | Denied | Refused:
        with self._rights.change() as tx:
            user = tx.users.find(datasource_id, code)
            if user is None:
                return Denied(Reason.NOT_FOUND)
            details = change(tx, user)
            if isinstance(details, Refused):
                return details
            epoch = tx.raise_epoch(subject(Kind.USER, user.user_id))
            self._record(tx, event, acting, datasource_id, user.user_id, origin, details, epoch)
            after = tx.users.get(datasource_id, user.user_id)
            assert after is not None  # noqa: S101 - users are never removed
        return Changed(after, self._barrier.wait(epoch))

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Operator,
        datasource_id: int,
        user_id: int,
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
                object_type="user",
                object_id=user_id,
                details=details,
                epoch=epoch,
            )
        )


def _no_role(name: str) -> Refused:
    return Refused(Fault.INVALID_BODY, f"There is no role {name!r} in this datasource.", "role")


def _fault_of_draft(draft: UserDraft) -> Refused | None:
    for what, text, length_max, field in (
        ("user's code", draft.code, CODE_MAX, "userCode"),
        ("user's full name", draft.full_name, FULL_NAME_MAX, "fullName"),
    ):
        fault = fault_of(text, length_max=length_max)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"A {what} {fault}.", field)
    if draft.email:
        fault = fault_of(draft.email, length_max=EMAIL_MAX)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"An email address {fault}.", "email")
    return fault_of_password(draft.password) if draft.password else None
