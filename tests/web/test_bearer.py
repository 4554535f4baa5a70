"""The deprecated way: signing in for a bearer token, and how tokens end."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.web.asking import KEY_CHALLENGES, TOKEN_CHALLENGES, assert_denied, get, sign_in
from tests.world import OPERATOR, ORIGIN, PASSWORD, World


def test_a_bearer_token_acts_as_its_user_and_is_marked_deprecated(
    world: World, http: TestClient
) -> None:
    """The old way works, says that it is deprecated, and what to read."""
    world.user("jsmith", "orders.view")
    login = sign_in(http, "JSmith")
    assert login.json()["user"] == {"userName": "jsmith", "fullName": "Jsmith"}
    answer = get(http, Authorization=f"bearer {login.json()['token']}")
    assert answer.status_code == 200
    for each in (login, answer, get(http, Authorization="Bearer bad")):
        assert each.headers["deprecation"] == "@1767225600"
        assert each.headers["link"].startswith("</docs/legacy-sign-in>")
        assert "sunset" not in each.headers
    assert http.get("/docs/legacy-sign-in").status_code == 200
    _, key = world.key(world.user("keyed", "orders.view"))
    assert "deprecation" not in get(http, ECI_ApiKey=key).headers


def test_a_bearer_403_has_the_challenge_of_its_scheme(world: World, http: TestClient) -> None:
    """RFC 6750 3.1: insufficient_scope."""
    world.user("jsmith", "projects.view")
    token = sign_in(http, "jsmith").json()["token"]
    answer = get(http, Authorization=f"Bearer {token}")
    challenge = ['Bearer realm="Lab", error="insufficient_scope"']
    assert_denied(answer, world, 403, "permission_denied", "permission_denied", challenge)


def test_an_unknown_token_is_invalid(world: World, http: TestClient) -> None:
    """Check 7' with the challenge of RFC 6750."""
    answer = get(http, Authorization="Bearer made-up")
    assert_denied(answer, world, 401, "invalid_token", "unknown_token", TOKEN_CHALLENGES)


def test_two_authorization_headers_are_ambiguous(world: World, http: TestClient) -> None:
    """Check 2 for the old way."""
    headers = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    answer = http.get("/api/v3/order", headers=headers)
    assert_denied(answer, world, 400, "ambiguous_credential", "ambiguous_credential")


def test_another_scheme_is_no_credential(world: World, http: TestClient) -> None:
    """Basic is not ours; it is as if nothing had been sent."""
    answer = get(http, Authorization="Basic YTpi")
    assert_denied(answer, world, 401, "missing_credential", "missing_credential", KEY_CHALLENGES)


def test_logout_ends_the_token_it_was_sent_and_never_a_key(world: World, http: TestClient) -> None:
    """200 with no body whatever it gets; the token is over, the key is not."""
    user = world.user("jsmith", "orders.view")
    token = sign_in(http, "jsmith").json()["token"]
    other = sign_in(http, "jsmith").json()["token"]
    _, key = world.key(user)
    headers = {"Authorization": f"Bearer {token}", "ECI-ApiKey": key}
    out = http.post("/api/v3/logout", headers=headers)
    assert (out.status_code, out.content) == (200, b"")
    assert http.post("/api/v3/logout").status_code == 200
    answer = get(http, Authorization=f"Bearer {token}")
    assert_denied(answer, world, 401, "invalid_token", "ended_token", TOKEN_CHALLENGES)
    assert get(http, Authorization=f"Bearer {other}").status_code == 200
    assert get(http, ECI_ApiKey=key).status_code == 200


def test_a_token_ends_with_its_sign_in_and_does_not_come_back(
    world: World, http: TestClient
) -> None:
    """Deactivation ends tokens for good; reactivation wakes keys only."""
    user = world.user("jsmith", "orders.view")
    token = sign_in(http, "jsmith").json()["token"]
    _, key = world.key(user)
    world.deactivate("jsmith")
    answer = get(http, Authorization=f"Bearer {token}")
    assert_denied(answer, world, 401, "invalid_token", "owner_inactive", TOKEN_CHALLENGES)
    world.activate("jsmith")
    answer = get(http, Authorization=f"Bearer {token}")
    assert_denied(answer, world, 401, "invalid_token", "earlier_sign_in", TOKEN_CHALLENGES)
    assert get(http, ECI_ApiKey=key).status_code == 200


