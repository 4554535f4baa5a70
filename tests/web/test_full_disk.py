"""A full disk: 503 and nothing half-written, and on it goes when there is room."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from tests.world import World, make_world

Fill = Callable[[], Callable[[], None]]
MEBIBYTES = 8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[World, Fill]]:
    """A world on a file system of a few MiB of its own, and how to fill it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={MEBIBYTES}m,mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if done.returncode != 0:
        pytest.skip("only root may mount a small disk")
    world = make_world(folder / "data")

    def fill() -> Callable[[], None]:
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - the disk is full as was meant
        return ballast.unlink

    try:
        yield world, fill
    finally:
        world.close()
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_file(tmp_path: Path) -> Iterator[tuple[World, Fill]]:
    """A world whose file of Rights may grow no more: SQLite says the same as of a full disk."""
    world = make_world(tmp_path / "data")
    limit = {"pages": 1 << 30}

    def bound(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {limit['pages']}").fetchall()

    event.listen(world.engine.stores.rights, "checkout", bound)

    def fill() -> Callable[[], None]:
        limit["pages"] = 1
        return lambda: limit.update(pages=1 << 30)

    yield world, fill
    world.close()


@pytest.fixture(params=["small_disk", "small_file"])
def place(request: pytest.FixtureRequest) -> tuple[World, Fill]:
    found: tuple[World, Fill] = request.getfixturevalue(request.param)
    return found


def test_a_full_disk_loses_nothing_that_was_acknowledged(place: tuple[World, Fill]) -> None:
    """Keys are made until there is no room: what was answered is whole, the rest is not there."""
    world, fill = place
    user = world.user("jsmith", "orders.view", "settings.*")
    (_, key), (other_id, other) = world.key(user), world.key(user, "other")
    with world.client() as http:
        http.headers["ECI-ApiKey"] = key
        give_back = fill()
        made: list[str] = []
        refused = 0
        for number in range(5000):
            said = _make(http, number)
            if said is None:
                refused += 1
            else:
                made.append(said)
            if refused == 3:
                break
        assert refused == 3
        # Verifying needs no room.
        assert {_counts(http, each) for each in [key, *made[-20:]]} == {200}
        deleted = http.delete(f"/api/v3/apiKey/{other_id}").status_code
        # A small change may still find room; either way the answer is what holds.
        assert (deleted, _counts(http, other)) in {(503, 200), (204, 401)}
        give_back()
        more = _make(http, 5000)
        assert more is not None
        made.append(more)
        assert http.delete(f"/api/v3/apiKey/{other_id}").status_code == 204
        assert _counts(http, other) == 401
        assert {_counts(http, each) for each in made} == {200}
    with closing(sqlite3.connect(world.folder / "rights.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = "SELECT count(*), count(digest) FROM api_key"
        assert store.execute(query).fetchone() == (len(made) + 2, len(made) + 2)
        query = "SELECT count(*) FROM audit_event WHERE event = 'key.create'"
        assert store.execute(query).fetchone() == (len(made) + 2,)


def _make(http: TestClient, number: int) -> str | None:
    """The value of a new key; None when the answer is 503."""
    body = {"apiKeyName": f"k{number}", "apiKeyDescription": "d" * 3000}
    answer = http.post("/api/v3/apiKey", json=body)
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
        assert answer.json()["code"] == "unavailable"
        return None
    assert answer.status_code == 200, answer.text
    return str(answer.json()["apiKey"])


def _counts(http: TestClient, key: str) -> int:
    return http.get("/api/v3/order", headers={"ECI-ApiKey": key}).status_code
