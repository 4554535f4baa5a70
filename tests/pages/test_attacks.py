"""What other sites, other people and old browsers try on the pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from keyhalt.storage.tokens import SqlTokens
from keyhalt.web.lane import Lane
from keyhalt.web.pages.building import pages
from tests.pages.browsing import OURS, create, send, sign_in, value_in
from tests.world import PASSWORD, World

SCRIPT = "<script>alert(1)</script>\"'><img src=x>"


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    world.user("boss", "*")
    sign_in(http, "boss")
    return http


def session_of(http: TestClient) -> str:
    return next(value for name, value in http.cookies.items() if name.endswith("session"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "https://testserver"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://testserver"},
    ],
    ids=str,
)
def test_a_form_of_another_site_changes_nothing(
    boss: TestClient, world: World, headers: dict[str, str]
) -> None:
    """Whatever it says, unless a browser vouches that a page of this site sent it."""
    lane = Lane(1)
    every = pages(world.engine, lane, lambda denied, _origin: denied, boss.app)
    lane.close()
    forms = [re.sub(r"{\w+}", "1", path) for method, path in every.addresses if method == "POST"]
    assert len(forms) > 15
    for path in forms:
        answer = send(boss, path, headers, name="stolen", q="x")
        assert answer.status_code == 403, path
    assert boss.get("/keys").status_code == 200
    assert world.engine.look_up.keys(world.datasource_id) == []
    assert {row.reason for row in world.denials()} == {"cross_site"}


def test_an_origin_of_ours_does_where_a_browser_sends_no_more(boss: TestClient) -> None:
    """Over plain HTTP to another machine browsers send `Origin` only."""
    made = send(boss, "/keys/new", {"origin": "https://testserver"}, name="fine", description="")
    assert made.status_code == 303


def test_every_page_forbids_frames_foreign_scripts_and_caches(boss: TestClient) -> None:
    """And has no script or style of its own inside."""
    made = create(boss, "one").headers["location"]
    one = made.removesuffix("/value")
    paths = ["/sign-in", "/sign-in/password", "/keys", "/keys/new", "/webhooks", "/keys/999"]
    for path in [*paths, made, made, one, f"{one}/delete"]:
        page = boss.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "max-age" in page.headers["strict-transport-security"]
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text), path
        assert len(page.content) < 60_000


def test_script_in_any_field_is_text_on_every_page(boss: TestClient, world: World) -> None:
    """Stored in a key or a name, or given back by a form or an address."""
    world.user("nasty", "orders.view", full_name=SCRIPT[:32])
    world.key(world.engine.look_up.user(world.datasource_id, "nasty"))
    made = create(boss, SCRIPT, SCRIPT).headers["location"]
    one = made.removesuffix("/value")
    form = {"datasource": SCRIPT, "user_code": SCRIPT, "next": SCRIPT, "password": SCRIPT}
    pages = [
        boss.get(made),
        boss.get(made),
        boss.get("/keys"),
        boss.get(one),
        boss.get(f"{one}/delete"),
        boss.get("/keys", params={"q": SCRIPT, "whose": SCRIPT, "page": SCRIPT, "found": SCRIPT}),
        boss.get("/sign-in", params={"next": SCRIPT, "said": SCRIPT}),
        send(boss, one, name=SCRIPT * 3, description=SCRIPT),
        send(boss, f"{one}/delete", name=SCRIPT + "x"),
        send(boss, "/sign-in", **form),
        send(boss, "/sign-in/password", **form, new_password=SCRIPT, again="other"),
        send(boss, f"{one}/delete", name=SCRIPT),
    ]
    harmless(pages)


def test_script_in_any_field_about_people_is_text_on_every_page(
    boss: TestClient, world: World
) -> None:
    """Of users, roles, groups and one's own account; and in every address that is searched by."""
    nasty = world.user("nasty", "orders.view")
    key_id, _ = world.key(nasty, SCRIPT)
    short = SCRIPT[:32]
    person = {"code": SCRIPT, "full_name": short, "email": f"{short}@x.org", "role": SCRIPT}
    person |= {"top-project": SCRIPT, "add-top-project": SCRIPT, "password": PASSWORD}
    group = {"name": SCRIPT, "description": SCRIPT, "add": SCRIPT}
    role = {"name": SCRIPT, "description": SCRIPT, "orders.view": "on", SCRIPT: "on"}
    user, own = f"/users/{nasty.user_id}", {"full_name": short, "email": short}
    pages = [
        send(boss, "/users/new", **person),
        send(boss, user, **{**person, "role": str(nasty.role_id), "top-project": "1"}),
        send(boss, user, **{**person, "role": str(nasty.role_id), "add-top-project": ""}),
        boss.get(user),
        send(boss, f"{user}/password", password=SCRIPT),
        send(boss, f"{user}/end-keys", since=SCRIPT),
        boss.get("/users", params={"q": SCRIPT, "role": SCRIPT, "state": SCRIPT, "page": SCRIPT}),
        boss.get(f"{user}/deactivate"),
        send(boss, "/groups", **group),
        send(boss, "/groups/1", **group),
        boss.get("/groups"),
        boss.get("/groups/1", params={"said": SCRIPT, "page": SCRIPT}),
        send(boss, "/roles/new", **role),
        send(boss, f"/roles/{nasty.role_id}", **role),
        boss.get("/roles"),
        send(boss, "/me", **own),
        boss.get("/me"),
        send(boss, f"/keys/{key_id}/narrow", code=SCRIPT, name=SCRIPT),
        boss.get(f"/keys/{key_id}/narrow"),
        boss.get("/keys/advice", params={"kind": SCRIPT, "after": SCRIPT}),
        boss.get("/activity", params={"user": SCRIPT, "request": SCRIPT, "event": SCRIPT}),
        boss.get("/activity"),
    ]
    assert boss.get("/groups/1").status_code == 200
    harmless(pages)


