"""Every check of a change of a user, before anything of it is written.

Who acts covers whomever they touch, before and after (`Covering`): nobody gives a permission, a
role or a topmost that they do not have, nor takes over, weakens or ends somebody who has more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.permissions import Power, covers
from keyhalt.core.principals import Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again, sees_hidden_roles, strips_last_manager
from keyhalt.usecases.new_passwords import refuse_to_set
from keyhalt.usecases.people import fault_of_details

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.people import UserDetails, UserDraft, UserEdit, UserRow
    from keyhalt.usecases.ports import RightsTransaction
    from keyhalt.usecases.rows import RoleRow


@dataclass(frozen=True, slots=True)
class Plan:
    """A user as it is, and as it shall be."""

    row: UserRow
    role: RoleRow
    topmosts: Mapping[str, tuple[int, ...]]
    active: bool
    details: UserDetails


@dataclass(frozen=True, slots=True)
class UserRules:
    needs: Needs
    covering: Covering

    def new_role(
        self, tx: RightsTransaction, acting: Acting, datasource_id: int, draft: UserDraft
    ) -> RoleRow | Denied | Refused:
        """The role of a user to be made, if it may be made."""
        no = check_again(tx, acting, self.needs.manage_users)
        role = no or self._role(tx, acting, datasource_id, draft.role)
        if isinstance(role, Denied | Refused):
            return role
        return self.may_make(tx, acting, datasource_id, role, draft) or role

    def may_make(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        role: RoleRow,
        draft: UserDraft,
    ) -> Denied | Refused | None:
        """Whether a user may be made who has this role, which need not be there yet."""
        return (
            check_again(tx, acting, self.needs.manage_users)
            or self.covering.refuse(tx, acting, Power(role.permissions, draft.topmosts))
            or _beyond_approval(tx, acting, None, draft.details)
            or _fault_of_groups(tx, datasource_id, draft.groups)
        )

    def plan(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        who: str | int,
        edit: UserEdit,
    ) -> Plan | Denied | Refused:
        """A user, by code or id, as it shall be, if it may be so."""
        no = check_again(tx, acting, self.needs.manage_users)
        row = no or user_row(tx, datasource_id, who)
        if row is None or isinstance(row, Denied):
            return row or Denied(Reason.NOT_FOUND)
        user = row.facts
        wanted = user.role_id if edit.role is None else edit.role
        role = self._role(tx, acting, datasource_id, wanted, has=user.role_id)
        if isinstance(role, Refused):
            return role
        plan = Plan(
            row=row,
            role=role,
            topmosts={**user.topmosts, **edit.topmosts},
            active=user.active if edit.active is None else edit.active,
            details=replace(row.details, **edit.details),
        )
        after = Power(role.permissions, plan.topmosts)
        if edit.password is not None:
            refused = refuse_to_set(tx, acting, user, self.needs, self.covering)
            if refused is not None:
                return refused
        return (
            self.covering.refuse(tx, acting, user.power, after)
            or _beyond_approval(tx, acting, row.details, plan.details)
            or _fault_of_groups(tx, datasource_id, edit.groups or ())
            or _fault_of_change(plan)
            or self._leaves_no_manager(tx, acting, datasource_id, plan)
            or plan
        )

    def _role(
        self,
        tx: RightsTransaction,
        acting: Acting,
        datasource_id: int,
        wanted: str | int,
        *,
        has: int | None = None,
    ) -> RoleRow | Refused:
        """A role that who acts may name; a hidden one may be kept by the user who `has` it."""
        if isinstance(wanted, str):
            role, field = tx.roles.find(datasource_id, wanted), "role"
        else:
            role, field = tx.roles.get(datasource_id, wanted), "userRoleId"
        if role is not None and (
            not role.hidden or role.id == has or sees_hidden_roles(tx, acting, self.needs)
        ):
            return role
        return Refused(
            Fault.INVALID_BODY, f"There is no role {wanted!r} in this datasource.", field
        )

    def _leaves_no_manager(
        self, tx: RightsTransaction, acting: Acting, datasource_id: int, plan: Plan
    ) -> Refused | None:
        bits, user = self.needs.manage_users.bits, plan.row.facts
        manages = user.active and not user.service and covers(user.permissions, bits)
        if not manages or (plan.active and covers(plan.role.permissions, bits)):
            return None
        return strips_last_manager(tx, acting, datasource_id, self.needs, but_user=user.user_id)


def user_row(tx: RightsTransaction, datasource_id: int, who: str | int) -> UserRow | None:
    """A user by code or id."""
    if isinstance(who, int):
        return tx.users.row(datasource_id, who)
    user: UserFacts | None = tx.users.find(datasource_id, who)
    return None if user is None else tx.users.row(datasource_id, user.user_id)


def _fault_of_change(plan: Plan) -> Refused | None:
    if plan.details == plan.row.details:
        return None
    return fault_of_details(plan.details, service=plan.row.facts.service)


def _beyond_approval(
    tx: RightsTransaction, acting: Acting, before: UserDetails | None, after: UserDetails
) -> Denied | None:
    """Nobody lets somebody approve more than they may themselves."""
    new = after.max_approval_amount
    if isinstance(acting, Operator) or (before and before.max_approval_amount == new):
        return None
    own = tx.users.row(acting.datasource_id, acting.user_id)
    limit = own.details.max_approval_amount if own else 0
    if limit is None or (new is not None and new <= limit):
        return None
    return Denied(Reason.BEYOND_OWN_RIGHTS, need=f"an approval limit above {limit}")


def _fault_of_groups(
    tx: RightsTransaction, datasource_id: int, group_ids: Sequence[int]
) -> Refused | None:
    for missing in tx.groups.missing(datasource_id, group_ids):
        return Refused(Fault.INVALID_BODY, f"There is no user group {missing}.", "userGroups")
    return None
