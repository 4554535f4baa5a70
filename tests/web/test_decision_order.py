"""The decision order over the wire: status, challenge, body and audit row of each reason."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.web.asking import KEY_CHALLENGES, assert_denied, get, sign_in
from tests.world import OPERATOR, ORIGIN, PASSWORD, World, make_world


def test_a_key_gets_in_as_its_owner(world: World, http: TestClient) -> None:
    """The request of the seed: a key in ECI-ApiKey, whatever the case of the header's name."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert get(http, ECI_ApiKey=key).json() == [{"orderId": 10}, {"orderId": 11}, {"orderId": 12}]
    assert get(http, eci_apikey=key).status_code == 200


def test_plain_http_is_refused_before_anything_else(world: World, http: TestClient) -> None:
    """Check 1: over HTTP even a good key is refused, and its owner is told to replace it."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    answer = http.get("http://testserver/api/v3/order", headers={"ECI-ApiKey": key})
    assert_denied(answer, world, 400, "https_required", "https_required")
    body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
    answer = http.post("http://testserver/api/v3/login", json=body)
    assert_denied(answer, world, 400, "https_required", "https_required")


def test_insecure_http_lets_plain_http_in_when_it_is_said(world: World) -> None:
    """The installation may say `insecure_http`; then the same key counts."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    second = world.other(insecure_http=True)
    with world.client(second, insecure_http=True) as http:
        answer = http.get("http://testserver/api/v3/order", headers={"ECI-ApiKey": key})
        assert answer.status_code == 200


def test_two_key_headers_are_ambiguous(world: World, http: TestClient) -> None:
    """Check 2: also when both are the same good key."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    answer = http.get("/api/v3/order", headers=[("ECI-ApiKey", key), ("ECI-ApiKey", key)])
    assert_denied(answer, world, 400, "ambiguous_credential", "ambiguous_credential")


def test_a_comma_counts_as_two_keys(world: World, http: TestClient) -> None:
    """Check 2: some proxies join two headers into one."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    answer = get(http, ECI_ApiKey=f"{key},{key}")
    assert_denied(answer, world, 400, "ambiguous_credential", "ambiguous_credential")


def test_no_credential_gets_a_challenge_without_an_error(world: World, http: TestClient) -> None:
    """Check 3, RFC 6750 3: the challenge says what to send, not that something was wrong."""
    answer = get(http)
    assert_denied(answer, world, 401, "missing_credential", "missing_credential", KEY_CHALLENGES)


def test_an_unknown_path_without_credential_is_401_and_with_one_404(
    world: World, http: TestClient
) -> None:
    """Who is nobody learns nothing of what there is."""
    answer = get(http, "/api/v3/nothing")
    assert_denied(answer, world, 401, "missing_credential", "missing_credential", KEY_CHALLENGES)
    _, key = world.key(world.user("jsmith", "orders.view"))
    answer = get(http, "/api/v3/nothing", ECI_ApiKey=key)
    assert_denied(answer, world, 404, "not_found", "not_found")


@pytest.mark.parametrize("name", ["ECI-ApiKey", "eci-apikey", "api_key", "apikey", "x"])
def test_a_key_in_the_url_is_never_read(world: World, http: TestClient, name: str) -> None:
    """Check 3: a good key in the query is named, not used, and its owner is warned."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    answer = http.get("/api/v3/order", params={name: key})
    body = assert_denied(answer, world, 401, "key_in_url", "key_in_url", KEY_CHALLENGES)
    assert key not in answer.text
    again = http.get("/api/v3/order", params={name: key})
    assert again.status_code == 401
    warnings = [e for e in world.events() if e.event == "key.exposed"]
    assert [w.object_id for w in warnings] == [key_id], "once an hour, not once a request"
    assert warnings[0].origin.request_id == body["requestId"]


def test_a_made_up_key_in_the_url_warns_nobody(world: World, http: TestClient) -> None:
    """A warning needs a MAC that holds."""
    answer = http.get("/api/v3/order", params={"api_key": "anything"})
    assert_denied(answer, world, 401, "key_in_url", "key_in_url", KEY_CHALLENGES)
    assert not [e for e in world.events() if e.event == "key.exposed"]


def test_a_mistyped_key_is_malformed(world: World, http: TestClient) -> None:
    """Check 4: one changed character is told as such, and asks no store."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    changed = key[:-3] + ("A" if key[-3] != "A" else "B") + key[-2:]
    answer = get(http, ECI_ApiKey=changed)
    assert_denied(answer, world, 401, "malformed_key", "bad_checksum", KEY_CHALLENGES)


