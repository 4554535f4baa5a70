"""Whether somebody may have this password, in the words of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.passwords import fault_of_password
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.core.passwords import PasswordPolicy
    from keyhalt.core.secrets import Secret


def refuse_password(
    password: Secret, policy: PasswordPolicy, about: Iterable[str], field: str = "password"
) -> Refused | None:
    """None when it may be. `about`: what is known of its user; `field`: its name in the body."""
    detail = fault_of_password(password.reveal(), policy, about)
    return None if detail is None else Refused(Fault.INVALID_BODY, detail, field)
