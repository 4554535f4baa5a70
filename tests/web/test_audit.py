"""The audit log over the API: by its own permission, in pages, of one datasource, and logged."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from keyhalt.core.audit import Event
from tests.world import OPERATOR, ORIGIN, World, make_world

AUDIT = "/api/keyhalt/v1/audit"
Key = tuple[int, str]


@pytest.fixture
def reader(world: World) -> Key:
    return world.key(world.user("auditor", "settings.manage"))


def read(http: TestClient, key: Key, **query: object) -> Any:
    answer = http.get(AUDIT, params=query, headers={"ECI-ApiKey": key[1]})
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(page: Any) -> list[str]:
    return [event["event"] for event in page["events"]]


def test_pages_go_back_in_time_and_leave_nothing_out(
    world: World, http: TestClient, reader: Key
) -> None:
    """Changes and denials together, each once, whatever the size of a page."""
    for number in range(5):
        world.user(f"user{number}", "orders.view", service=True)
        http.get("/api/v3/order", headers={"ECI-ApiKey": "nonsense"})
        http.get("/api/v3/order", headers={"ECI-ApiKey": reader[1]})
    world.engine.recorder.flush()
    everything = read(http, reader, pageSize=1000)["events"]
    assert {"request.deny", "user.create", "role.create"} <= {e["event"] for e in everything}
    assert [each["at"] for each in everything] == sorted(
        (each["at"] for each in everything), reverse=True
    )
    until = everything[0]["at"]
    seen, before = [], None
    while True:
        more = {} if before is None else {"before": before}
        page = read(http, reader, pageSize=3, until=until, **more)
        seen += page["events"]
        before = page["next"]
        if before is None:
            break
    assert [each["id"] for each in seen] == [e["id"] for e in everything if e["at"] < until]


def test_a_page_is_narrowed_by_what_is_asked(world: World, http: TestClient, reader: Key) -> None:
    """By event, outcome, user, key, request, time; several narrow together."""
    user = world.user("jsmith", "orders.view")
    key = world.key(user)
    denied = http.post("/api/v3/order", json={"title": "x"}, headers={"ECI-ApiKey": key[1]})
    world.engine.recorder.flush()
    request_id = denied.json()["requestId"]
    (found,) = read(http, reader, requestId=request_id)["events"]
    assert (found["event"], found["reason"]) == ("request.deny", "permission_denied")
    assert found["credential"] == {"kind": "key", "id": key[0]}
    assert found["actor"] == {"userId": user.user_id, "name": "jsmith"}
    assert set(names(read(http, reader, keyId=key[0]))) == {"key.create", "request.deny"}
    assert names(read(http, reader, userId=user.user_id, outcome="denied")) == ["request.deny"]
    assert names(read(http, reader, event="key.create", keyId=key[0])) == ["key.create"]
    assert read(http, reader, until="2020-01-01T00:00:00Z") == {"events": [], "next": None}
    assert read(http, reader, since="2999-01-01T00:00:00+02:00")["events"] == []
    assert read(http, reader, requestId="another")["events"] == []


def test_reading_is_an_event_of_its_own(world: World, http: TestClient, reader: Key) -> None:
    """Who, with what, and what was asked for; the same at the command line's verb."""
    read(http, reader, event="key.create", requestId="some-id")
    world.engine.recorder.flush()
    (event,) = read(http, reader, event="audit.read")["events"]
    assert event["actor"]["name"] == "auditor"
    assert event["credential"] == {"kind": "key", "id": reader[0]}
    assert event["details"] == {"event": "key.create", "request_id": "given", "rows": 0}
    list(world.engine.read_audit.since(OPERATOR, None, ORIGIN))
    last = world.events()[-1]
    assert (last.event, last.actor.name) == (Event.AUDIT_READ, OPERATOR.name)


def test_seeing_keys_is_not_seeing_the_log(world: World, http: TestClient) -> None:
    """It has a permission of its own."""
    _, key = world.key(world.user("jsmith", "settings.view", "orders.*"))
    answer = http.get(AUDIT, headers={"ECI-ApiKey": key})
    assert (answer.status_code, answer.json()["permission"]) == (403, "settings.manage")


def test_the_shipped_profile_has_a_permission_for_the_log_alone(tmp_path: Any) -> None:
    """A role of just this reads the log and nothing else of the engine's."""
    world = make_world(tmp_path / "data", profile="energycap")
    key = world.key(world.user("auditor", "auditLog.view"))
    with world.client() as http:
        assert names(read(http, key))
        assert http.get("/api/v3/apiKey", headers={"ECI-ApiKey": key[1]}).status_code == 403
    world.close()


def test_nothing_of_another_datasource_is_seen(world: World, http: TestClient, reader: Key) -> None:
    """Nor what happened in none; not by its request's id either."""
    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    denied = http.get("/api/v3/order", headers={"ECI-ApiKey": "nonsense"})
    world.engine.recorder.flush()
    events = read(http, reader, pageSize=1000)["events"]
    assert events
    own = {row.id for row in world.engine.look_up.audit(datasource_id=1, limit=1000)}
    assert {event["id"] for event in events} <= own
    theirs = {row.id for row in world.engine.look_up.audit(datasource_id=other.id, limit=1000)}
    assert theirs
    assert not theirs & {event["id"] for event in events}
    assert read(http, reader, requestId=denied.json()["requestId"])["events"] == []


def test_any_time_of_any_zone_can_be_asked_for(http: TestClient, reader: Key) -> None:
    """The first and the last of all years, which UTC has not in every zone; and years of old."""
    first, last = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"
    assert read(http, reader, since="0900-01-01T00:00:00Z")["events"]
    assert read(http, reader, since=first, until=last, before=f"{last}_r1")["events"]
    assert read(http, reader, since=last)["events"] == []
    assert read(http, reader, until=first)["events"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"event": "key.explode"},
        {"outcome": "maybe"},
        {"userId": "x"},
        {"keyId": "0"},
        {"keyId": "9" * 40},
        {"requestId": "a b"},
        {"requestId": ""},
        {"since": "yesterday"},
        {"since": "2026-01-01"},
        {"until": "2026-01-01T00:00:00"},
        {"before": "r5"},
        {"before": "2026-01-01T00:00:00Z_x5"},
        {"before": "x_r5"},
        {"pageSize": "1001"},
        {"pageSize": "-1"},
        {"filter": "x"},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused_by_name(
    http: TestClient, reader: Key, query: dict[str, str]
) -> None:
    """So that nobody takes a misspelt filter for an empty log."""
    answer = http.get(AUDIT, params=query, headers={"ECI-ApiKey": reader[1]})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_query"
    assert next(iter(query)) in answer.text