@pytest.mark.parametrize("text", ["", "x", "YOUR_API_KEY", "a.b.c", "ключ", "ÿ" * 90, "k" * 5000])
def test_what_is_no_key_at_all_is_malformed(world: World, http: TestClient, text: str) -> None:
    """Check 4: any other text, of any bytes and length, is one answer."""
    answer = http.get("/api/v3/order", headers=[(b"ECI-ApiKey", text.encode())])
    assert_denied(answer, world, 401, "malformed_key", "foreign_text", KEY_CHALLENGES)


def test_a_key_of_another_environment_is_named_as_such(
    world: World, http: TestClient, tmp_path: Path
) -> None:
    """Check 5, the seed's scope: same datasource name, same user, another environment."""
    elsewhere = make_world(tmp_path / "elsewhere", environment="Production")
    _, key = elsewhere.key(elsewhere.user("jsmith", "orders.view"))
    elsewhere.engine.close()
    world.user("jsmith", "orders.view")
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 401, "wrong_environment", "wrong_environment", KEY_CHALLENGES)


def test_an_alias_of_the_environment_is_this_one(world: World, tmp_path: Path) -> None:
    """Check 5: a name listed as an alias gets as far as the MAC, which is another's."""
    elsewhere = make_world(tmp_path / "elsewhere", environment="Old name")
    _, key = elsewhere.key(elsewhere.user("jsmith", "orders.view"))
    elsewhere.engine.close()
    second = world.other(aliases=frozenset({"Old name"}))
    with world.client(second) as http:
        assert get(http, ECI_ApiKey=key).json()["code"] == "invalid_key"


def test_a_key_edited_to_name_this_environment_fails_on_its_mac(
    world: World, http: TestClient, tmp_path: Path
) -> None:
    """Check 6: its checksum made right again, a forged key still asks no store."""
    elsewhere = make_world(tmp_path / "elsewhere", environment="Production")
    _, key = elsewhere.key(elsewhere.user("jsmith", "orders.view"))
    elsewhere.engine.close()
    world.key(world.user("jsmith", "orders.view"))
    _, whose, payload = key.encode().split(b".")
    body = base64.b64encode(b"keyhalt|Lab") + b"." + whose + b"."
    head = base64.b64decode(payload)[:32]
    crc = zlib.crc32(body + head).to_bytes(4, "big")
    forged = (body + base64.b64encode(head + crc)).decode()
    answer = get(http, ECI_ApiKey=forged)
    assert_denied(answer, world, 401, "invalid_key", "forged_key", KEY_CHALLENGES)


def test_a_deleted_key_is_refused_on_the_next_request(world: World, http: TestClient) -> None:
    """Check 7: 401 from the moment that DELETE returned, though the key was remembered."""
    admin = world.user("admin", "settings.*", "orders.view")
    _, mine = world.key(admin)
    key_id, key = world.key(admin, "doomed")
    assert get(http, ECI_ApiKey=key).status_code == 200
    gone = http.delete(f"/api/v3/apiKey/{key_id}", headers={"ECI-ApiKey": mine})
    assert gone.status_code == 204
    assert f"form={world.form}, waited-ms=" in gone.headers["keyhalt-revocation"]
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 401, "invalid_key", "deleted_key", KEY_CHALLENGES)
    row = world.denials()[-1]
    assert (row.actor.name, row.actor.user_id) == ("admin", admin.user_id)
    assert (row.actor.credential.kind, row.actor.credential.id) == ("key", key_id)


