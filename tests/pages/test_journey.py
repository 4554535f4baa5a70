"""The three steps of a person: sign in, create a key, copy the value that is shown once."""

from __future__ import annotations

import html

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from tests.pages.browsing import create, send, sign_in, value_in
from tests.world import PASSWORD, World


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    """Somebody who manages keys, signed in."""
    world.user("boss", "*")
    assert sign_in(http, "boss").status_code == 303
    return http


def test_signing_in_creating_and_copying_gives_a_key_that_works(boss: TestClient) -> None:
    """The value on the page is a key of who is signed in."""
    page = boss.get("/keys").text
    assert "<h1>API Keys and Webhooks</h1>" in page
    assert "There are no API keys yet" in page
    assert "A key acts as you, boss" in boss.get("/keys/new").text
    made = create(boss, "billing", "nightly import")
    assert made.status_code == 303
    shown = boss.get(made.headers["location"])
    key = value_in(shown.text)
    me = boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).json()
    assert me["systemUserCode"] == "boss"
    listed = boss.get("/keys").text
    assert "billing" in listed
    assert "nightly import" in listed


def test_what_helps_stands_where_it_is_needed(boss: TestClient) -> None:
    """A service account is offered before; the value is ready to be used; 401 and 403 are told."""
    assert "Have it made for a service account" in boss.get("/keys/new").text
    shown = boss.get(create(boss, "billing").headers["location"]).text
    key, page = value_in(shown), html.unescape(shown)
    for line in (f"ECI-ApiKey: {key}", f"KEYHALT_API_KEY='{key}'", f"curl -H 'ECI-ApiKey: {key}'"):
        assert line in page
    help_beside_keys = boss.get("/keys").text
    assert "Keeping keys safe" in help_beside_keys
    assert "A program gets 401 or 403" in help_beside_keys


def test_the_value_is_shown_once_and_is_in_no_address_cookie_or_store(
    boss: TestClient, world: World
) -> None:
    """A reload does not show it and makes no other key; what lies around is random bytes."""
    made = create(boss, "once")
    shown = boss.get(made.headers["location"])
    key = value_in(shown.text)
    assert shown.headers["cache-control"] == "no-store"
    secret = key.split(".")[2]
    for text in (str(made.headers), str(shown.headers), world.dump()):
        assert secret not in text
    again = boss.get(made.headers["location"])
    assert "not shown again" in again.text
    assert secret not in again.text
    assert len(world.engine.look_up.keys(world.datasource_id)) == 1


def test_the_half_in_the_cookie_is_worth_nothing_in_another_session(
    boss: TestClient, world: World
) -> None:
    """Whoever takes the cookie of the new key along still needs the session that made it."""
    made = create(boss, "mine")
    with world.client(world.other()) as other:
        world.user("thief", "*")
        sign_in(other, "thief")
        for name, value in boss.cookies.items():
            if "new-key" in name:
                other.cookies.set(name, value)
        assert "not shown again" in other.get(made.headers["location"]).text
    assert value_in(boss.get(made.headers["location"]).text)


def test_a_key_is_edited_and_what_is_wrong_is_said_and_loses_nothing(boss: TestClient) -> None:
    """The form comes back with what was typed."""
    made = create(boss, "before").headers["location"].removesuffix("/value")
    assert send(boss, made, name="after", description="two\r\nlines").status_code == 303
    assert "two\nlines" in boss.get(made).text
    bad = send(boss, made, name="x" * 61, description="kept")
    assert bad.status_code == 400
    assert "kept" in bad.text
    assert "x" * 61 in bad.text
    assert 'role="alert"' in bad.text
    bad = create(boss, "", "also kept")
    assert bad.status_code == 400
    assert "also kept" in bad.text


def test_deleting_asks_for_the_name_and_says_that_it_is_in_effect(
    boss: TestClient, world: World
) -> None:
    """The key works until its name was typed, and nowhere after."""
    made = create(boss, "to go")
    key = value_in(boss.get(made.headers["location"]).text)
    one = made.headers["location"].removesuffix("/value")
    assert boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code == 200
    world.engine.use_recorder.flush()
    wrong = send(boss, f"{one}/delete", name="something else")
    assert wrong.status_code == 400
    assert boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code == 200
    done = send(boss, f"{one}/delete", name="to go")
    assert "In effect everywhere" in done.text
    assert boss.get("/api/v3/me", headers={"ECI-ApiKey": key}).status_code == 401
    assert "In effect everywhere" in send(boss, f"{one}/delete", name="to go").text
    assert boss.get(one).status_code == 404


