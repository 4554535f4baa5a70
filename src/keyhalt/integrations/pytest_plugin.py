"""A pytest plugin: keys for tests of an app behind Keyhalt, with no store and no server.

    def test_orders(client, keyhalt_key):
        key = keyhalt_key(permissions=["orders.view"])
        assert client.get("/orders", headers={"ECI-ApiKey": key}).status_code == 200

The app under test takes the fixture `keyhalt_verifier` as its verifier.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from keyhalt.client.credentials import key_in_query
from keyhalt.client.names import Names
from keyhalt.core import keytext
from keyhalt.core.decisions import (
    Allowed,
    Decision,
    Denied,
    Here,
    Presented,
    Reason,
    TokenClaim,
    decide_key,
    examine,
)
from keyhalt.core.principals import Credential, CredentialKind, Principal, UserFacts
from keyhalt.core.secrets import Generation, GenerationState, MacKeys, digest_of

if TYPE_CHECKING:
    from keyhalt.core.audit import Origin
    from keyhalt.core.permissions import Need

MakeKey = Callable[..., str]
_GENERATION = Generation(0, GenerationState.MINT, bytes(32))


class StubVerifier:
    """Decides as the engine does, on keys that a test made. Over plain HTTP, too.

    `denied` has what it refused, oldest first.
    """

    realm = "Test"

    def __init__(self) -> None:
        keys = MacKeys({0: _GENERATION})
        self._here = Here("Test", "keyhalt", lambda: keys, insecure_http=True)
        self._principals: dict[bytes, Principal] = {}
        self._ids = itertools.count(1)
        self._names = Names()
        self.denied: list[Denied] = []

    def make_key(
        self,
        permissions: Sequence[str] = (),
        *,
        user_code: str = "tester",
        datasource: str = "test",
        topmosts: Mapping[str, Sequence[int]] | None = None,
    ) -> str:
        """The text of a new key whose owner has exactly `permissions`."""
        number = next(self._ids)
        text = keytext.mint(
            product="keyhalt",
            environment="Test",
            datasource=datasource,
            user_id=number,
            key_id=number,
            generation=_GENERATION,
            random=os.urandom(19),
        ).reveal()
        user = UserFacts(
            user_id=number,
            user_code=user_code,
            full_name=user_code.title(),
            email="",
            datasource_id=1,
            datasource=datasource,
            role_id=number,
            role_name="Test",
            permissions=self._names.bits(permissions),
            topmosts={name: tuple(ids) for name, ids in (topmosts or {}).items()},
            active=True,
            datasource_active=True,
            sign_in_generation=0,
        )
        credential = Credential(CredentialKind.KEY, number)
        self._principals[digest_of(text.encode())] = Principal("Test", user, credential)
        return text

    def delete_key(self, text: str) -> None:
        """From here on the key is nobody's."""
        del self._principals[digest_of(text.encode())]

    def need(self, name: str) -> Need:
        return self._names.need(name)

    def remembered(self, key: bytes | None, over_https: bool, /) -> None:  # noqa: FBT001 - see Remembered
        del key, over_https

    async def verify(self, presented: Presented) -> Decision:
        claim = examine(presented, self._here, key_in_query)
        if isinstance(claim, Denied):
            return claim
        if isinstance(claim, TokenClaim):
            return Denied(Reason.INVALID_TOKEN, by_bearer=True)
        principal = self._principals.get(claim.digest)
        return decide_key(claim, None, self._here) if principal is None else Allowed(principal)

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        del origin
        self.denied.append(denied)
        return denied

    def used(self, principal: Principal, *how: object) -> None:
        """Nothing is counted here."""


@pytest.fixture
def keyhalt_verifier() -> StubVerifier:
    """What the app under test is given as its verifier."""
    return StubVerifier()


@pytest.fixture
def keyhalt_key(keyhalt_verifier: StubVerifier) -> MakeKey:
    """Makes keys: `keyhalt_key(permissions=["orders.view"], user_code="jsmith")`."""
    return keyhalt_verifier.make_key