def test_a_key_may_delete_itself(world: World, http: TestClient) -> None:
    """The caller's own key ends like any other: after its 204 it is nobody's."""
    key_id, key = world.key(world.user("admin", "settings.*"))
    headers = {"ECI-ApiKey": key}
    assert http.delete(f"/api/v3/apiKey/{key_id}", headers=headers).status_code == 204
    assert http.delete(f"/api/v3/apiKey/{key_id}", headers=headers).status_code == 401


def test_a_deactivated_owner_rests_the_key_and_reactivation_wakes_it(
    world: World, http: TestClient
) -> None:
    """Check 7: the same effect as deletion, except that it can be taken back."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert get(http, ECI_ApiKey=key).status_code == 200
    world.deactivate("jsmith")
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 401, "invalid_key", "owner_inactive", KEY_CHALLENGES)
    world.activate("jsmith")
    assert get(http, ECI_ApiKey=key).status_code == 200


def test_a_deactivated_datasource_rests_all_its_keys(world: World, http: TestClient) -> None:
    """Check 7: the tenant as a whole."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    world.engine.set_up.set_datasource_active(OPERATOR, "acme", ORIGIN, active=False)
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 401, "invalid_key", "datasource_inactive", KEY_CHALLENGES)
    world.engine.set_up.set_datasource_active(OPERATOR, "acme", ORIGIN, active=True)
    assert get(http, ECI_ApiKey=key).status_code == 200


def test_a_row_pointed_at_another_owner_makes_no_key(world: World, http: TestClient) -> None:
    """Check 7: whoever can write the row cannot lend somebody's key to somebody else."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    boss = world.user("boss", "orders.*", "settings.*")
    with world.engine.stores.rights.begin() as store:
        store.execute(text("UPDATE api_key SET owner_id = :boss"), {"boss": boss.user_id})
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 401, "invalid_key", "row_mismatch", KEY_CHALLENGES)


def test_a_planted_row_makes_no_key(world: World, http: TestClient) -> None:
    """A row with the digest of a text that its writer knows does not make that text a key."""
    world.key(world.user("jsmith", "orders.view"))
    from keyhalt.core.secrets import digest_of

    chosen = "a text that the attacker chose and long enough"
    with world.engine.stores.rights.begin() as store:
        digest = digest_of(chosen.encode())
        store.execute(text("UPDATE api_key SET digest = :digest"), {"digest": digest})
    answer = get(http, ECI_ApiKey=chosen)
    assert_denied(answer, world, 401, "malformed_key", "foreign_text", KEY_CHALLENGES)


def test_unknown_deleted_and_inactive_look_alike_to_the_client(
    world: World, http: TestClient
) -> None:
    """What only the store knows is one answer, to the byte but for the request id."""
    admin = world.user("admin", "settings.*", "orders.view")
    _, mine = world.key(admin)
    key_id, deleted = world.key(admin)
    _, resting = world.key(world.user("sleeper", "orders.view"))
    http.delete(f"/api/v3/apiKey/{key_id}", headers={"ECI-ApiKey": mine})
    world.deactivate("sleeper")
    answers = [
        http.get("/api/v3/order", headers={"ECI-ApiKey": key, "X-Request-Id": "same"})
        for key in (deleted, resting)
    ]
    assert answers[0].content == answers[1].content
    assert {a.headers["x-request-id"] for a in answers} == {"same"}


def test_a_missing_permission_is_403_and_named(world: World, http: TestClient) -> None:
    """Check 8: the owner lacks it, so the key does; the problem says which."""
    _, key = world.key(world.user("jsmith", "projects.view"))
    answer = get(http, ECI_ApiKey=key)
    body = assert_denied(answer, world, 403, "permission_denied", "permission_denied")
    assert body["permission"] == "orders.view"
    assert "orders.view" in body["detail"]
    row = world.denials()[-1]
    assert row.details["permission"] == "orders.view"
    assert (row.actor.name, row.actor.credential.kind) == ("jsmith", "key")


def test_a_permission_taken_away_is_missing_on_the_next_call(
    world: World, http: TestClient
) -> None:
    """Check 8: a key has what its owner has now, not what they had when it was made."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert get(http, ECI_ApiKey=key).status_code == 200
    world.grant("jsmith", "projects.view")
    assert get(http, ECI_ApiKey=key).status_code == 403
    world.grant("jsmith", "orders.view")
    assert get(http, ECI_ApiKey=key).status_code == 200


