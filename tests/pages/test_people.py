"""My account, Users and Roles: what an administrator does around keys."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, update
from starlette.testclient import TestClient

from keyhalt.core.principals import UserFacts
from keyhalt.storage.schema import user as user_table
from keyhalt.storage.schema import web_session
from tests.pages.browsing import create, save_role, send, sign_in, value_in
from tests.world import PASSWORD, World


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    """Somebody who manages everything, signed in."""
    world.user("boss", "*")
    assert sign_in(http, "boss").status_code == 303
    return http


def role_id(world: World, code: str) -> int:
    found = world.engine.look_up.user(world.datasource_id, code)
    assert found is not None
    return found.role_id


def form_of(world: World, user: UserFacts, **changes: str) -> dict[str, str]:
    return {
        "code": user.user_code,
        "full_name": user.full_name,
        "email": user.email,
        "role": str(user.role_id),
        "top-project": "1",
        **changes,
    }


def test_a_person_is_made_and_chooses_a_password_of_their_own(
    boss: TestClient, world: World
) -> None:
    """The first one is good for choosing another only; what is wrong keeps what was typed."""
    clerk = world.user("clerk", "orders.view")
    form = form_of(world, clerk, code="anna", full_name="Anna", email="anna@example.org")
    missing = send(boss, "/users/new", **form, password="")
    assert missing.status_code == 400
    assert "needs a password" in missing.text
    assert 'value="anna"' in missing.text
    made = send(boss, "/users/new", **form, password="first of anna's words")
    assert "The user is made" in boss.get(made.headers["location"]).text
    assert "Anna" in boss.get("/users?q=ANN").text
    with world.client(world.other()) as other:
        page = sign_in(other, "anna", "first of anna's words")
        assert "has to be changed" in page.text
    twice = send(boss, "/users/new", **form, password="first of anna's words")
    assert twice.status_code == 409
    assert "already" in twice.text


def test_a_user_is_edited_and_what_they_may_follows_at_once(boss: TestClient, world: World) -> None:
    """Name, role and topmosts, in one form, and its keys with it."""
    clerk = world.user("clerk", "orders.view")
    reader = world.user("reader", "projects.view")
    _, key = world.key(clerk)
    headers = {"ECI-ApiKey": key}
    assert boss.get("/api/v3/order", headers=headers).status_code == 200
    form = form_of(world, clerk, full_name="Renamed", role=str(reader.role_id))
    page = send(boss, f"/users/{clerk.user_id}", **form | {"top-project": "2, 3"})
    assert "In effect everywhere" in page.text
    assert boss.get("/api/v3/order", headers=headers).status_code == 403
    after = world.engine.look_up.user(world.datasource_id, "clerk")
    assert after is not None
    assert (after.full_name, after.topmosts) == ("Renamed", {"projects": (2, 3)})
    wrong = send(boss, f"/users/{clerk.user_id}", **form | {"top-project": "two"})
    assert wrong.status_code == 400
    assert "are ids such as" in wrong.text
    assert 'value="two"' in wrong.text


def test_before_a_deactivation_stands_what_it_will_stop(boss: TestClient, world: World) -> None:
    """How many keys and which, and who could own others; after it they rest, then count again."""
    gone = world.user("gone", "orders.view")
    keys = [world.key(gone, f"meter reader {n}")[1] for n in range(3)]
    one = f"/users/{gone.user_id}"
    asked = boss.get(f"{one}/deactivate").text
    assert "This will stop: 3 keys" in asked
    assert "meter reader 2" in asked
    assert "nobody else has it" in asked
    done = send(boss, f"{one}/deactivate")
    assert "Deactivated. In effect everywhere" in done.text
    for key in keys:
        assert boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code == 401
    assert "Activated. In effect" in send(boss, f"{one}/activate").text
    assert boss.get("/api/v3/me", headers={"ECI-ApiKey": keys[0]}).status_code == 200


def test_nobody_deactivates_the_last_who_manages_users(boss: TestClient, world: World) -> None:
    """The page says why, and everything stays."""
    own = re.search(r"/users/(\d+)\">Boss", boss.get("/users").text)
    assert own
    refused = send(boss, f"/users/{own[1]}/deactivate")
    assert refused.status_code == 400
    assert "Nobody would be left" in refused.text
    assert boss.get("/users").status_code == 200


def test_another_password_for_somebody_ends_their_sessions(boss: TestClient, world: World) -> None:
    """And is good for choosing another one; a weak one is refused with the rule."""
    clerk = world.user("clerk", "orders.view")
    with world.client(world.other()) as other:
        sign_in(other, "clerk")
        assert other.get("/me").status_code == 200
        assert send(boss, f"/users/{clerk.user_id}/password", password="short").status_code == 400
        done = send(boss, f"/users/{clerk.user_id}/password", password="given by the boss 1")
        assert "The password is set" in done.text
        assert "given by" not in done.text
        assert other.get("/me", follow_redirects=False).status_code == 303
        assert "has to be changed" in sign_in(other, "clerk", "given by the boss 1").text


def test_after_a_reset_the_keys_made_since_the_old_password_are_offered_to_be_ended(
    boss: TestClient, world: World
) -> None:
    """Only to who manages keys; a time that is none ends nothing."""
    clerk = world.user("clerk", "orders.view")
    keys = [world.key(clerk, f"key {n}")[1] for n in range(2)]
    done = send(boss, f"/users/{clerk.user_id}/password", password="given by the boss 1")
    assert "2 keys were made since the password of before" in done.text
    (since,) = re.findall(r'name="since" value="([^"]+)"', done.text)
    end = f"/users/{clerk.user_id}/end-keys"
    for wrong in ("", "yesterday", "2026-01-01"):
        assert send(boss, end, since=wrong).status_code == 400
    with world.client(world.other()) as http:
        alive = [http.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code for key in keys]
        assert alive == [200, 200]
        world.user("helper", "settings.view")
        sign_in(http, "helper")
        assert send(http, end, since=since).status_code == 403
        ended = send(boss, end, since=since)
        assert "2 keys ended for ever." in ended.text
        alive = [http.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code for key in keys]
        assert alive == [401, 401]
    assert "0 keys ended" in send(boss, end, since=since).text


def test_a_key_of_a_service_account_is_made_on_its_page_and_shown_once(
    boss: TestClient, world: World
) -> None:
    """It acts as the account, not as who made it; a person gets no key from others."""
    robot = world.user("robot", "orders.view", service=True)
    new = f"/users/{robot.user_id}/keys/new"
    assert "acts as the service account robot" in boss.get(new).text
    made = send(boss, new, name="nightly", description="")
    key = value_in(boss.get(made.headers["location"]).text)
    me = boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).json()
    assert me["systemUserCode"] == "robot"
    clerk = world.user("clerk", "orders.view")
    assert boss.get(f"/users/{clerk.user_id}/keys/new").status_code == 404


def test_a_role_changes_after_its_difference_was_seen(boss: TestClient, world: World) -> None:
    """What is given and taken, and whom it touches; only the second form changes anything."""
    clerk = world.user("clerk", "orders.view", "projects.view")
    role = f"/roles/{clerk.role_id}"
    form = {"name": "clerk only", "description": "", "orders.view": "on", "orders.create": "on"}
    seen = send(boss, role, **form).text
    assert "+ orders.create" in seen
    assert "- projects.view" in seen
    assert "orders.view</code>" not in seen
    assert "1 user has this role" in seen
    before = world.engine.look_up.user(world.datasource_id, "clerk")
    assert before == clerk
    done = save_role(boss, role, **form)
    assert "Saved. In effect everywhere" in done.text
    after = world.engine.look_up.role(world.datasource_id, "clerk only")
    assert after is not None
    names = set(world.engine.profile.catalogue.names(after.permissions))
    assert names == {"orders.view", "orders.create"}
    assert send(boss, role, **form).headers["location"].endswith("said=same")


def test_a_difference_that_is_out_of_date_is_shown_again(boss: TestClient, world: World) -> None:
    """Somebody else changed the role between the two forms: nothing is written over."""
    clerk = world.user("clerk", "orders.view")
    role = f"/roles/{clerk.role_id}"
    seen = send(boss, role, name="clerk only", description="", **{"projects.view": "on"}).text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', seen))
    world.grant("clerk", "orders.view", "orders.delete")
    again = send(boss, role, **hidden).text
    assert "Somebody else changed this role" in again
    assert "- orders.delete" in again
    now = world.engine.look_up.role(world.datasource_id, "clerk only")
    assert now is not None
    assert "orders.delete" in world.engine.profile.catalogue.names(now.permissions)


def test_roles_are_made_hidden_and_deleted_and_built_in_ones_copied(
    boss: TestClient, world: World
) -> None:
    """Nobody's role is deleted, and who has a role is a click away."""
    clerk = world.user("clerk", "orders.view")
    built_in = next(
        row for row in world.engine.look_up.roles(world.datasource_id) if row.name == "Clerk"
    )
    page = boss.get(f"/roles/{built_in.id}").text
    assert "built in and does not change" in page
    copy = boss.get(f"/roles/new?from={built_in.id}").text
    assert 'name="orders.view" checked' in copy
    assert 'name="orders.create">' in copy
    made = send(boss, "/roles/new", name="Mine", description="", **{"orders.view": "on"})
    one = made.headers["location"].partition("?")[0]
    send(boss, f"{one}/hidden", hidden="yes")
    assert "Hidden" in boss.get("/roles").text
    assert send(boss, f"{one}/delete").headers["location"] == "/roles?said=gone"
    kept = send(boss, f"/roles/{clerk.role_id}/delete")
    assert kept.status_code == 400
    holders = boss.get(f"/users?role={clerk.role_id}").text
    assert "clerk@example.org" in holders
    assert "boss@example.org" not in holders


