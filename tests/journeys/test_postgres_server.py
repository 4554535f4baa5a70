"""`keyhalt serve` on PostgreSQL: several workers, one that dies, a restart, the database away."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.journeys.installing import KEYHALT, Installation, answered, ask, install, key_id_of
from tests.postgres import OwnServer, Server
from tests.world import until


@pytest.fixture
def installed(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    made = install(tmp_path / "data", database_url)
    yield made
    made.stop()


def test_a_key_deleted_through_one_worker_is_dead_in_all_and_their_end_is_in_order(
    installed: Installation,
) -> None:
    """By HTTP and by command, with both workers remembering the key; then SIGTERM."""
    keep = installed.key("keep")
    process, url = installed.serve()
    for name in ("one", "two"):
        key = installed.key(name)
        assert answered(url, key) == {200}
        key_id = key_id_of(url, keep, name)
        if name == "one":
            assert ask(url, f"/api/v3/apiKey/{key_id}", method="DELETE", key=keep) == 204
        else:
            said = installed.run("key", "delete", str(key_id), "--yes").stderr
            assert "In effect everywhere: epoch " in said
            assert ", acknowledged by 2, waited " in said
        assert answered(url, key) == {401}
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert _verifiers(installed) == []


def test_who_is_stopped_as_soon_as_it_listens_leaves_no_lease(
    tmp_path: Path, database_url: str
) -> None:
    """Else the next change would wait for it, as long as a lease is."""
    made = Installation(tmp_path / "data", database_url)
    demo = subprocess.Popen(
        [KEYHALT, "demo", "--port", "0", "--json", "--data", made.data],
        env=made.environment(apps="energy"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    assert demo.stdout.readline()
    demo.terminate()
    demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert _verifiers(made) == []


def test_a_worker_that_is_killed_is_replaced_and_nobody_waits_for_its_lease(
    installed: Installation,
) -> None:
    """SIGKILL in the middle of it all: its parent says that it is dead."""
    keep = installed.key("keep")
    process, url = installed.serve(lease_seconds="120")
    before = installed.workers(process)
    assert len(before) == 2
    assert answered(url, keep) == {200}
    os.kill(before[0], signal.SIGKILL)
    until(
        lambda: len(installed.workers(process)) == 2 and before[0] not in installed.workers(process)
    )
    until(lambda: sum(alive for _, alive in _verifiers(installed)) == 2)
    key = installed.key("doomed")
    assert answered(url, key) == {200}
    key_id = key_id_of(url, keep, "doomed")
    assert ask(url, f"/api/v3/apiKey/{key_id}", method="DELETE", key=keep) == 204
    assert answered(url, key) == {401}


def test_replacing_all_workers_fails_no_request(installed: Installation) -> None:
    """SIGHUP: each new worker is ready before its predecessor goes."""
    key = installed.key()
    process, url = installed.serve(drain_seconds="0.2")
    before = set(installed.workers(process))
    stop = threading.Event()
    seen: set[int] = set()

    def hammer() -> None:
        while not stop.is_set():
            seen.add(ask(url, "/api/v3/me", key=key))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    process.send_signal(signal.SIGHUP)
    until(lambda: not before & set(installed.workers(process)))
    stop.set()
    for thread in threads:
        thread.join()
    assert seen == {200}


def test_a_stopping_server_is_not_ready_first_and_still_answers(installed: Installation) -> None:
    """So a load balancer looks away before connections are refused."""
    key = installed.key()
    process, url = installed.serve(workers="1", drain_seconds="30")
    process.send_signal(signal.SIGTERM)
    until(lambda: ask(url, "/readyz") == 503)
    assert ask(url, "/api/v3/me", key=key) == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_the_database_away_is_503_and_never_a_wrong_answer(
    installed: Installation, postgres: Server
) -> None:
    """Stopped and started again under load: 200 or 503 for a good key, and 200 again after.

    By the same workers: nobody has to restart anything. How soon: tests/storage/test_keeper.py.
    """
    if not isinstance(postgres, OwnServer):
        pytest.skip("TEST_DATABASE_URL names a server that is not ours to stop")
    good, gone = installed.key("good"), installed.key("gone")
    process, url = installed.serve()
    workers = installed.workers(process)
    key_id = key_id_of(url, good, "gone")
    assert ask(url, f"/api/v3/apiKey/{key_id}", method="DELETE", key=good) == 204
    assert answered(url, good) == {200}
    assert answered(url, gone) == {401}
    seen: dict[str, set[int]] = {"good": set(), "gone": set()}
    stop = threading.Event()

    def hammer(name: str, key: str, pause: float) -> None:
        while not stop.wait(pause):
            seen[name].add(ask(url, "/api/v3/me", key=key))

    # Denials are fast, and whoever asks for too many of them is answered 429.
    load = ("good", good, 0.0), ("gone", gone, 0.1)
    threads = [threading.Thread(target=hammer, args=each) for each in load]
    for thread in threads:
        thread.start()
    postgres.stop("immediate")
    try:
        until(lambda: 503 in seen["good"])
        # Of two workers one may still hold its lease.
        until(lambda: ask(url, "/readyz") == 503)
        assert ask(url, f"/api/v3/apiKey/{key_id}", method="DELETE", key=good) == 503
        postgres.start()
        until(lambda: ask(url, "/readyz") == 200)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        postgres.start()
    assert seen["good"] == {200, 503}
    # Which of the two is chance: a denial that is remembered needs no database while it is fresh.
    assert seen["gone"]
    assert seen["gone"] <= {401, 503}
    assert answered(url, good) == {200}
    assert answered(url, gone) == {401}
    fresh = key_id_of(url, good, "good")
    assert ask(url, f"/api/v3/apiKey/{fresh}", method="DELETE", key=good) == 204
    assert answered(url, good) == {401}
    # What the kernel says of children may lack one for a moment (proc(5)).
    until(lambda: installed.workers(process) == workers)


def test_connections_that_are_cut_come_back(installed: Installation) -> None:
    """Every session is ended by the server: what follows works, with at most a 503 between."""
    key = installed.key()
    _, url = installed.serve()
    assert answered(url, key) == {200}
    with psycopg.connect(installed.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    fresh = installed.key("fresh")
    until(lambda: answered(url, fresh) == {200})
    assert answered(url, key) <= {200}


def _verifiers(installed: Installation) -> list[Any]:
    with psycopg.connect(installed.database_url, autocommit=True) as connection:
        return connection.execute("SELECT process, alive FROM verifier").fetchall()
