"""What logs and traces may say of a request that is over. Nothing in it could be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.client.middleware import DENIED, PRINCIPAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.client.middleware import Scope
    from keyhalt.core.decisions import Denied
    from keyhalt.core.principals import Principal

ROUTE = "keyhalt.route"
TRACE_ID = "keyhalt.trace_id"


def observed(scope: Scope) -> Mapping[str, object]:
    """By the names that docs/watching.md gives them; what is not known is left out.

    `outcome`: `allowed` or `denied`; neither where nobody was asked for a credential.
    """
    denied: Denied | None = scope.get(DENIED)
    principal: Principal | None = scope.get(PRINCIPAL)
    who = denied if denied is not None and denied.user_id is not None else principal
    said: dict[str, object] = {
        "request_id": scope.get("keyhalt.request_id"),
        "trace_id": scope.get(TRACE_ID),
        "route": scope.get(ROUTE),
        "outcome": "denied" if denied is not None else "allowed" if principal else None,
        "reason": None if denied is None else denied.exact.value,
    }
    if who is not None:
        credential = who.credential
        said["user_id"] = who.user_id
        said["credential"] = None if credential is None else f"{credential.kind} {credential.id}"
    return {name: value for name, value in said.items() if value is not None}
