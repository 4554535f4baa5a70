"""What a person may do on the pages is what their key may do on the API, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from keyhalt.core.decisions import Allowed, Cause, Denied, decide_session
from keyhalt.core.principals import SessionFacts
from keyhalt.usecases.sessions import IDLE
from tests.pages.browsing import create, save_role, send, sign_in
from tests.world import PASSWORD, World

GRANTS = [
    ("orders.view",),
    ("settings.view",),
    ("settings.manage",),
    ("settings.manage", "orders.view"),
    ("*",),
]


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with world.client() as client:
        yield client


@pytest.mark.parametrize("grants", GRANTS, ids=str)
def test_every_page_action_is_allowed_exactly_when_the_api_allows_it(
    world: World, http: TestClient, grants: tuple[str, ...]
) -> None:
    """List, read, create, edit, advise, narrow, delete, both ways, with the same permission."""
    user = world.user("someone", *grants)
    _, text = world.key(user, "own")
    targets = [world.key(user, f"target {n}")[0] for n in range(2)]
    key = {"ECI-ApiKey": text}
    api = [
        http.get("/api/v3/apiKey", headers=key),
        http.get(f"/api/v3/apiKey/{targets[0]}", headers=key),
        http.post("/api/v3/apiKey", headers=key, json={"apiKeyName": "by api"}),
        http.put(f"/api/v3/apiKey/{targets[0]}", headers=key, json={"apiKeyName": "target 0"}),
        http.get("/api/keyhalt/v1/advice", headers=key),
        http.post(
            f"/api/keyhalt/v1/keys/{targets[0]}/narrowing", headers=key, json={"permissions": []}
        ),
        http.delete(f"/api/v3/apiKey/{targets[0]}", headers=key),
    ]
    sign_in(http, "someone")
    pages = [
        http.get("/keys"),
        http.get(f"/keys/{targets[1]}"),
        create(http, "by page"),
        send(http, f"/keys/{targets[1]}", name="target 1", description=""),
        http.get("/keys/advice"),
        send(http, f"/keys/{targets[1]}/narrow", make="yes"),
        send(http, f"/keys/{targets[1]}/delete", name="target 1"),
    ]
    assert [page.status_code == 403 for page in pages] == [a.status_code == 403 for a in api]
    assert all(page.status_code < 404 for page in pages)
    forms = [http.get("/keys/new"), http.get(f"/keys/{targets[1] - 1}/delete")]
    if api[2].status_code == 403:
        assert [form.status_code for form in forms] == [403, 403]
        assert "settings.manage" in forms[0].text


def test_who_may_only_look_sees_why_there_is_nothing_to_press(
    world: World, http: TestClient
) -> None:
    """The permission that is missing, and whom to ask; no dead button."""
    user = world.user("viewer", "settings.view")
    number, _ = world.key(user)
    sign_in(http, "viewer")
    for path in ("/keys", f"/keys/{number}"):
        page = http.get(path).text
        assert "settings.manage" in page
        assert "somebody who manages users" in page
        assert "/keys/new" not in page
        assert "/delete" not in page


def test_a_right_that_is_taken_away_is_gone_at_the_next_request(
    world: World, http: TestClient
) -> None:
    """A session remembers no right."""
    world.user("boss", "*")
    sign_in(http, "boss")
    assert http.get("/keys/new").status_code == 200
    world.grant("boss", "orders.view")
    assert http.get("/keys/new").status_code == 403
    assert create(http, "late").status_code == 403


def test_nobody_reaches_a_key_of_another_datasource(world: World, http: TestClient) -> None:
    """It is not found, whatever is asked of it."""
    from dataclasses import replace

    from tests.world import OPERATOR, ORIGIN

    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    theirs, text = world.key(replace(world, datasource_id=other.id).user("them", "*"), "theirs")
    world.user("boss", "*")
    sign_in(http, "boss")
    assert http.get(f"/keys/{theirs}").status_code == 404
    assert http.get(f"/keys/{theirs}/value").status_code == 404
    assert send(http, f"/keys/{theirs}", name="x", description="").status_code == 404
    assert send(http, f"/keys/{theirs}/delete", name="theirs").status_code == 404
    found = send(http, "/keys/search", q=text)
    assert found.headers["location"].endswith("found=elsewhere")
    assert http.get("/api/v3/me", headers={"ECI-ApiKey": text}).status_code == 200


def test_a_session_ends_unused_after_its_idle_time_and_in_any_case_after_its_life(
    world: World,
) -> None:
    """To the microsecond, and only by the times in its row."""
    user, here, now = world.user("boss", "*"), world.engine.here, world.engine.clock.now()
    instant = timedelta(microseconds=1)
    for seen, left, cause in (
        (IDLE - instant, instant, None),
        (IDLE, instant, Cause.IDLE_SESSION),
        (timedelta(0), timedelta(0), Cause.EXPIRED_SESSION),
    ):
        facts = SessionFacts(1, user.sign_in_generation, now - seen, now + left, False, user)
        decision = decide_session(facts, here, now, IDLE)
        if cause is None:
            assert isinstance(decision, Allowed)
        else:
            assert isinstance(decision, Denied)
            assert decision.cause is cause


@pytest.mark.parametrize("grants", GRANTS, ids=str)
def test_users_roles_and_sessions_are_allowed_exactly_when_the_api_allows_them(
    world: World, http: TestClient, grants: tuple[str, ...]
) -> None:
    """Each action of the pages and its operation, both ways, with the same permission."""
    user = world.user("someone", *grants)
    other = world.user("other", "orders.view")
    robot = world.user("robot", "orders.view", service=True)
    _, text = world.key(user, "own")
    key = {"ECI-ApiKey": text}
    role = {"systemUserRoleName": "by api"}
    ours = f"/api/keyhalt/v1/users/{other.user_id}"
    person = {
        "userCode": "api",
        "fullName": "By Api",
        "email": "a@example.org",
        "password": PASSWORD,
        "userRoleId": other.role_id,
        "active": True,
    }
    edit = {**person, "userCode": "other", "password": None}
    api = [
        http.get(ours, headers=key),
        http.post("/api/keyhalt/v1/users", headers=key, json=person),
        http.put(ours, headers=key, json=edit),
        http.put(f"{ours}/password", headers=key, json={"password": "one for the other"}),
        http.put(ours, headers=key, json={**edit, "active": False}),
        http.put(ours, headers=key, json=edit),
        http.post(
            f"/api/keyhalt/v1/users/{robot.user_id}/keys", headers=key, json={"apiKeyName": "n"}
        ),
        http.get("/api/v3/userrole", headers=key),
        http.get(f"/api/v3/userrole/{other.role_id}", headers=key),
        http.post("/api/v202206/userrole", headers=key, json=role),
        http.put(
            f"/api/v202206/userrole/{other.role_id}",
            headers=key,
            json={"systemUserRoleName": "x"},
        ),
        http.put(
            f"/api/v202206/userrole/{other.role_id}/hidden", headers=key, json={"hidden": True}
        ),
        http.get("/api/keyhalt/v1/me/sessions", headers=key),
        http.put("/api/v3/me", headers=key, json={"fullName": "Me"}),
    ]
    sign_in(http, "someone")
    one, its_role = f"/users/{other.user_id}", f"/roles/{other.role_id}"
    form = {"code": "page", "full_name": "By Page", "email": "p@example.org"}
    form |= {"role": str(other.role_id), "password": PASSWORD}
    pages = [
        http.get(one),
        send(http, "/users/new", **form),
        send(http, one, **form | {"code": "other"}),
        send(http, f"{one}/password", password="another for the other"),
        send(http, f"{one}/deactivate"),
        send(http, f"{one}/activate"),
        send(http, f"/users/{robot.user_id}/keys/new", name="n", description=""),
        http.get("/roles"),
        http.get(its_role),
        send(http, "/roles/new", name="by page", description=""),
        save_role(http, its_role, name="y", description=""),
        send(http, f"{its_role}/hidden", hidden="no"),
        http.get("/me"),
        send(http, "/me", full_name="Me", email="me@example.org"),
    ]
    assert [page.status_code == 403 for page in pages] == [a.status_code == 403 for a in api]
    assert [page.status_code for page in pages if page.status_code not in (200, 303, 403)] == []
    assert [a.status_code for a in api if a.status_code not in (200, 201, 204, 403)] == []
    forms = [http.get(path) for path in ("/users/new", f"{one}/deactivate", "/roles/new")]
    may = "settings.manage" in grants or "*" in grants
    assert {form.status_code for form in forms} == {200 if may else 403}
    assert (http.get("/users").status_code == 403) == (api[0].status_code == 403)


@pytest.mark.parametrize("grants", GRANTS, ids=str)
def test_the_log_is_read_on_a_page_exactly_when_on_the_api(
    world: World, http: TestClient, grants: tuple[str, ...]
) -> None:
    """With the permission of its own; and no link leads to a page that says no."""
    _, text = world.key(world.user("someone", *grants))
    sign_in(http, "someone")
    api = http.get("/api/keyhalt/v1/audit", headers={"ECI-ApiKey": text})
    page = http.get("/activity")
    assert page.status_code == api.status_code
    for address in ("/users", "/roles", "/activity"):
        linked = f'<a href="{address}">' in http.get("/me").text
        assert linked == (http.get(address).status_code == 200), address
