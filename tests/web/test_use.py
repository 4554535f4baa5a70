"""A request counts once: as allowed by what permission, or as denied by what reason."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from keyhalt.core.permissions import PermissionSet
from keyhalt.usecases.uses import KeyUse
from tests.web.asking import sign_in
from tests.world import OPERATOR, ORIGIN, World

Key = tuple[int, str]


def use_of(world: World, key: Key) -> KeyUse:
    world.engine.use_recorder.flush()
    return world.engine.look_up_use.of(world.datasource_id, [key[0]])[key[0]]


def counts(world: World, key: Key) -> tuple[int, dict[str, int]]:
    use = use_of(world, key)
    return sum(day.allowed for day in use.days), dict(use.denied)


def permissions(world: World, *names: str) -> PermissionSet:
    catalogue = world.engine.profile.catalogue
    return PermissionSet(sum(catalogue.need(*name.split(".")).bits for name in names))


def ask(http: TestClient, key: Key, path: str, method: str = "GET", **more: Any) -> int:
    headers = {"ECI-ApiKey": key[1], "User-Agent": "python-requests/2.32.3"}
    return http.request(method, path, headers=headers, **more).status_code


@pytest.fixture
def key(world: World) -> Key:
    return world.key(world.user("jsmith", "orders.view", "settings.view"))


def test_what_is_allowed_counts_with_its_operation_and_permission(
    world: World, http: TestClient, key: Key
) -> None:
    """Each request once, also those that need nothing; the last one is shown."""
    assert ask(http, key, "/api/v3/me") == 200
    assert ask(http, key, "/api/v3/order") == 200
    assert ask(http, key, "/API/V3/Order/10") == 200
    assert counts(world, key) == (3, {})
    use = use_of(world, key)
    assert use.permissions == permissions(world, "orders.view")
    assert use.last is not None
    assert (use.last.agent, use.last.operation) == ("python-requests", "GET /api/v3/order/10")


@pytest.mark.parametrize(
    ("path", "method", "reason"),
    [
        ("/api/v3/order", "POST", "permission_denied"),
        ("/api/v3/order/99", "GET", "not_found"),
        ("/api/v3/nothing", "GET", "not_found"),
    ],
)
def test_what_is_denied_after_the_key_was_known_counts_as_denied_alone(
    world: World, http: TestClient, key: Key, path: str, method: str, reason: str
) -> None:
    """Check 8 and 9 come after the credential; the request is not counted as allowed as well."""
    assert ask(http, key, path, method, json={"title": "x"}) in (403, 404)
    assert counts(world, key) == (0, {reason: 1})
    assert use_of(world, key).last is None


def test_a_key_that_ended_counts_by_the_exact_reason(
    world: World, http: TestClient, key: Key
) -> None:
    """What its client is not told, who looks after it is."""
    ask(http, key, "/api/v3/order")
    world.deactivate("jsmith")
    assert ask(http, key, "/api/v3/order") == 401
    assert counts(world, key) == (1, {"owner_inactive": 1})


def test_a_bug_in_a_handler_is_a_use(world: World, http: TestClient, key: Key) -> None:
    """The key was let through; what became of it is another matter."""
    assert ask(http, key, "/api/v3/order/fail") == 500
    assert counts(world, key) == (1, {})


def test_a_bearer_token_is_no_use_of_a_key(world: World, http: TestClient, key: Key) -> None:
    """Its row may have the same number."""
    token = sign_in(http, "jsmith")
    http.get("/api/v3/order", headers={"Authorization": f"Bearer {token}"})
    assert counts(world, key) == (0, {})


def test_use_is_kept_across_a_clean_stop(world: World, key: Key) -> None:
    """Whatever was counted is written when the process ends."""
    other = world.other()
    with world.client(other) as http:
        ask(http, key, "/api/v3/order")
    used = world.engine.look_up_use.of(world.datasource_id, [key[0]])[key[0]]
    assert used.last_24_hours == (1, 0)


def test_use_is_read_on_the_wire(world: World, http: TestClient, key: Key) -> None:
    """By whoever may see keys, of this datasource; a key that was never used has none."""
    unused = world.key(world.user("other"))
    for _ in range(2):
        ask(http, key, "/api/v3/order")
    world.engine.use_recorder.flush()
    headers = {"ECI-ApiKey": key[1]}
    used = http.get(f"/api/keyhalt/v1/keys/{key[0]}/use?days=1", headers=headers).json()
    assert used["last24Hours"] == {"allowed": 2, "denied": 0}
    assert [day["allowed"] for day in used["days"]] == [2]
    assert used["permissions"] == ["orders.view"]
    assert used["lateSeconds"] == 60
    nothing = http.get(f"/api/keyhalt/v1/keys/{unused[0]}/use", headers=headers).json()
    assert nothing["lastUsed"] is None
    assert nothing["days"] == []
    last = http.get("/api/keyhalt/v1/keys/use", headers=headers).json()
    assert [row["keyId"] for row in last["keys"]] == [key[0]]
    assert ask(http, unused, "/api/keyhalt/v1/keys/use") == 403


@pytest.mark.parametrize("days", ["0", "367", "-1", "x", "1.5", "", "9" * 40])
def test_days_that_cannot_be_are_refused(http: TestClient, key: Key, days: str) -> None:
    """In words, and with the name of what is wrong."""
    answer = http.get(
        f"/api/keyhalt/v1/keys/{key[0]}/use?days={days}", headers={"ECI-ApiKey": key[1]}
    )
    assert answer.status_code == 400
    assert "days" in answer.text


def test_a_key_of_another_datasource_is_not_there(world: World, http: TestClient, key: Key) -> None:
    """As if it had never been."""
    assert ask(http, key, f"/api/keyhalt/v1/keys/{key[0] + 1}/use") == 404


def test_forward_auth_counts_what_the_client_asked_its_proxy(world: World, key: Key) -> None:
    """Its source, its request and the permission of the rule; a refusal as denied alone."""
    policy = """
        name = "orders"
        case = "exact"
        [[rule]]
        methods = ["GET"]
        path = "/orders/{id}"
        permission = "orders.view"
        """
    world.engine.manage_policies.apply(OPERATOR, policy, ORIGIN)
    headers = {
        "ECI-ApiKey": key[1],
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": "api.example",
        "X-Forwarded-Method": "GET",
    }
    address = "http://internal:8081/forward-auth/generic/orders"
    with world.client(internal_port=8081) as http:
        for path in ("/orders/17", "/else"):
            http.get(address, headers={**headers, "X-Forwarded-Uri": path})
    use = world.engine.look_up_use.of(world.datasource_id, [key[0]])[key[0]]
    assert use.last is not None
    assert (use.last.operation, use.last.network) == ("orders: GET /orders/17", "203.0.113.0/24")
    assert use.permissions == permissions(world, "orders.view")
    assert (use.last_24_hours, dict(use.denied)) == ((1, 1), {"not_in_policy": 1})


def test_a_question_of_a_remote_verifier_is_a_use(world: World, key: Key) -> None:
    """Where the client came from is what the asker says; what it did, the asker knows."""
    body = {"overHttps": True, "apiKey": key[1], "source": "203.0.113.9"}
    with world.client(internal_port=8081) as http:
        for permission in ("orders.view", "orders.create"):
            asked = {**body, "permission": permission}
            http.post("http://internal:8081/api/keyhalt/v1/verify", json=asked)
    use = world.engine.look_up_use.of(world.datasource_id, [key[0]])[key[0]]
    assert use.last is not None
    assert (use.last.network, use.last.operation) == ("203.0.113.0/24", "")
    assert use.permissions == permissions(world, "orders.view")
    assert (use.last_24_hours, dict(use.denied)) == ((1, 1), {"permission_denied": 1})
