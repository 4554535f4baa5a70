"""Advice where a person decides: beside keys, on a key's page; its next step is taken there."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from tests.pages.browsing import age, send, sign_in, used, value_in
from tests.storage.test_use import statements
from tests.world import World


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    """Somebody who manages everything, signed in."""
    world.user("boss", "*")
    assert sign_in(http, "boss").status_code == 303
    return http


def test_advice_stands_beside_the_key_on_its_page_and_on_one_for_all(
    boss: TestClient, world: World
) -> None:
    """With the evidence, the next step and the way to it; who may only look gets no way."""
    dead, _ = world.key(world.user("clerk", "orders.view"), "dead")
    busy, _ = world.key(world.user("bot", "orders.view", service=True), "busy")
    age(world, dead, 300)
    used(world, dead, 200)
    used(world, busy, 1)
    page = boss.get("/keys").text
    (linked,) = re.findall(r'href="/keys/(\d+)#advice"[^>]*>([^<]*)<', page)
    assert linked == (str(dead), "Unused, Owner about to matter")
    own = boss.get(f"/keys/{dead}").text
    assert "Not used for 200 days." in own
    assert f'href="/keys/{dead}/delete"' in own
    assert 'id="advice"' not in boss.get(f"/keys/{busy}").text
    every = boss.get("/keys/advice").text
    assert "Not used for 200 days." in every
    assert "busy" not in every
    assert "nothing to advise" in boss.get("/keys/advice?kind=travelled_in_clear").text
    world.user("viewer", "settings.view")
    sign_in(boss, "viewer")
    seen = boss.get(f"/keys/{dead}").text
    assert "Not used for 200 days." in seen
    assert "/delete" not in seen


def test_a_key_is_narrowed_on_a_page_after_its_dry_run(boss: TestClient, world: World) -> None:
    """What it used is chosen, what it used long ago may be; then its value is shown once."""
    owner = world.user("clerk", "*", top=2)
    number, _ = world.key(owner, "importer")
    used(world, number, 1, "orders.view")
    used(world, number, 150, "orders.create")
    form = boss.get(f"/keys/{number}/narrow").text
    assert 'name="p:orders.view" checked' in form
    assert re.search(r'name="p:orders.create"><code>', form)
    assert "would have been refused" in form
    chosen = {"p:orders.view": "on", "p:orders.create": "on", "code": "importer"}
    again = send(boss, f"/keys/{number}/narrow", **chosen).text
    assert "Nothing that is known of what this key did would have been refused" in again
    assert world.engine.look_up.user(world.datasource_id, "importer") is None
    made = send(boss, f"/keys/{number}/narrow", make="yes", **chosen)
    assert made.status_code == 303
    text = value_in(boss.get(made.headers["location"]).text)
    me = boss.get("/api/v3/me", headers={"ECI-ApiKey": text}).json()
    assert me["systemUserCode"] == "importer"
    new = int(made.headers["location"].split("/")[2])
    assert f"Key {new} was made in its place" in boss.get(f"/keys/{number}").text
    clash = send(boss, f"/keys/{number}/narrow", make="yes", **chosen)
    assert clash.status_code == 409
    assert "say another user code" in clash.text


def test_keys_are_sorted_by_their_last_use_over_all_pages(boss: TestClient, world: World) -> None:
    """Last used first, or longest unused first; the order stands in the address."""
    clerk = world.user("clerk", "orders.view")
    keys = [world.key(clerk, f"job {number:02}")[0] for number in range(45)]
    for number, key_id in enumerate(keys[:42]):
        used(world, key_id, number * 7 % 43 + 1)
    recent = sorted(keys[:42], key=lambda key_id: keys.index(key_id) * 7 % 43)

    def shown(address: str) -> list[int]:
        return [int(each) for each in re.findall(r'id="k(\d+)"', boss.get(address).text)]

    ordered = shown("/keys?order=used") + shown("/keys?order=used&page=2")
    assert ordered[:42] == recent
    assert set(ordered[42:]) == set(keys[42:])
    idle = shown("/keys?order=idle") + shown("/keys?order=idle&page=2")
    assert set(idle[:3]) == set(keys[42:])
    assert idle[3:] == recent[::-1]
    assert shown("/keys?order=used&q=job+0") == [each for each in recent if each in keys[:10]]
    assert 'href="/keys?whose=all&amp;page=2&amp;order=used"' in boss.get("/keys?order=used").text


@pytest.mark.parametrize("order", ["", "used", "idle"])
def test_a_long_list_costs_no_statement_more_and_stays_small(
    boss: TestClient, world: World, order: str
) -> None:
    """For one key and for a page of them, each with advice: as many statements, in each store."""
    counts = []
    stores = world.engine.stores
    for keys in (1, 41):
        for number in range(keys):
            owner = world.user(f"u{keys}x{number}", "orders.view")
            key_id, _ = world.key(owner, "ü" * 60)
            age(world, key_id, 400)
            used(world, key_id, 200 + number)
        asked = []
        for _ in range(3):
            with statements(stores.rights) as rights, statements(stores.use) as use:
                page = boss.get(f"/keys?order={order}")
            asked.append((len(rights), len(use)))
        # What is written in the background may fall into one of them.
        counts.append(min(asked))
    assert counts[0] == counts[1]
    assert page.text.count("#advice") == 40
    assert len(page.content) < 60_000