def test_a_forced_change_of_password_leads_to_the_form_and_then_in(
    world: World, http: TestClient
) -> None:
    """The right password of before is good for choosing another one only."""
    from keyhalt.core.secrets import Secret
    from tests.world import OPERATOR, ORIGIN

    user = world.user("newbie", "*")
    world.engine.reset_password(
        OPERATOR,
        datasource_id=world.datasource_id,
        user_id=user.user_id,
        password=Secret(PASSWORD + " given"),
        must_change=True,
        origin=ORIGIN,
    )
    page = sign_in(http, "newbie", PASSWORD + " given")
    assert page.status_code == 403
    assert 'action="/sign-in/password"' in page.text
    form = {"datasource": "acme", "user_code": "newbie", "password": PASSWORD + " given"}
    new = "quartz umbrella ninety"
    two_ways = send(http, "/sign-in/password", **form, new_password=new, again="other")
    assert "two ways" in two_ways.text
    short = send(http, "/sign-in/password", **form, new_password="short", again="short")
    assert short.status_code == 400
    done = send(http, "/sign-in/password", **form, new_password=new, again=new)
    assert done.status_code == 303
    assert sign_in(http, "newbie", new).headers["location"] == "/keys"


def test_a_pasted_key_is_found_by_its_id_and_its_secret_goes_no_further(
    boss: TestClient, world: World
) -> None:
    """Neither the address nor the page nor the log has it; garbage of its kind is discarded too."""
    made = create(boss, "lost")
    key = value_in(boss.get(made.headers["location"]).text)
    create(boss, "another")
    found = send(boss, "/keys/search", q=f" {key} ", whose="mine")
    page = boss.get(found.headers["location"])
    assert "found by its id" in page.text
    assert "lost" in page.text
    assert ">another<" not in page.text
    cut = send(boss, "/keys/search", q=key[:-3])
    address = boss.get("/keys", params={"q": key}, follow_redirects=False)
    for text in (found.headers["location"], page.text, cut.headers["location"]):
        assert key.split(".")[2][:30] not in text
    assert key.split(".")[2][:30] not in address.headers["location"]
    assert "histories and logs" in boss.get(address.headers["location"]).text
    assert ">lost<" in boss.get(send(boss, "/keys/search", q="LOS").headers["location"]).text


def test_the_list_is_narrowed_to_ones_own_and_pages_by_its_address(
    boss: TestClient, world: World
) -> None:
    """Mine or all, a search and a page stand in the URL."""
    other = world.user("clerk", "orders.view")
    for number in range(41):
        world.key(other, f"theirs {number}")
    create(boss, "own")
    assert "theirs" not in boss.get("/keys?whose=mine").text
    first = boss.get("/keys").text
    assert "1 to 40 of 42" in first
    assert "41 to 42 of 42" in boss.get("/keys?page=2").text
    for nothing in ("nothing like it", "%", "_", "theirs/", "#2147483648"):
        assert "No key fits" in boss.get("/keys", params={"q": nothing}).text, nothing
    for one in ("THEIRS 37", "#38", "38…"):
        assert "theirs 37<" in boss.get("/keys", params={"q": one}).text, one
    assert "1 to 40 of 41" in boss.get("/keys?q=clerk").text
    assert "No key fits" in boss.get("/keys?page=999999").text


def test_a_page_of_the_list_costs_the_same_number_of_statements_whatever_it_shows(
    boss: TestClient, world: World
) -> None:
    """None for each row."""
    seen: list[str] = []
    event.listen(
        world.engine.stores.rights,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_rest: seen.append(statement),
    )
    counts = []
    for name in ("a", "b", "c"):
        create(boss, name)
        seen.clear()
        boss.get("/keys")
        counts.append(len(seen))
    assert len(set(counts)) == 1
    assert counts[0] <= 9


def test_the_webhooks_tab_says_that_there_are_none(boss: TestClient) -> None:
    """And offers nothing that does nothing."""
    page = boss.get("/webhooks").text
    assert "There are no webhooks" in page
    assert "<h1>API Keys and Webhooks</h1>" in page
