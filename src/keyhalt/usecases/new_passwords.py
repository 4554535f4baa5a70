"""Whether somebody may have this password, and who may give it to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.passwords import fault_of_password
from keyhalt.core.principals import Operator
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.core.decisions import Denied
    from keyhalt.core.passwords import PasswordPolicy
    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.core.profiles import Needs
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.covering import Covering
    from keyhalt.usecases.ports import RightsTransaction


def refuse_password(
    password: Secret, policy: PasswordPolicy, about: Iterable[str], field: str = "password"
) -> Refused | None:
    """None when it may be. `about`: what is known of its user; `field`: its name in the body."""
    detail = fault_of_password(password.reveal(), policy, about)
    return None if detail is None else Refused(Fault.INVALID_BODY, detail, field)


def refuse_to_set(
    tx: RightsTransaction, acting: Acting, user: UserFacts, needs: Needs, covering: Covering
) -> Denied | Refused | None:
    """None when who acts may set the password of `user`, by a reset or by an edit.

    Whoever can set it can sign in as them, so it takes the permission to reset passwords, and to
    cover all of their rights.
    """
    no = check_again(tx, acting, needs.reset_passwords)
    if no is not None:
        return no
    if not isinstance(acting, Operator) and acting.user_id == user.user_id:
        # Else whoever holds a key of somebody could take over the rest of them.
        detail = "Your own password is changed with the old one: POST /api/keyhalt/v1/password."
        return Refused(Fault.INVALID_STATE, detail)
    beyond = covering.refuse(tx, acting, user.power)
    if beyond is not None or not user.service:
        return beyond
    detail = "A service account has no password: it owns keys and never signs in."
    return Refused(Fault.INVALID_STATE, detail, "password")
