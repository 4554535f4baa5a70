"""What keys do, where a person decides about them: the list, a key, deleting, changing over."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from keyhalt.core.decisions import Cause, Reason
from keyhalt.storage.schema import api_key
from keyhalt.usecases.uses import DayCount, KeyUse
from keyhalt.web.pages.troubles import TROUBLES
from keyhalt.web.pages.uses import _shown
from tests.pages.browsing import create, send, sign_in, value_in
from tests.world import World


@pytest.fixture
def boss(world: World, http: TestClient) -> TestClient:
    """Somebody who manages everything, signed in."""
    world.user("boss", "*")
    assert sign_in(http, "boss").status_code == 303
    return http


def ask(http: TestClient, key: str, times: int = 1, path: str = "/api/v3/order") -> None:
    for _ in range(times):
        http.get(path, headers={"ECI-ApiKey": key, "User-Agent": "exporter/2.1"})


def test_a_key_in_use_shows_its_risk_and_is_deleted_by_its_name_only(
    boss: TestClient, world: World
) -> None:
    """How often, when last and from where; one that nobody uses needs no typing."""
    clerk = world.user("clerk", "orders.view")
    busy, key = world.key(clerk, "busy")
    quiet, _ = world.key(clerk, "quiet")
    ask(boss, key, 3)
    world.engine.use_recorder.flush()
    page = boss.get(f"/keys/{busy}/delete").text
    assert "3 requests in the last 24 h" in page
    assert re.search(r"last \d+ \w+ \d{4}, \d\d:\d\d UTC from ", page)
    assert 'name="name"' in page
    assert send(boss, f"/keys/{busy}/delete").status_code == 400
    assert "In effect everywhere" in send(boss, f"/keys/{busy}/delete", name="busy").text
    calm = boss.get(f"/keys/{quiet}/delete").text
    assert "not used in the last 30 days" in calm
    assert 'name="name"' not in calm
    assert "In effect everywhere" in send(boss, f"/keys/{quiet}/delete").text


def test_a_key_tells_what_it_did_and_why_it_was_refused(boss: TestClient, world: World) -> None:
    """In words, with the fix, and which permissions it really used."""
    clerk = world.user("clerk", "orders.view", "orders.delete")
    number, key = world.key(clerk, "exporter")
    ask(boss, key, 2)
    ask(boss, key, 1, "/api/v3/user/1")
    world.engine.use_recorder.flush()
    page = boss.get(f"/keys/{number}").text
    assert "2 allowed, 1 denied" in page
    assert "The owner lacks the permission" in page
    assert "<code>orders.view</code>." in page
    assert "<code>orders.delete</code>" not in page
    assert "by exporter" in page
    listed = boss.get("/keys").text
    assert "30 days: 2 allowed, 1 denied" in listed


def test_keys_that_nobody_used_and_those_that_rest_are_found(
    boss: TestClient, world: World
) -> None:
    """By the address, in every order."""
    clerk = world.user("clerk", "orders.view")
    gone = world.user("gone", "orders.view")
    (old, _), (used, key), _, _ = (
        world.key(owner, name)
        for owner, name in ((clerk, "old"), (clerk, "used"), (clerk, "new"), (gone, "resting"))
    )
    long_ago = world.engine.clock.now() - timedelta(days=200)
    with world.engine.stores.rights.begin() as connection:
        ids = update(api_key).where(api_key.c.id.in_([old, used]))
        connection.execute(ids.values(created_at=long_ago))
    ask(boss, key)
    world.engine.use_recorder.flush()
    world.deactivate("gone")

    def names(query: str) -> list[str]:
        return re.findall(r'href="/keys/\d+">(\w+)</a>', boss.get(query).text)

    assert names("/keys?state=unused") == ["old"]
    assert names("/keys?state=resting") == ["resting"]
    assert names("/keys?order=name") == ["new", "old", "resting", "used"]
    assert names("/keys?order=oldest") == ["old", "used", "new", "resting"]
    assert names("/keys?order=owner&q=clerk") == ["old", "used", "new"]
    assert names("/keys?order=nonsense&state=x") == ["resting", "new", "used", "old"]


def test_a_changeover_shows_what_still_uses_the_old_key(boss: TestClient, world: World) -> None:
    """Create one beside it, see the old one fall silent, delete it."""
    made = create(boss, "exporter", "on host b7").headers["location"]
    key = value_in(boss.get(made).text)
    one = made.removesuffix("/value")
    ask(boss, key, 2)
    world.engine.use_recorder.flush()
    page = boss.get(f"{one}/changeover").text
    assert "2 requests in the last 24 h" in page
    beside = re.search(r"/keys/new\?beside=\d+", page)
    assert beside
    form = boss.get(beside[0]).text
    assert 'value="exporter"' in form
    assert "on host b7" in form
    second = create(boss, "exporter 2").headers["location"].removesuffix("/value")
    page = boss.get(f"{one}/changeover").text
    assert f'href="{second}"' in page
    assert "0 requests in the last 24 h" in page


def test_a_deactivation_says_when_its_keys_were_used_last(boss: TestClient, world: World) -> None:
    """Beside their number."""
    clerk = world.user("clerk", "orders.view")
    _, key = world.key(clerk)
    ask(boss, key)
    world.engine.use_recorder.flush()
    page = boss.get(f"/users/{clerk.user_id}/deactivate").text
    assert re.search(r"This will stop: 1 key, last used \d+ \w+", page)


def test_a_picture_of_thirty_days_is_small_and_on_one_scale() -> None:
    """A step a day; one among a million is seen; a key that did nothing has no line."""
    today = date(2026, 11, 24)
    days = [
        DayCount(today - timedelta(days=back), 1_000_000 - back, back % 2) for back in range(30)
    ]
    shown = _shown(KeyUse(days=(*days, DayCount(today - timedelta(days=30), 7, 7))), today)
    assert (shown.allowed, shown.denied) == (sum(d.allowed for d in days), 15)
    assert "V19" in shown.steps[1]
    assert all(len(line) < 400 for line in shown.steps)
    assert _shown(KeyUse(), today).steps == ("", "")
    one = _shown(KeyUse(days=(DayCount(today, 5, 0),)), today)
    assert one.steps == ("M0 20H116V0H120V20z", "")


def test_every_reason_of_a_denial_has_words_and_a_fix() -> None:
    """None is missing, and none is there that does not exist."""
    reasons = {*map(str, Reason), *map(str, Cause)} - {str(Cause.AS_SAID)}
    assert set(map(str, TROUBLES)) == reasons
    for trouble in TROUBLES.values():
        assert trouble.what.endswith(".")
        assert trouble.fix.endswith((".", ")."))


def test_the_longest_page_of_keys_is_still_small(boss: TestClient, world: World) -> None:
    """As many keys as a page has, the longest names and texts, each with thirty uneven days."""
    from sqlalchemy import insert

    from keyhalt.storage.schema import user as user_table
    from keyhalt.storage.schema_use import key_day

    clerk = world.user("clerk", "orders.view")
    long = "Ä" * 32
    for number in range(55):
        world.key(clerk, f"{number:02} " + "ü" * 57)
    today = world.engine.clock.now().date()
    rows = [
        {
            "datasource_id": world.datasource_id,
            "key_id": key_id,
            "day": today - timedelta(days=back),
            "outcome": outcome,
            "requests": 7919 * (back * key_id + 3) % 20 + 1,
        }
        for key_id in range(1, 56)
        for back in range(30)
        for outcome in ("allowed", "deleted_key")
    ]
    with world.engine.stores.use.begin() as connection:
        connection.execute(insert(key_day), rows)
    with world.engine.stores.rights.begin() as connection:
        connection.execute(update(api_key).values(description="ö" * 4000))
        connection.execute(update(user_table).values(full_name=long))
    page = boss.get("/keys")
    assert page.text.count('class="spark"') == 40
    assert len(page.content) < 60_000
