"""Another key in the place of one: of a service account that may do just what that one did.

`plan` says what it would be allowed, and replays what is known of the old key: what of that
would have been refused. `make` does it in one transaction. The owner, their role and the old key
stay as they are; advice watches the old key from then on. Who makes it needs what making a role,
a service account and its key needs, and covers what they get (`Covering`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.permissions import NOTHING, CatalogueError, PermissionSet, covers, union
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.making_keys import Issued, key_of_key
from keyhalt.usecases.people import FULL_NAME_MAX, UserDraft, fault_of_details, fault_of_role
from keyhalt.usecases.ports import DuplicateError
from keyhalt.usecases.rows import NewUser, RoleRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.making_keys import KeyMaker
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.usecases.user_rules import UserRules
    from keyhalt.usecases.uses import History, UseReader

DAYS = 90


@dataclass(frozen=True, slots=True)
class Missing:
    """A permission that the old key used and the new one would not have.

    `weeks`: in how many of the weeks of which callers are kept, and by whom.
    """

    permission: str
    last_day: date
    weeks: int
    by: tuple[str, ...]
    held: bool
    """Whether the owner still has it."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What would be made of a key. `missing`: what of its past would have been refused."""

    key: KeyRow
    held: int
    permissions: Sequence[str]
    missing: Sequence[Missing]
    gives_rights: bool
    """It may change what others may do, which then ends at these permissions as well."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted instead of what is proposed; None: as proposed.

    `permissions`: names such as `meters.view`; as proposed, those used in the last `days`.
    """

    days: int = DAYS
    permissions: Sequence[str] | None = None
    user_code: str | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    issued: Issued
    owner: UserFacts
    role: RoleRow