def test_my_account_ends_a_session_and_no_other_persons(boss: TestClient, world: World) -> None:
    """On the page and on the API alike; another's is not found."""
    clerk = world.user("clerk", "orders.view")
    _, key = world.key(clerk)
    with world.client(world.other()) as other:
        sign_in(other, "clerk")
        mine = boss.get("/api/keyhalt/v1/me/sessions", headers={"ECI-ApiKey": key}).json()
        (number,) = [each["sessionId"] for each in mine]
        assert f"/me/sessions/{number}/end" in other.get("/me").text
        assert send(boss, f"/me/sessions/{number}/end").status_code == 404
        path = f"/api/keyhalt/v1/me/sessions/{number}"
        assert boss.delete(path, headers={"ECI-ApiKey": key}).status_code == 204
        assert other.get("/me", follow_redirects=False).status_code == 303
        assert boss.delete(path, headers={"ECI-ApiKey": key}).status_code == 404
    ended = re.search(r"/me/sessions/(\d+)/end", boss.get("/me").text)
    assert ended
    assert send(boss, ended[0]).status_code == 303
    assert boss.get("/me", follow_redirects=False).headers["location"].startswith("/sign-in")


def test_my_account_edits_how_i_am_called(boss: TestClient) -> None:
    """And says what is wrong with it."""
    assert send(boss, "/me", full_name="Big Boss", email="b@example.org").status_code == 303
    assert "Big Boss" in boss.get("/me").text
    wrong = send(boss, "/me", full_name="", email="b@example.org")
    assert wrong.status_code == 400
    assert 'role="alert"' in wrong.text


