"""`/metrics`: what all processes did, from the store, for whoever watches and for nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from keyhalt.storage.measures import close_days
from keyhalt.telemetry.metrics import exposition
from keyhalt.usecases.measure import EventTotal, Measured, ThisProcess, Totals
from tests.web.test_use import ask
from tests.world import OPERATOR, ORIGIN, World

DOCUMENT = Path(__file__).parents[2] / "docs" / "watching.md"
INTERNAL = 8081
SECRET = "a secret of sixteen"
Labels = tuple[tuple[str, str], ...]


@dataclass
class Watcher:
    """A process of the installation with both listeners, and its reading of what it measures."""

    world: World
    public: TestClient
    internal: TestClient

    def read(self, **headers: str) -> dict[str, dict[Labels, float]]:
        answer = self.internal.get("/metrics", headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found: dict[str, dict[Labels, float]] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                found.setdefault(sample.name.removeprefix("keyhalt_"), {})[labels] = sample.value
        return found


@pytest.fixture
def watcher(world: World) -> Iterator[Watcher]:
    with world.client(internal_port=INTERNAL) as public:
        internal = TestClient(public.app, base_url=f"https://testserver:{INTERNAL}")
        yield Watcher(world, public, internal)


def decided(read: dict[str, dict[Labels, float]]) -> dict[tuple[str, str], float]:
    return {(dict(k)["outcome"], dict(k)["reason"]): n
            for k, n in read["verifications_total"].items()}  # fmt: skip


def test_any_process_tells_what_all_of_them_did(world: World, watcher: Watcher) -> None:
    """Allowed and denied by exact reason, add up over processes, flood or not."""
    key = world.key(world.user("jsmith", "orders.view"))
    other = world.other()
    with world.client(other) as http:
        for client, times in ((watcher.public, 2), (http, 3)):
            for _ in range(times):
                ask(client, key, "/api/v3/order")
                client.post("/api/v3/order", json={"title": "x"}, headers={"ECI-ApiKey": key[1]})
            for _ in range(150):
                client.get("/api/v3/order", headers={"ECI-ApiKey": "nonsense"})
    world.engine.use_recorder.flush()
    world.engine.recorder.flush()
    read = watcher.read()
    assert decided(read) == {
        ("allowed", ""): 5,
        ("denied", "permission_denied"): 5,
        ("denied", "foreign_text"): 300,
    }
    assert read["store_up"] == {(): 1}
    assert read["keys"] == {(("state", "active"),): 1, (("state", "deleted"),): 0}
    assert read["process_remembered_keys"] == {(): 1}


def test_a_change_and_its_wait_are_seen(world: World, watcher: Watcher) -> None:
    """The epoch, the chain, how long was waited; leases only where there are any."""
    key = world.key(world.user("jsmith", "orders.view"))
    world.engine.recorder.flush()
    before = watcher.read()
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key[0], origin=ORIGIN
    )
    world.engine.recorder.flush()
    after = watcher.read()
    (epoch,), (old,) = after["epoch"].values(), before["epoch"].values()
    assert epoch == old + 1
    assert after["keys"] == {(("state", "active"),): 0, (("state", "deleted"),): 1}
    done = (("outcome", "done"),)
    waited = "revocation_propagation_seconds_count"
    assert after["revocations_total"][done] == before.get("revocations_total", {}).get(done, 0) + 1
    assert after[waited][()] == before[waited][()] + 1
    assert after["audit_chain_row"][()] > before["audit_chain_row"][()]
    leases = world.form == "barrier"
    assert ("verifiers_alive" in after, "process_lease_seconds" in after) == (leases, leases)


def test_no_counter_goes_back_when_days_are_over(world: World, watcher: Watcher) -> None:
    """Days that are added up once stay in the total, also when they are added up again."""
    key = world.key(world.user("jsmith", "orders.view"))
    ask(watcher.public, key, "/api/v3/order")
    world.engine.use_recorder.flush()
    later = world.engine.clock.now().date() + timedelta(days=3)
    for day in (later, later, later + timedelta(days=1)):
        close_days(world.engine.stores.use, day)
        assert decided(watcher.read())["allowed", ""] == 1
    ask(watcher.public, key, "/api/v3/order")


def test_whoever_holds_a_key_cannot_read_it(world: World) -> None:
    """It is on the internal listener only, behind its secret; also as a scraper's password."""
    _, key = world.key(world.user("jsmith", "*"))
    with world.client(internal_port=INTERNAL, proxy_secret=SECRET) as public:
        assert public.get("/metrics", headers={"ECI-ApiKey": key}).status_code == 404
        internal = TestClient(public.app, base_url=f"https://testserver:{INTERNAL}")
        assert internal.get("/metrics", headers={"ECI-ApiKey": key}).status_code == 403
        headers = {"Keyhalt-Proxy-Secret": SECRET}
        assert internal.get("/metrics", headers=headers).status_code == 200
        assert internal.get("/metrics", auth=("prometheus", SECRET)).status_code == 200


def test_no_label_grows_with_what_is_sent(world: World, watcher: Watcher) -> None:
    """Keys, users and addresses of any number: the same lines."""
    owner = world.user("jsmith", "orders.view")

    def lines() -> set[Any]:
        world.engine.use_recorder.flush()
        world.engine.recorder.flush()
        return {(name, labels) for name, each in watcher.read().items() for labels in each}

    for count in (1, 5):
        for number in range(count):
            key = world.key(owner, f"{count} {number}")
            ask(watcher.public, key, "/api/v3/order")
            watcher.public.get(f"/api/v3/x{number}", headers={"ECI-ApiKey": "x" * number})
        if count == 1:
            before = lines()
    after = lines()
    assert {name for name, _ in after} == {name for name, _ in before}
    assert len(after) <= len(before) + 1  # an empty text is a reason of its own


def test_every_metric_is_described_and_no_other() -> None:
    """docs/watching.md has the table of them."""
    said = set(re.findall(r"^\| `keyhalt_(\w+)`", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    events = [
        EventTotal(e, "done", "", 1, 1) for e in ("request.deny", "sign_in.done", "epoch.done")
    ]
    totals = Totals(events, allowed=1, changes=1, epoch=1, keys={"active": 1}, verifiers=1)
    text, _ = exposition(Measured(totals, ThisProcess(1, 1.0, 1.0)), "1", "Lab")
    assert set(re.findall(r"^# TYPE keyhalt_(\w+)", text.decode(), re.MULTILINE)) == said


def test_a_store_that_cannot_be_asked_is_told(world: World, watcher: Watcher) -> None:
    """Instead of an error: what is of the process is still there."""
    if world.form == "barrier":
        pytest.skip("a file is taken away")
    (world.folder / "use.db").rename(world.folder / "use.away")
    (world.folder / "use.db").mkdir()
    world.engine.stores.use.dispose()
    read = watcher.read()
    assert read["store_up"] == {(): 0}
    assert "verifications_total" not in read
    assert "process_remembered_keys" in read
    (world.folder / "use.db").rmdir()
    (world.folder / "use.away").rename(world.folder / "use.db")
