"""The answer to an allowed question, remembered for half a minute while its principal is."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from keyhalt.core.refusals import Fault, Refused
from keyhalt.web.forward_auth.assertions import REUSED_SECONDS, Signer, request_digest
from keyhalt.web.forward_auth.identity import (
    HEADER_BYTES_MAX,
    facts_of,
    headers_of,
    names_of,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.problems import Header
    from keyhalt.core.policies import Policy
    from keyhalt.core.principals import Principal
    from keyhalt.web.forward_auth.dialects import Asked

ENTRIES_MAX = 10_000
# The rest of an answer: its status line and what every answer of ours has.
_OTHER_BYTES = 300
_TOO_LARGE = Refused(
    Fault.IDENTITY_TOO_LARGE,
    "What the policy tells of this caller does not fit into 2 kB of headers; let it tell less.",
)


class _Vouched(NamedTuple):
    principal: Principal
    policy: Policy
    signed_at: datetime
    headers: tuple[Header, ...]


class Voucher:
    """Identity headers with their assertion. One per process, used from its event loop.

    A signature is used again only for the very same principal, which is another one as soon as
    what was remembered of it had to be read again.
    """

    def __init__(self, signer: Signer, realm: str, now: Callable[[], datetime]) -> None:
        self._signer = signer
        self._realm = realm
        self._now = now
        self._made: OrderedDict[tuple[int, str], _Vouched] = OrderedDict()

    def headers(
        self, principal: Principal, policy: Policy, asked: Asked
    ) -> tuple[Header, ...] | Refused:
        now = self._now()
        if policy.bound:
            return self._make(principal, policy, asked, now)
        place = (id(principal), policy.name)
        made = self._made.get(place)
        if made is not None and made.principal is principal and made.policy is policy:
            age = now - made.signed_at
            if timedelta(0) <= age <= timedelta(seconds=REUSED_SECONDS):
                return made.headers
        headers = self._make(principal, policy, None, now)
        if not isinstance(headers, Refused):
            self._made.pop(place, None)
            self._made[place] = _Vouched(principal, policy, now, headers)
            if len(self._made) > ENTRIES_MAX:
                self._made.popitem(last=False)
        return headers

    def nobody(self, policy: Policy) -> tuple[Header, ...]:
        """Every header, empty: for a preflight, which has no caller."""
        return tuple((name.lower().encode(), b"") for name in names_of(policy))

    def _make(
        self, principal: Principal, policy: Policy, asked: Asked | None, now: datetime
    ) -> tuple[Header, ...] | Refused:
        facts = facts_of(principal, policy)
        claims = _claims(principal, policy, self._realm, facts)
        if asked is not None:
            uri = asked.path + ("?" + asked.query.decode("latin-1") if asked.query else "")
            claims["request"] = request_digest(asked.method, asked.host, uri)
        headers = headers_of(facts, self._signer.sign(claims, now))
        return headers if size_of(headers) <= HEADER_BYTES_MAX - _OTHER_BYTES else _TOO_LARGE


def _claims(
    principal: Principal, policy: Policy, realm: str, facts: dict[str, str]
) -> dict[str, object]:
    """RFC 7519 names where there is one. `sub` is unique in the environment."""
    claims: dict[str, object] = {
        "iss": realm,
        "aud": policy.name,
        "sub": str(principal.user_id),
        "code": principal.user_code,
        "datasource": principal.datasource,
        "key": facts["Keyhalt-Key-Id"],
    }
    if policy.permissions:
        claims["permissions"] = facts["Keyhalt-Permissions"]
    if policy.topmosts:
        claims["topmosts"] = {name: principal.topmost_ids(name) for name in policy.topmosts}
    return claims
