"""The answer to an allowed question, remembered for half a minute while its principal is."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from keyhalt.client.problems import Header
from keyhalt.core.principals import CredentialKind
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
    from collections.abc import Iterable

    from keyhalt.core.policies import Policy
    from keyhalt.core.principals import Principal
    from keyhalt.usecases.ports import Clock
    from keyhalt.web.forward_auth.dialects import Asked

ENTRIES_MAX = 10_000
# The rest of an answer: its status line and what every answer of ours has.
_OTHER_BYTES = 300
_ALWAYS: tuple[Header, ...] = ((b"content-length", b"0"), (b"cache-control", b"no-store"))
_KEY: Header = (b"x-envoy-auth-headers-to-remove", b"eci-apikey")
_KEY_AND_TOKEN: Header = (b"x-envoy-auth-headers-to-remove", b"eci-apikey,authorization")
_TOO_LARGE = Refused(
    Fault.IDENTITY_TOO_LARGE,
    "What the policy tells of this caller does not fit into 2 kB of headers; let it tell less.",
)


class Vouched:
    """A yes, as it is sent: the headers of the answer; `stripping`: with what Envoy takes away."""

    __slots__ = ("headers", "policy", "principal", "stripping", "until")

    def __init__(self, identity: Iterable[Header], removes: Header = _KEY) -> None:
        self.headers: list[Header] = [*_ALWAYS, *identity]
        self.stripping: list[Header] = [*self.headers, removes]
        self.principal: Principal | None = None
        self.policy: Policy | None = None
        self.until = 0.0


class Voucher:
    """Identity headers with their assertion. One per process, used from its event loop.

    A signature is used again only for the very same principal, which is another one as soon as
    what was remembered of it had to be read again.
    """

    def __init__(self, signer: Signer, realm: str, clock: Clock) -> None:
        self._signer = signer
        self._realm = realm
        self._clock = clock
        self._monotonic = clock.monotonic
        self._made: OrderedDict[tuple[int, str], Vouched] = OrderedDict()

    def vouch(self, principal: Principal, policy: Policy, asked: Asked) -> Vouched | Refused:
        if policy.bound:
            return self._make(principal, policy, asked)
        place = (id(principal), policy.name)
        made = self._made.get(place)
        if (
            made is not None
            and made.principal is principal
            and made.policy is policy
            and self._monotonic() < made.until
        ):
            return made
        vouched = self._make(principal, policy, None)
        if isinstance(vouched, Vouched):
            vouched.principal, vouched.policy = principal, policy
            vouched.until = self._monotonic() + REUSED_SECONDS
            self._made.pop(place, None)
            self._made[place] = vouched
            if len(self._made) > ENTRIES_MAX:
                self._made.popitem(last=False)
        return vouched

    def nobody(self, policy: Policy) -> Vouched:
        """Every header, empty: for a preflight, which has no caller."""
        return Vouched((name.lower().encode(), b"") for name in names_of(policy))

    def _make(self, principal: Principal, policy: Policy, asked: Asked | None) -> Vouched | Refused:
        facts = facts_of(principal, policy)
        claims = _claims(principal, policy, self._realm, facts)
        if asked is not None:
            uri = asked.path + (b"?" + asked.query if asked.query else b"")
            claims["request"] = request_digest(asked.method, asked.host, uri)
        headers = headers_of(facts, self._signer.sign(claims, self._clock.now()))
        if size_of(headers) > HEADER_BYTES_MAX - _OTHER_BYTES:
            return _TOO_LARGE
        by_key = principal.credential.kind is CredentialKind.KEY
        return Vouched(headers, _KEY if by_key else _KEY_AND_TOKEN)


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
