"""Checking again, inside the transaction, what the caller was allowed before it (ASVS 15.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.decisions import Cause, Denied, Reason, permit
from keyhalt.core.principals import Acting, CredentialKind, Operator, Principal
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.core.permissions import Need
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.ports import RightsTransaction


def check_again(tx: RightsTransaction, acting: Acting, need: Need | None) -> Denied | None:
    """Whether `acting` still is active and still has `need`, as this transaction sees it.

    An operator is not asked: whoever can write the store's files needs no permission in it.
    """
    if isinstance(acting, Operator):
        return None
    user = tx.users.get(acting.datasource_id, acting.user_id)
    if user is None or not (user.active and user.datasource_active):
        return _ended(acting.credential.kind, Cause.OWNER_INACTIVE)
    if acting.credential.kind is CredentialKind.KEY:
        key = tx.keys.facts(acting.datasource_id, acting.credential.id)
        if key is None or key.deleted or key.frozen:
            frozen = key is not None and key.frozen
            cause = Cause.FROZEN_KEY if frozen else Cause.DELETED_KEY
            return _ended(acting.credential.kind, cause)
    return permit(Principal(acting.environment, user, acting.credential), need)


def sees_hidden_roles(tx: RightsTransaction, acting: Acting, needs: Needs) -> bool:
    """Roles that are hidden exist only for those who manage roles."""
    return check_again(tx, acting, needs.manage_roles) is None


def strips_last_manager(
    tx: RightsTransaction,
    acting: Acting,
    datasource_id: int,
    needs: Needs,
    *,
    but_user: int | None = None,
    but_role: int | None = None,
) -> Refused | None:
    """Refused when nobody could manage users without this user, or without the users of this role.

    An operator may: the files' owner can always make another.
    """
    if isinstance(acting, Operator):
        return None
    bits = needs.manage_users.bits
    if tx.users.any_person_with(datasource_id, bits, but_user=but_user, but_role=but_role):
        return None
    detail = "Nobody would be left who can manage users here; give that to somebody else first."
    return Refused(Fault.INVALID_STATE, detail)


def _ended(kind: CredentialKind, cause: Cause) -> Denied:
    if kind is CredentialKind.KEY:
        return Denied(Reason.INVALID_KEY, cause)
    if kind is CredentialKind.SESSION:
        return Denied(Reason.INVALID_SESSION, cause)
    return Denied(Reason.INVALID_TOKEN, cause, by_bearer=kind is CredentialKind.TOKEN)