def test_an_old_sign_in_makes_no_key_without_the_password(boss: TestClient, world: World) -> None:
    """Who sits at a desk that somebody left does not; what was typed stays."""
    assert "Your password" not in boss.get("/keys/new").text
    from datetime import timedelta

    older = update(web_session).values(expires_at=world.engine.clock.now() + timedelta(hours=11))
    with world.engine.stores.signins.begin() as connection:
        connection.execute(older)
    assert "Your password" in boss.get("/keys/new").text
    for wrong in ({}, {"password": "not the password"}):
        refused = send(boss, "/keys/new", name="sneaky", description="", **wrong)
        assert refused.status_code == 403
        assert 'value="sneaky"' in refused.text
    assert world.engine.look_up.keys(world.datasource_id) == []
    done = send(boss, "/keys/new", name="fine", description="", password=PASSWORD)
    assert value_in(boss.get(done.headers["location"]).text)


@pytest.mark.parametrize("path", ["/keys", "/users", "/roles", "/me"])
def test_a_list_costs_as_many_statements_for_1000_rows_as_for_10(
    boss: TestClient, world: World, path: str
) -> None:
    """None for each row, and a page stays a page."""
    clerk = world.user("clerk", "orders.view")
    number, _ = world.key(clerk)
    seen: list[str] = []
    for engine in (world.engine.stores.rights, world.engine.stores.signins):
        event.listen(
            engine,
            "before_cursor_execute",
            lambda _c, _cursor, statement, *_rest: seen.append(statement),
        )

    def cost() -> int:
        seen.clear()
        page = boss.get(path)
        assert page.status_code == 200
        assert len(page.content) < 60_000
        return len(seen)

    _many(world, number, 10)
    few = cost()
    _many(world, number, 1000)
    assert cost() == few