def test_a_new_password_ends_tokens_and_leaves_keys(world: World, http: TestClient) -> None:
    """A password's change never affects keys."""
    from keyhalt.core.secrets import Secret

    user = world.user("jsmith", "orders.view")
    token = sign_in(http, "jsmith").json()["token"]
    _, key = world.key(user)
    world.engine.reset_password(
        OPERATOR,
        datasource_id=world.datasource_id,
        user_id=user.user_id,
        password=Secret("another long password"),
        must_change=False,
        origin=ORIGIN,
    )
    answer = get(http, Authorization=f"Bearer {token}")
    assert_denied(answer, world, 401, "invalid_token", "earlier_sign_in", TOKEN_CHALLENGES)
    assert get(http, ECI_ApiKey=key).status_code == 200
    assert sign_in(http, "jsmith").status_code == 401
    assert sign_in(http, "jsmith", "another long password").status_code == 200


def test_a_token_expires(world: World) -> None:
    """After its lifetime a token is over."""
    from datetime import timedelta

    world.user("jsmith", "orders.view")
    second = world.other(token_lifetime=timedelta(microseconds=1))
    with world.client(second) as http:
        token = sign_in(http, "jsmith").json()["token"]
        answer = get(http, Authorization=f"Bearer {token}")
        assert answer.json()["code"] == "invalid_token"
        second.recorder.flush()
        assert world.denials()[-1].reason == "expired_token"


def test_legacy_login_off_refuses_tokens_and_sign_ins(world: World) -> None:
    """When the old way is off, it is 401 both to sign in and to use what was given before."""
    user = world.user("jsmith", "orders.view")
    with world.client(world.other()) as http:
        token = sign_in(http, "jsmith").json()["token"]
    second = world.other(legacy_login=False)
    with world.client(second) as http:
        answer = get(http, Authorization=f"Bearer {token}")
        second.recorder.flush()
        off = "legacy_sign_in_off"
        assert_denied(answer, world, 401, "invalid_token", off, TOKEN_CHALLENGES)
        assert sign_in(http, "jsmith").json()["code"] == "invalid_sign_in"
        assert get(http, ECI_ApiKey=world.key(user)[1]).status_code == 200


def test_a_sunset_date_is_told(world: World) -> None:
    """RFC 8594, once a date is set."""
    world.user("jsmith", "orders.view")
    with world.client(world.other(), legacy_sunset="2027-06-30") as http:
        assert sign_in(http, "jsmith").headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"


@pytest.mark.parametrize(
    ("change", "exact"),
    [
        ({"username": "nobody"}, "unknown_user"),
        ({"dataSource": "nowhere"}, "unknown_user"),
        ({"password": "wrong"}, "wrong_password"),
        ({"partition": "Production"}, "other_environment"),
        ({"username": "sleeper"}, "owner_inactive"),
    ],
)
def test_a_refused_sign_in_looks_alike_whatever_the_cause(
    world: World, http: TestClient, change: dict[str, str], exact: str
) -> None:
    """One reason for the client, the exact one in the audit log."""
    world.user("jsmith", "orders.view")
    world.user("sleeper", "orders.view")
    world.deactivate("sleeper")
    body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD, **change}
    answer = http.post("/api/v3/login", json=body)
    assert_denied(answer, world, 401, "invalid_sign_in", exact, KEY_CHALLENGES)
    assert PASSWORD not in answer.text


def test_a_sign_in_may_name_this_environment(world: World, http: TestClient) -> None:
    """`partition` is the environment's name, or empty."""
    world.user("jsmith", "orders.view")
    assert sign_in(http, "jsmith", partition="Lab").status_code == 200
    assert sign_in(http, "jsmith", partition="").status_code == 200
