"""Whether somebody may have this password, in the words of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.passwords import fault_of_password
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.rows import SignInFacts


def refuse_password(
    password: Secret, whose: SignInFacts, field: str = "password"
) -> Refused | None:
    """None when it may be. `field`: its name in the body that it came in."""
    user = whose.user
    about = (user.user_code, user.full_name, user.email, user.datasource)
    detail = fault_of_password(password.reveal(), whose.policy, about)
    return None if detail is None else Refused(Fault.INVALID_BODY, detail, field)