def _many(world: World, key_id: int, count: int) -> None:
    """That many users and keys, copied from the first ones in two statements."""
    from sqlalchemy import Integer, String, cast, insert, literal_column, select

    from keyhalt.storage.schema import api_key

    numbers = select(literal_column("1").label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count))
    with world.engine.stores.rights.begin() as connection:
        for table, which, unique in (
            (user_table, user_table.c.code == "clerk", ("code", "code_folded")),
            (api_key, api_key.c.id == key_id, ()),
        ):
            columns = [c for c in table.c if c.name not in ("id", "digest")]
            values = [
                (c + "-" + cast(numbers.c.n, String) + f"-{count}") if c.name in unique else c
                for c in columns
            ]
            rows = select(*values).select_from(table.join(numbers, cast(1, Integer) == 1))
            names = [c.name for c in columns]
            connection.execute(insert(table).from_select(names, rows.where(which)))


def test_nobody_gives_beyond_their_own(world: World, http: TestClient) -> None:
    """On pages as on the API: a role with more is refused in words, and nothing changes."""
    world.user("small", "settings.view", "settings.manage", "orders.view")
    big = world.user("big", "*")
    clerk = world.user("clerk", "orders.view")
    sign_in(http, "small")
    form = form_of(world, clerk, role=str(big.role_id))
    assert send(http, f"/users/{clerk.user_id}", **form).status_code == 403
    assert send(http, f"/users/{big.user_id}/deactivate").status_code == 403
    made = send(http, "/roles/new", name="more", description="", **{"orders.delete": "on"})
    assert made.status_code == 403
    after = world.engine.look_up.user(world.datasource_id, "clerk")
    assert after is not None
    assert after.role_id == clerk.role_id


def test_a_key_of_an_owner_is_found_from_their_page(boss: TestClient, world: World) -> None:
    """The list of keys, of this owner only."""
    clerk = world.user("clerk", "orders.view")
    world.key(clerk, "theirs")
    create(boss, "own")
    page = boss.get(f"/keys?owner={clerk.user_id}").text
    assert ">theirs<" in page
    assert ">own<" not in page


def test_a_topmost_is_chosen_by_its_name_where_one_has_it_oneself(
    boss: TestClient, world: World
) -> None:
    """Without script, beside the ids; what is chosen comes on top of them."""
    clerk = world.user("clerk", "orders.view", top=None)
    page = boss.get(f"/users/{clerk.user_id}").text
    assert '<option value="1">Project 1 (1)</option>' in page
    assert "Project 1 (1)" in boss.get("/users/new").text
    field = next(name for name in form_of(world, clerk) if name.startswith("top-"))
    form = form_of(world, clerk, **{field: "2", f"add-{field}": "1"})
    assert send(boss, f"/users/{clerk.user_id}", **form).status_code == 200
    after = world.engine.look_up.user(world.datasource_id, "clerk")
    assert after is not None
    assert after.topmosts[world.first_hierarchy] == (1, 2)
    wrong = form_of(world, clerk, **{field: "2", f"add-{field}": "all"})
    assert send(boss, f"/users/{clerk.user_id}", **wrong).status_code == 400
