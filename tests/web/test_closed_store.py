"""A store that was put back under a running server: 503 to all, until it is opened again."""

from __future__ import annotations

from pathlib import Path

from keyhalt.core.decisions import Cause, Denied
from keyhalt.upkeep import Upkeep
from keyhalt.usecases.reopen import Accepted, Opened
from tests.storage.test_guard import ask
from tests.world import OPERATOR, ORIGIN, PASSWORD, World


def test_nobody_is_let_in_by_a_store_that_was_put_back(world: World, tmp_path: Path) -> None:
    """No key, no token, no password; opened again, keys count, and tokens are over."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    upkeep = Upkeep(world.options)
    without_memory = world.other(cache=False)
    login = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
    with world.client() as http:
        signed_in = http.post("/api/v3/login", json=login).json()
        token = {"Authorization": f"Bearer {signed_in['token']}"}
        upkeep.backup(tmp_path / "copy", mac_keys=False)
        world.deactivate("jsmith")
        assert http.get("/api/v3/order", headers={"ECI-ApiKey": key}).status_code == 401
        upkeep.restore(tmp_path / "copy")
        for answer in (
            http.post("/api/v3/login", json=login),
            http.get("/api/v3/order", headers={"ECI-ApiKey": key}),
            http.get("/api/v3/order", headers=token),
            http.get("/readyz"),
        ):
            assert answer.status_code == 503, answer.text
        decision = ask(without_memory, key)
        assert isinstance(decision, Denied)
        assert decision.cause is Cause.STORE_UNAVAILABLE
        with upkeep.reopening() as verb:
            opened = verb(OPERATOR, (), Accepted(epochs=[range(10**6)]), ORIGIN)
        assert isinstance(opened, Opened)
        assert http.get("/api/v3/order", headers={"ECI-ApiKey": key}).status_code == 200
        assert http.get("/api/v3/order", headers=token).status_code == 401
        assert http.get("/readyz").status_code == 200
