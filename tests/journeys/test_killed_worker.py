"""`kill -9` in the middle of it all, on both stores."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import threading
import urllib.request
from contextlib import closing

import psycopg

from tests.journeys.installing import Installation, ask
from tests.world import until

KEYS = 1000
THREADS = 4


def made_in(url: str, key: str, made: list[str], enough: threading.Event) -> None:
    """Keys, one after the other; the texts that were answered."""
    body = json.dumps({"apiKeyName": "bulk"}).encode()
    headers = {"ECI-ApiKey": key, "Content-Type": "application/json"}
    while not enough.is_set():
        request = urllib.request.Request(f"{url}/api/v3/apiKey", data=body, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                made.append(json.loads(answer.read())["apiKey"])
        except OSError:
            continue
        if len(made) >= KEYS:
            enough.set()


def stored(installed: Installation) -> list[tuple[bytes | None, int | None]]:
    """Of each key its digest, and the key of the row of the audit log that tells of its making."""
    query = (
        "SELECT k.digest, e.object_id FROM api_key AS k LEFT JOIN audit_event AS e"
        " ON e.event = 'key.create' AND e.object_id = k.id"
    )
    if installed.database_url:
        with psycopg.connect(installed.database_url) as connection:
            return list(connection.execute(query))
    with closing(sqlite3.connect(installed.data / "rights.db")) as store:
        return list(store.execute(query))


def test_a_worker_killed_while_a_thousand_keys_are_made_loses_none_that_was_answered(
    on_either: Installation,
) -> None:
    """Every text that was answered is stored and counts, and no row is half-written."""
    keep = on_either.key("keep")
    process, url = on_either.serve(drain_seconds="0.2")
    made: list[str] = []
    enough = threading.Event()
    work = (url, keep, made, enough)
    threads = [threading.Thread(target=made_in, args=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for reached in (KEYS // 3, 2 * KEYS // 3):
            until(lambda reached=reached: len(made) >= reached)  # type: ignore[misc]
            os.kill(on_either.workers(process)[0], signal.SIGKILL)
        until(enough.is_set)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    rows = stored(on_either)
    assert all(digest and told for digest, told in rows)
    assert {hashlib.sha256(text.encode()).digest() for text in made} <= {
        bytes(digest) for digest, _ in rows if digest
    }
    # Of a worker that was killed between its commit and its answer, nobody has the text.
    assert len(made) + 1 <= len(rows) <= len(made) + 1 + 2 * THREADS
    assert {ask(url, "/api/v3/me", key=key) for key in made[:: KEYS // 50]} == {200}
    assert on_either.run("audit", "verify").returncode == 0
