"""The receipt of a key's end as JSON: over the API with a key, on the pages with a session."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.pages.browsing import send, sign_in
from tests.world import World, until


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(http: TestClient, key: str, key_id: int) -> Any:
    return http.get(f"/api/keyhalt/v1/keys/{key_id}/receipt", headers={"ECI-ApiKey": key})


def test_what_the_header_said_is_read_again_with_who_was_waited_for(
    world: World, http: TestClient
) -> None:
    """A second after the delete at most; the same request id as its problem or log would have."""
    boss = world.key(world.user("boss", "settings.*"))[1]
    doomed, _ = world.key(world.user("clerk", "orders.view"))
    assert read(http, boss, doomed).status_code == 404
    deleted = http.delete(f"/api/v3/apiKey/{doomed}", headers={"ECI-ApiKey": boss})
    until(lambda: read(http, boss, doomed).json()["inEffect"])
    told = read(http, boss, doomed).json()
    how = told.pop("inEffect")
    assert told.pop("deletedDate").endswith("Z")
    said = f"epoch={told['epoch']}, form={how['form']}, waited-ms={how['waitedMs']}"
    if world.form == "barrier":
        said += f", acknowledged={how['acknowledged']}, timed-out={how['timedOut']}"
        assert [sorted(each) for each in how["waitedFor"]] == [["ended", "host", "pid"]]
    assert deleted.headers["keyhalt-revocation"] == said
    assert how["requestId"]
    assert told == {"keyId": doomed, "epoch": told["epoch"]}


def test_only_who_may_delete_keys_there_reads_how_one_ended(world: World, http: TestClient) -> None:
    """By key and by session alike; a key of another datasource is not found."""
    from dataclasses import replace

    from tests.world import OPERATOR, ORIGIN

    viewer = world.key(world.user("viewer", "settings.view"))[1]
    boss = world.key(world.user("boss", "settings.*"))[1]
    doomed, _ = world.key(world.user("clerk", "orders.view"))
    http.delete(f"/api/v3/apiKey/{doomed}", headers={"ECI-ApiKey": boss})
    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    theirs = world.key(replace(world, datasource_id=other.id).user("them", "*"))[1]  # type: ignore[union-attr]
    assert read(http, viewer, doomed).status_code == 403
    assert read(http, theirs, doomed).status_code == 404
    assert http.get(f"/keys/{doomed}/receipt", follow_redirects=False).status_code == 303
    sign_in(http, "viewer")
    assert http.get(f"/keys/{doomed}/receipt").status_code == 403
    sign_in(http, "boss")
    page = http.get(f"/keys/{doomed}/receipt")
    assert page.headers["content-type"] == "application/json; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.json()["keyId"] == doomed


def test_the_page_of_a_deletion_leads_to_the_same_as_the_api_gives(
    world: World, http: TestClient
) -> None:
    """Word for word, for a browser that has a session and no key."""
    boss = world.key(world.user("boss", "settings.*"))[1]
    doomed, _ = world.key(world.user("clerk", "orders.view"), "exporter")
    sign_in(http, "boss")
    page = send(http, f"/keys/{doomed}/delete", name="exporter").text
    assert f'href="/keys/{doomed}/receipt"' in page
    until(lambda: read(http, boss, doomed).json()["inEffect"])
    assert http.get(f"/keys/{doomed}/receipt").json() == read(http, boss, doomed).json()