def harmless(pages: list[Any]) -> None:
    """None of them has the script as anything but text, nor fails on it."""
    for page in pages:
        assert page.status_code < 500, page.text
        assert "<script>alert" not in page.text
        assert "<img" not in page.text


def test_a_session_id_that_was_there_before_is_not_taken_over(
    world: World, http: TestClient
) -> None:
    """Whoever planted a cookie does not know the id after the sign-in; the earlier one ends."""
    world.user("boss", "*")
    http.cookies.set("__Host-keyhalt-session", "planted", domain="testserver.local", path="/")
    sign_in(http, "boss")
    first = session_of(http)
    assert first != "planted"
    sign_in(http, "boss")
    assert session_of(http) != first
    with world.client(world.other()) as old:
        old.cookies.set("__Host-keyhalt-session", first)
        assert old.get("/keys", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/keys//evil.example@x",
        "/keysx",
        "javascript:alert(1)",
        "/keys\r\nSet-Cookie: a=b",
        "/sign-out",
    ],
)
def test_a_sign_in_leads_to_pages_of_this_site_only(
    world: World, http: TestClient, target: str
) -> None:
    """Whatever `next` says."""
    world.user("boss", "*")
    assert sign_in(http, "boss", next=target).headers["location"] == "/keys"


def test_a_sign_in_leads_back_to_the_page_that_was_asked_for(
    world: World, http: TestClient
) -> None:
    """Through the form's hidden field."""
    world.user("boss", "*")
    away = http.get("/keys/new", follow_redirects=False)
    assert away.headers["location"] == "/sign-in?next=/keys/new"
    assert 'value="/keys/new"' in http.get(away.headers["location"]).text
    assert sign_in(http, "boss", next="/keys/new").headers["location"] == "/keys/new"


def test_after_signing_out_the_cookie_opens_nothing(boss: TestClient, world: World) -> None:
    """Also for who kept it, in every process."""
    kept = session_of(boss)
    out = send(boss, "/sign-out")
    assert out.status_code == 303
    assert boss.get("/keys", follow_redirects=False).headers["location"].startswith("/sign-in")
    with world.client(world.other()) as other:
        other.cookies.set("__Host-keyhalt-session", kept)
        assert other.get("/keys", follow_redirects=False).status_code == 303
    assert "ended_session" in {row.reason for row in world.denials()}