def test_beyond_the_topmost_is_not_found(world: World, http: TestClient) -> None:
    """Check 9: what lies beside the owner's subtree and what does not exist look alike."""
    _, key = world.key(world.user("jsmith", "orders.view", top=2))
    assert get(http, ECI_ApiKey=key).json() == [{"orderId": 10}, {"orderId": 12}]
    assert get(http, "/api/v3/order/12", ECI_ApiKey=key).json() == {"orderId": 12}
    beyond = get(http, "/api/v3/order/11", ECI_ApiKey=key)
    absent = get(http, "/api/v3/order/99", ECI_ApiKey=key)
    for answer in (beyond, absent):
        assert_denied(answer, world, 404, "not_found", "not_found")
    assert beyond.json()["detail"] == absent.json()["detail"]


def test_a_moved_topmost_counts_on_the_next_call(world: World, http: TestClient) -> None:
    """The subtree is the owner's of now, too."""
    _, key = world.key(world.user("jsmith", "orders.view", top=2))
    assert get(http, "/api/v3/order/11", ECI_ApiKey=key).status_code == 404
    world.engine.manage_users.set_topmosts(
        OPERATOR, world.datasource_id, "jsmith", {"projects": (3,)}, ORIGIN
    )
    assert get(http, "/api/v3/order/11", ECI_ApiKey=key).status_code == 200
    assert get(http, "/api/v3/order/10", ECI_ApiKey=key).status_code == 404


@pytest.mark.parametrize("key", ["absent", "bad", "good"])
@pytest.mark.parametrize("token", ["absent", "bad", "good"])
def test_the_key_wins(world: World, http: TestClient, key: str, token: str) -> None:
    """If there is a key it alone counts, good or bad, whatever the bearer token is."""
    user = world.user("jsmith", "orders.view")
    headers = {}
    if key != "absent":
        headers["ECI-ApiKey"] = world.key(user)[1] if key == "good" else "bad"
    if token != "absent":
        good = sign_in(http, "jsmith").json()["token"]
        headers["Authorization"] = f"bearer {good}" if token == "good" else "Bearer bad"
    counts = key == "good" or (key == "absent" and token == "good")
    assert http.get("/api/v3/order", headers=headers).status_code == (200 if counts else 401)


@pytest.mark.parametrize(("method", "path"), [("POST", "login"), ("GET", "environment")])
def test_operations_for_everybody_ignore_credentials(
    world: World, http: TestClient, method: str, path: str
) -> None:
    """A bad key does not keep anybody from signing in."""
    world.user("jsmith", "orders.view")
    body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
    answer = http.request(
        method,
        f"/api/v3/{path}",
        json=body if method == "POST" else None,
        headers={"ECI-ApiKey": "bad", "Authorization": "Bearer bad"},
    )
    assert answer.status_code == 200


def test_a_store_that_cannot_be_asked_is_503(world: World, http: TestClient) -> None:
    """Fail closed: no answer from memory, no 401 that would make a client throw its key away."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert get(http, ECI_ApiKey=key).status_code == 200
    world.engine.verifying.close()
    answer = get(http, ECI_ApiKey=key)
    assert_denied(answer, world, 503, "unavailable", "store_unavailable")
    assert answer.headers["retry-after"] == "1"
