"""What the tests of decisions share: facts, texts, and a verifier without stores."""

from __future__ import annotations

import base64
import itertools
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from keyhalt.core import keytext
from keyhalt.core.decisions import (
    Denied,
    Here,
    Presented,
    TokenClaim,
    decide_key,
    decide_token,
    examine,
    permit,
)
from keyhalt.core.permissions import Need, PermissionSet
from keyhalt.core.principals import (
    Credential,
    CredentialKind,
    KeyFacts,
    TokenFacts,
    UserFacts,
)
from keyhalt.core.secrets import Generation, GenerationState, MacKeys, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyhalt.core.decisions import Decision

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
GENERATION = Generation(2, GenerationState.MINT, bytes(range(32)))
LOST = Generation(4, GenerationState.DIGEST_ONLY, b"")
VIEW = Need("meters", "view", PermissionSet(0b1))
TOKEN = b"a-made-up-token"
FOREIGN = b"somebody-elses-key"


def mac_keys() -> MacKeys:
    return MacKeys({2: GENERATION, 4: LOST})


HERE = Here(environment="Lab", product="keyhalt", mac_keys=mac_keys, aliases=frozenset({"Old Lab"}))

OWNER = UserFacts(
    user_id=12,
    user_code="pat",
    full_name="Pat Doe",
    email="pat@example.org",
    datasource_id=3,
    datasource="orchard",
    role_id=7,
    role_name="Reader",
    permissions=VIEW.bits,
    topmosts={"places": (1, 5)},
    active=True,
    datasource_active=True,
    sign_in_generation=6,
)


def minted(generation: Generation = GENERATION, **changes: Any) -> bytes:
    """A key of `OWNER` that nothing is wrong with, but for the changes."""
    facts: dict[str, Any] = {
        "product": "keyhalt",
        "environment": "Lab",
        "datasource": "orchard",
        "user_id": 12,
        "key_id": 345,
        "random": bytes(range(100, 119)),
    }
    return keytext.mint(generation=generation, **(facts | changes)).reveal().encode()


def forged(text: bytes, generation: int = GENERATION.number) -> bytes:
    """The text with a MAC that does not hold and a checksum that does."""
    names, _, last = text.rpartition(b".")
    payload = bytearray(base64.b64decode(last)[:32])
    payload[0] = 0x10 | generation
    payload[31] ^= 1
    checksum = zlib.crc32(names + b"." + payload).to_bytes(4, "big")
    return names + b"." + base64.b64encode(payload + checksum)


def mistyped(text: bytes) -> bytes:
    """The text with its last character wrong: our shape, but the checksum does not hold."""
    return text[:-1] + (b"A" if text[-1:] != b"A" else b"B")


KEY = minted()
ROW = KeyFacts(key_id=345, digest=digest_of(KEY), deleted=False, owner=OWNER)
TOKEN_ROW = TokenFacts(
    token_id=88, sign_in_generation=6, expires_at=NOW + timedelta(hours=1), ended=False, user=OWNER
)
BY_KEY = Credential(CredentialKind.KEY, 345)
BY_TOKEN = Credential(CredentialKind.TOKEN, 88)


def presented(*keys: bytes, bearer: bytes | None = None, **changes: Any) -> Presented:
    authorizations = int(bearer is not None)
    whole = Presented(keys, bearer, authorizations, over_https=True)
    return whole._replace(**changes)


def nothing_in_url(_query: bytes) -> None:
    """A finder that finds no key."""


def verify(
    request: Presented,
    here: Here = HERE,
    *,
    row: KeyFacts | None = ROW,
    token_row: TokenFacts | None = TOKEN_ROW,
    need: Need | None = None,
) -> Decision:
    """Checks 1 to 8 as a verifier runs them, with rows that were read beforehand."""
    claim = examine(request, here, nothing_in_url)
    match claim:
        case Denied():
            return claim
        case TokenClaim():
            decision = decide_token(token_row, here, NOW)
        case _:
            decision = decide_key(claim, row, here)
    if isinstance(decision, Denied):
        return decision
    return permit(decision.principal, need) or decision


def subsets(faults: Iterable[str]) -> Iterator[frozenset[str]]:
    chosen = list(faults)
    for size in range(len(chosen) + 1):
        yield from map(frozenset, itertools.combinations(chosen, size))