class NarrowKey:
    def __init__(
        self,
        *,
        rights: Rights,
        needs: Needs,
        rules: UserRules,
        uses: UseReader,
        maker: KeyMaker,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._needs = needs
        self._rules = rules
        self._uses = uses
        self._maker = maker
        self._clock = clock

    @property
    def _catalogue(self) -> Catalogue:
        return self._rules.covering.catalogue

    def plan(self, datasource_id: int, key_id: int, wish: Wish) -> Narrowing | Denied | Refused:
        """A dry run: changes nothing. What the caller may see was decided before."""
        history = self._uses.history(datasource_id, key_id)
        with self._rights.look() as tx:
            old = _old(tx, datasource_id, key_id)
            if isinstance(old, Denied):
                return old
        key, owner = old
        wanted = self._wanted(owner, history, wish)
        if isinstance(wanted, Refused):
            return wanted
        gives = (self._needs.manage_users, self._needs.manage_roles)
        return Narrowing(
            key=key,
            held=owner.permissions.bit_count(),
            permissions=list(self._catalogue.names(wanted)),
            missing=[
                self._missing(bit, day, history, owner)
                for bit, day in history.last_days.items()
                if not covers(wanted, bit)
            ],
            gives_rights=any(covers(wanted, each.bits) for each in gives),
        )

    def make(
        self, acting: Acting, *, datasource_id: int, key_id: int, wish: Wish, origin: Origin
    ) -> Narrowed | Denied | Refused:
        """Role, service account and key are one transaction: there are all of them or none.

        It raises no epoch: nothing that was there gains or loses a right.
        """
        history = self._uses.history(datasource_id, key_id)
        try:
            with self._rights.change() as tx:
                no = check_again(tx, acting, self._needs.manage_keys) or key_of_key(tx, acting)
                old = no or _old(tx, datasource_id, key_id)
                if isinstance(old, Denied):
                    return old
                return self._make(tx, acting, old, history, wish, origin)
        except DuplicateError:
            detail = "There is such a service account or role already; say another user code."
            return Refused(Fault.CONFLICT, detail, "userCode")

    def _make(
        self,
        tx: RightsTransaction,
        acting: Acting,
        old: tuple[KeyRow, UserFacts],
        history: History,
        wish: Wish,
        origin: Origin,
    ) -> Narrowed | Denied | Refused:
        key, owner = old
        where = key.datasource_id
        permissions = self._wanted(owner, history, wish)
        if isinstance(permissions, Refused):
            return permissions
        draft = _draft(tx, key, owner, wish)
        says = f"What key {key.id} used, for a key in its place."
        role = RoleRow(0, draft.code, says, permissions, read_only=False, hidden=False)
        no = (
            fault_of_details(draft.details, service=True)
            or fault_of_role(role.name, role.description)
            or check_again(tx, acting, self._needs.manage_roles)
            or self._rules.may_make(tx, acting, where, role, draft)
            or (None if owner.datasource_active else _resting(owner))
        )
        if no is not None:
            return no
        # From here on nothing refuses, so that there is all of it or, by an exception, none.
        role = replace(role, id=tx.roles.add(where, role))
        new = NewUser(draft.details, role.id, None, draft.topmosts, self._clock.now(), service=True)
        service = tx.users.get(where, tx.users.add(where, new))
        assert service is not None  # noqa: S101 - this transaction wrote it
        grants = {"name": role.name, "grants": list(self._catalogue.names(permissions))}
        self._record(tx, Event.ROLE_CREATE, acting, where, ("role", role.id), origin, grants)
        about: dict[str, object] = {"code": draft.code, "role": role.name, "service": True}
        about["topmosts"] = dict(draft.topmosts)
        self._record(tx, Event.USER_CREATE, acting, where, ("user", service.user_id), origin, about)
        issued = self._maker.make(
            tx,
            acting,
            where,
            service.user_id,
            key.name,
            key.description,
            origin=origin,
            in_place_of=key.id,
        )
        assert isinstance(issued, Issued)  # noqa: S101 - its owner was made active just now
        return Narrowed(issued, service, role)

    def _wanted(self, owner: UserFacts, history: History, wish: Wish) -> PermissionSet | Refused:
        """Never more than the owner has now."""
        if wish.permissions is None:
            since = (self._clock.now() - timedelta(days=wish.days)).date()
            used = [bit for bit, day in history.last_days.items() if day >= since]
            wanted = PermissionSet(union(*used) & owner.permissions)
            if wanted == NOTHING:
                detail = f"In {wish.days} days it used no permission that its owner has."
                return Refused(Fault.INVALID_STATE, detail)
            return wanted
        try:
            wanted = union(*(self._catalogue.grants(name) for name in wish.permissions))
        except CatalogueError as error:
            return Refused(Fault.INVALID_BODY, f"{error}.", "permissions")
        for beyond in self._catalogue.names(PermissionSet(wanted & ~owner.permissions)):
            detail = f"The owner of the key has not {beyond!r}; it could not use that either."
            return Refused(Fault.INVALID_BODY, detail, "permissions")
        if wanted == NOTHING:
            return Refused(Fault.INVALID_BODY, "Say at least one permission.", "permissions")
        return wanted

    def _missing(
        self, bit: PermissionSet, day: date, history: History, owner: UserFacts
    ) -> Missing:
        name = next(self._catalogue.names(bit), "a permission that this version does not know")
        seen = [each for each in history.callers if covers(each.permissions, bit)]
        by = dict.fromkeys(" from ".join(w for w in (s.agent, s.network) if w) for s in seen)
        weeks = len({each.week for each in seen})
        return Missing(name, day, weeks, tuple(by), covers(owner.permissions, bit))

    def _record(  # noqa: PLR0917
        self,
        tx: RightsTransaction,
        event: Event,
        acting: Acting,
        datasource_id: int,
        what: tuple[str, int],
        origin: Origin,
        details: Mapping[str, object],
    ) -> None:
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=datasource_id,
                object_type=what[0],
                object_id=what[1],
                details=details,
            )
        )


def _old(
    tx: RightsTransaction, datasource_id: int, key_id: int
) -> tuple[KeyRow, UserFacts] | Denied:
    key = tx.keys.get(datasource_id, key_id)
    owner = None if key is None else tx.users.get(datasource_id, key.owner_id)
    if key is None or owner is None or key.deleted_at is not None:
        return Denied(Reason.NOT_FOUND)
    return key, owner


def _resting(owner: UserFacts) -> Refused:
    return Refused(Fault.INVALID_STATE, f"{owner.datasource} is deactivated.")


def _draft(tx: RightsTransaction, key: KeyRow, owner: UserFacts, wish: Wish) -> UserDraft:
    """What the owner sees and may approve, and no more."""
    row = tx.users.row(key.datasource_id, owner.user_id)
    limit = row.details.max_approval_amount if row else 0
    return UserDraft(
        code=wish.user_code or f"key-{key.id}",
        full_name=key.name[:FULL_NAME_MAX].strip(),
        email="",
        role="",
        password=None,
        topmosts=owner.topmosts,
        service=True,
        more={"max_approval_amount": limit},
    )
