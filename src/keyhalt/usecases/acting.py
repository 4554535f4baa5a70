"""Checking again, inside the transaction, what the caller was allowed before it (ASVS 15.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.decisions import Cause, Denied, Reason, permit
from keyhalt.core.principals import Acting, CredentialKind, Operator, principal_of

if TYPE_CHECKING:
    from keyhalt.core.permissions import Need
    from keyhalt.usecases.ports import RightsTransaction


def check_again(tx: RightsTransaction, acting: Acting, need: Need) -> Denied | None:
    """Whether `acting` still is active and still has `need`, as this transaction sees it.

    An operator is not asked: whoever can write the store's files needs no permission in it.
    """
    if isinstance(acting, Operator):
        return None
    user = tx.users.get(acting.datasource_id, acting.user_id)
    if user is None or not (user.active and user.datasource_active):
        return _ended(acting.credential.kind, Cause.OWNER_INACTIVE)
    if acting.credential.kind is CredentialKind.KEY:
        key = tx.keys.get(acting.datasource_id, acting.credential.id)
        if key is None or key.deleted_at is not None:
            return _ended(acting.credential.kind, Cause.DELETED_KEY)
    return permit(principal_of(user, acting.credential, acting.environment), need)


def _ended(kind: CredentialKind, cause: Cause) -> Denied:
    if kind is CredentialKind.KEY:
        return Denied(Reason.INVALID_KEY, cause)
    return Denied(Reason.INVALID_TOKEN, cause, by_bearer=kind is CredentialKind.TOKEN)
