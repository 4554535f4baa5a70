"""The fixtures that other people's tests use, used here as they would."""

from __future__ import annotations

from typing import Any

from keyhalt.integrations.pytest_plugin import MakeKey, StubVerifier
from tests.integrations.apps import APPS, Ask


class Closing:
    """The stub as an app's verifier; nothing to close."""

    def __init__(self, stub: StubVerifier) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stub, name)

    def close(self) -> None:
        pass


def orders(ask: Ask, key: str, path: str = "/orders") -> Any:
    return ask(path, ("ECI-ApiKey", key), scheme="http")


def test_a_key_has_exactly_the_permissions_it_was_made_with(
    keyhalt_verifier: StubVerifier, keyhalt_key: MakeKey
) -> None:
    """In an app that knows nothing of a test, without a store."""
    with APPS["fastapi"](lambda: Closing(keyhalt_verifier)) as ask:
        key = keyhalt_key(permissions=["orders.view"], user_code="jsmith")
        assert orders(ask, key).json == {"by": "jsmith"}
        assert orders(ask, key, "/orders/new").status == 403
        assert orders(ask, keyhalt_key()).status == 403
        keyhalt_verifier.delete_key(key)
        assert orders(ask, key).status == 401
        assert orders(ask, "nonsense").json["code"] == "malformed_key"
    assert [denied.reason.value for denied in keyhalt_verifier.denied] == [
        "permission_denied",
        "permission_denied",
        "invalid_key",
        "malformed_key",
    ]


def test_the_stub_reads_requests_as_the_engine_does(keyhalt_verifier: StubVerifier) -> None:
    """Two keys, a key in the URL, a bearer token: the same reasons."""
    with APPS["starlette"](lambda: Closing(keyhalt_verifier)) as ask:
        two = ask("/orders", ("ECI-ApiKey", "a"), ("ECI-ApiKey", "b"))
        assert two.json["code"] == "ambiguous_credential"
        assert ask("/orders?apiKey=abc").json["code"] == "key_in_url"
        token = ask("/orders", ("Authorization", "Bearer abc"))
        assert token.json["code"] == "invalid_token"
