"""Whether somebody may have this password, in the words of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.passwords import fault_of_password
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.core.passwords import PasswordPolicy
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.people import UserDetails
    from keyhalt.usecases.ports import SignInFacts


def refuse_password(
    password: Secret, whose: SignInFacts, field: str = "password"
) -> Refused | None:
    """None when it may be. `field`: its name in the body that it came in."""
    user = whose.user
    about = (user.user_code, user.full_name, user.email, user.datasource)
    return _refused(password, whose.policy, about, field)


def refuse_password_for(
    password: Secret, details: UserDetails, policy: PasswordPolicy
) -> Refused | None:
    """As `refuse_password`, for a user as they shall be. `policy`: of their datasource."""
    about = (details.code, details.full_name, details.email)
    return _refused(password, policy, about, "password")


def _refused(
    password: Secret, policy: PasswordPolicy, about: tuple[str, ...], field: str
) -> Refused | None:
    detail = fault_of_password(password.reveal(), policy, about)
    return None if detail is None else Refused(Fault.INVALID_BODY, detail, field)
