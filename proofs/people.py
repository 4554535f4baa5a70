"""Who is there: three keys of two users, who have a role each, in one datasource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core import keytext
from keyhalt.core.decisions import Here, Presented, examine
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import KeyFacts, UserFacts
from keyhalt.core.secrets import Generation, GenerationState, MacKeys, digest_of

if TYPE_CHECKING:
    from proofs.database import State

DATASOURCE = 1
KEYS = {1: 11, 2: 11, 3: 12}
"""Key to owner."""
USERS = {11: 21, 12: 22}
"""User to role."""

_MINTING = Generation(1, GenerationState.MINT, bytes(range(32)))
_MAC_KEYS = MacKeys({1: _MINTING})
HERE = Here(environment="Lab", product="keyhalt", mac_keys=lambda: _MAC_KEYS)


def _text(key: int) -> bytes:
    return (
        keytext.mint(
            generation=_MINTING,
            product="keyhalt",
            environment="Lab",
            datasource="acme",
            user_id=KEYS[key],
            key_id=key,
            random=bytes([key] * 19),
        )
        .reveal()
        .encode()
    )


TEXTS = {key: _text(key) for key in KEYS}
DIGESTS = {key: digest_of(text) for key, text in TEXTS.items()}
PRESENTED = {key: Presented(keys=(text,), over_https=True) for key, text in TEXTS.items()}
CLAIMS = {presented: examine(presented, HERE, lambda _: None) for presented in PRESENTED.values()}
"""Pure, and made once."""


def facts_of(key: int, state: State) -> KeyFacts:
    """What one statement reads of `key` in `state`."""
    user = KEYS[key]
    role = USERS[user]
    owner = UserFacts(
        user_id=user,
        user_code=f"u{user}",
        full_name="",
        email="",
        datasource_id=DATASOURCE,
        datasource="acme",
        role_id=role,
        role_name=f"r{role}",
        permissions=PermissionSet(state.roles[role]),
        topmosts={},
        active=user not in state.inactive,
        datasource_active=state.datasource_active,
        sign_in_generation=1,
    )
    return KeyFacts(key, DIGESTS[key], key in state.deleted, owner)
