"""The limits of failing requests and of sign-ins, with good keys untouched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.testclient import TestClient

from keyhalt.storage.throttle import SqlThrottle
from tests.world import PASSWORD, World

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_failing_requests_of_one_source_are_limited_and_good_keys_never(
    world: World, http: TestClient
) -> None:
    """Above 600 a minute a source of failures gets 429; its neighbours' good keys do not."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    # Refilling goes on meanwhile, so a slow machine needs more of them: as many as it takes.
    answers = [http.get("/api/v3/order")]
    while answers[-1].status_code == 401 and len(answers) < 6_000:
        answers.append(http.get("/api/v3/order"))
    assert [each.status_code for each in answers[:600]] == [401] * 600
    limited = answers[-1]
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) >= 1
    assert limited.json()["code"] == "too_many_requests"
    assert http.get("/api/v3/order", headers={"ECI-ApiKey": key}).status_code == 200


def test_a_flood_is_recorded_with_its_exact_count(world: World, http: TestClient) -> None:
    """Samples of a flood are kept whole; the rest of it is counted, and nothing is lost."""
    for _ in range(350):
        http.get("/api/v3/order")
    world.engine.recorder.flush()
    rows = world.engine.look_up.audit(datasource_id=None, limit=10_000)
    denials = [row for row in rows if row.event.outcome == "denied"]
    assert sum(row.count for row in denials) == 350


def test_the_eleventh_sign_in_of_a_minute_is_refused_before_hashing(
    world: World, http: TestClient
) -> None:
    """10 a minute per account and source; alike for a name that does not exist."""
    world.user("jsmith", "orders.view")
    for code in ("jsmith", "nobody"):
        body = {"dataSource": "acme", "username": code, "password": "wrong"}
        answers = [http.post("/api/v3/login", json=body)]
        while answers[-1].status_code == 401 and len(answers) < 100:
            answers.append(http.post("/api/v3/login", json=body))
        assert [a.status_code for a in answers[:10]] == [401] * 10
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
    assert [e.reason for e in world.denials() if e.reason == "too_many_sign_ins"]


def test_sign_ins_of_one_source_are_limited_over_all_accounts(world: World) -> None:
    """60 a minute per source, whatever the names."""
    throttle = SqlThrottle(world.engine.stores.use)
    waits = [throttle.admit(f"acme\nuser{n}", "10.0.0.1", NOW) for n in range(61)]
    assert all(wait <= 0 for wait in waits[:60])
    assert waits[60] > 0
    assert throttle.admit("acme\nuser0", "10.0.0.2", NOW) <= 0


def test_the_throttle_is_one_for_all_processes(world: World) -> None:
    """More workers do not mean more tries: a second process goes on where the first was."""
    first, second = SqlThrottle(world.engine.stores.use), SqlThrottle(world.other().stores.use)
    waits = [t.admit("acme\njsmith", "10.0.0.1", NOW) for _ in range(6) for t in (first, second)]
    assert [wait > 0 for wait in waits] == [False] * 10 + [True] * 2


def test_after_a_hundred_failures_an_account_takes_a_try_per_30_seconds(world: World) -> None:
    """Except from sources that have signed in to it: nobody is locked out by others' failures."""
    throttle = SqlThrottle(world.engine.stores.use)
    account = "acme\njsmith"
    assert throttle.admit(account, "10.0.0.9", NOW) <= 0
    throttle.succeeded(account, "10.0.0.9", NOW)
    for n in range(100):
        at = NOW + timedelta(minutes=n)
        assert throttle.admit(account, "10.0.0.1", at) <= 0
        throttle.failed(account, "10.0.0.1", at)
    later = NOW + timedelta(minutes=101)
    assert throttle.admit(account, "10.0.0.1", later) <= 0
    assert throttle.admit(account, "10.0.0.2", later + timedelta(seconds=1)) > 28
    assert throttle.admit(account, "10.0.0.9", later + timedelta(seconds=1)) <= 0
    assert throttle.admit(account, "10.0.0.1", later + timedelta(seconds=32)) <= 0
    throttle.succeeded(account, "10.0.0.1", later + timedelta(seconds=33))
    assert throttle.admit(account, "10.0.0.3", later + timedelta(seconds=34)) <= 0


def test_a_clock_that_was_set_back_locks_nobody_out(world: World) -> None:
    """What was tried under a time that has yet to come does not count."""
    throttle = SqlThrottle(world.engine.stores.use)
    account, ahead = "acme\njsmith", NOW + timedelta(days=365)
    for _ in range(100):
        throttle.admit(account, "10.0.0.1", ahead)
        throttle.failed(account, "10.0.0.1", ahead)
    assert throttle.admit(account, "10.0.0.1", NOW) <= 0
    assert throttle.admit(account, "10.0.0.1", NOW + timedelta(seconds=1)) > 0


def test_the_throttle_keeps_no_name_in_clear(world: World, http: TestClient) -> None:
    """People type passwords into the wrong field, so what they typed is not kept."""
    body = {"dataSource": "acme", "username": "my secret passphrase", "password": PASSWORD}
    http.post("/api/v3/login", json=body)
    world.engine.recorder.flush()
    world.engine.close()
    for file in world.folder.iterdir():
        assert b"secret passphrase" not in file.read_bytes(), file.name