def test_what_ends_a_sign_in_ends_its_sessions_at_once(boss: TestClient, world: World) -> None:
    """Another password, a deactivation: the next request is away."""
    new = "quartz umbrella ninety"
    form = {"datasource": "acme", "user_code": "boss", "password": PASSWORD}
    with world.client(world.other()) as other:
        sign_in(other, "boss")
        assert other.get("/keys").status_code == 200
        send(boss, "/sign-in/password", **form, new_password=new, again=new)
        assert other.get("/keys", follow_redirects=False).status_code == 303
        sign_in(other, "boss", new)
        assert other.get("/keys").status_code == 200
        world.deactivate("boss")
        assert other.get("/keys", follow_redirects=False).status_code == 303
        world.activate("boss")
        assert other.get("/keys", follow_redirects=False).status_code == 303


def test_a_session_counts_on_no_api_and_a_key_or_token_opens_no_page(
    world: World, http: TestClient
) -> None:
    """Each credential has its own door."""
    boss = world.user("boss", "*")
    _, key = world.key(boss)
    login = {"dataSource": "acme", "username": "boss", "password": PASSWORD}
    token = http.post("/api/v3/login", json=login).json()["token"]
    for headers in ({"ECI-ApiKey": key}, {"Authorization": f"Bearer {token}"}):
        assert http.get("/keys", headers=headers, follow_redirects=False).status_code == 303
        made = http.post(
            "/keys/new", data={"name": "x"}, headers=headers | OURS, follow_redirects=False
        )
        assert made.headers["location"] == "/sign-in"
    sign_in(http, "boss")
    assert http.get("/keys").status_code == 200
    assert http.get("/api/v3/me").status_code == 401
    assert http.post("/api/v3/apiKey", json={"apiKeyName": "x"}, headers=OURS).status_code == 401
    bearer = {"Authorization": f"Bearer {session_of(http)}"}
    assert http.get("/api/v3/me", headers=bearer).status_code == 401


def test_wrong_sign_ins_look_alike_and_keep_what_was_typed_but_the_password(
    world: World, http: TestClient
) -> None:
    """No page says whether the datasource, the user or the password was wrong."""
    world.user("boss", "*")
    pages = []
    for datasource, code, password in (
        ("acme", "boss", "wrong password here"),
        ("acme", "nobody", PASSWORD),
        ("other", "boss", PASSWORD),
    ):
        form = {"datasource": datasource, "user_code": code, "password": password}
        page = send(http, "/sign-in", **form)
        assert page.status_code == 403
        assert password not in page.text
        assert f'value="{code}"' in page.text
        pages.append(page.text.replace(datasource, "D").replace(f'value="{code}"', "C"))
    assert len(set(pages)) == 1


def test_plain_http_gets_no_form_and_takes_no_password(world: World, http: TestClient) -> None:
    """Check 1 holds for pages too."""
    with world.client(world.other()) as plain:
        plain.base_url = "http://testserver"
        assert plain.get("/sign-in").status_code == 400
        assert sign_in(plain, "boss").status_code == 400


def test_over_insecure_http_the_cookie_is_named_after_its_environment(world: World) -> None:
    """No prefix and no Secure, which browsers would not take there; still HttpOnly and Lax."""
    world.user("boss", "*")
    with world.client(world.other(insecure_http=True), insecure_http=True) as plain:
        plain.base_url = "http://testserver"
        cookie = sign_in(plain, "boss").headers["set-cookie"]
    assert cookie.startswith("keyhalt-session-Lab=")
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")


def test_the_cookie_is_of_this_host_alone_and_no_script_reads_it(
    world: World, http: TestClient
) -> None:
    """`__Host-`, Secure, HttpOnly, SameSite, no Domain; the store has a digest of it only."""
    world.user("boss", "*")
    cookie = sign_in(http, "boss").headers["set-cookie"]
    assert cookie.startswith("__Host-keyhalt-session=")
    assert cookie.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert session_of(http) not in world.dump()


def test_a_new_keys_value_leaves_no_trace_on_other_pages(boss: TestClient) -> None:
    """Only the one page has it."""
    key = value_in(boss.get(create(boss, "k").headers["location"]).text)
    for path in ("/keys", "/keys/1", "/keys/1/delete", "/keys/1/value"):
        assert key.split(".")[2] not in boss.get(path).text


def test_opening_a_restored_store_again_ends_every_session(boss: TestClient, world: World) -> None:
    """What ends all bearer tokens ends these too: they may have been ended since the copy."""
    SqlTokens(world.engine.stores.signins).end_all(world.engine.clock.now())
    assert boss.get("/keys", follow_redirects=False).status_code == 303
