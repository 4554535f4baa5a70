"""The restore drill: a copy is put back under running servers, and no deleted key comes back."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.installing import Installation, answered, ask, install, key_id_of
from tests.postgres import postgres_tool
from tests.world import PASSWORD, until

GUARDED = "sqlite"
BARRIER = "postgresql"


@pytest.fixture(params=[GUARDED, BARRIER])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    url = request.getfixturevalue("database_url") if request.param == BARRIER else ""
    made = install(tmp_path / "data", url)
    yield made
    made.stop()


def backed_up(installed: Installation, to: Path) -> Callable[[], None]:
    """Makes a copy as docs/storage.md says; returns how it is put back."""
    if not installed.database_url:
        installed.run("db", "backup", str(to))
        return lambda: _said(installed.run("db", "restore", str(to), "--yes").stderr, "Closed")
    postgres_tool("pg_dump", "--format=custom", f"--file={to}", installed.database_url)
    into = ["--single-transaction", f"--dbname={installed.database_url}", str(to)]
    return lambda: postgres_tool("pg_restore", "--clean", "--if-exists", *into)


def _said(text: str, words: str) -> None:
    assert words in text


def sign_in(url: str) -> int:
    body = json.dumps({"dataSource": "acme", "username": "ada", "password": PASSWORD}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/v3/login", data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_copy_put_back_under_running_servers_revives_no_deleted_key(
    installed: Installation, tmp_path: Path
) -> None:
    """Closed until the log is replayed, then open without a restart; asked all the while."""
    keep, gone = installed.key("keep"), installed.key("gone")
    (_, one), (_, other) = (installed.serve(workers=n, drain_seconds="0.2") for n in ("2", "1"))
    workers = [installed.workers(process) for process in installed.running]
    put_back = backed_up(installed, tmp_path / "copy")
    later = installed.key("later")
    for url in (one, other):
        assert {status for key in (keep, gone, later) for status in answered(url, key)} == {200}
    path = f"/api/v3/apiKey/{key_id_of(one, keep, 'gone')}"
    assert ask(one, path, method="DELETE", key=keep) == 204
    log = tmp_path / "audit.jsonl"
    log.write_text(installed.run("audit", "export").stdout)

    seen: dict[str, set[int]] = {keep: set(), gone: set()}
    stop = threading.Event()

    def hammer(url: str, key: str, pause: float) -> None:
        while not stop.wait(pause):
            seen[key].add(ask(url, "/api/v3/me", key=key))

    # Denials are fast, and whoever asks for too many of them is answered 429.
    load = [(url, key, pause) for url in (one, other) for key, pause in ((keep, 0.01), (gone, 0.3))]
    threads = [threading.Thread(target=hammer, args=each) for each in load]
    for thread in threads:
        thread.start()
    try:
        put_back()
        for url in (one, other):
            # On PostgreSQL each process looks four times a second; any may be asked.
            until(lambda url=url: answered(url, keep) == {503})  # type: ignore[misc]
            assert ask(url, "/readyz") == 503
            assert answered(url, gone, times=4) == {503}
            assert ask(url, path, method="DELETE", key=keep) == 503
            assert sign_in(url) == 503
        # Without the log it is said what is missing, and nothing is opened.
        assert "reopen" in installed.run("db", "reopen", code=78).stderr
        assert answered(one, keep, times=4) == {503}
        installed.run("db", "reopen", "--replay", str(log))
        until(lambda: ask(one, "/readyz") == ask(other, "/readyz") == 200)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert seen[gone] <= {401, 503}
    assert seen[keep] == {200, 503}
    for url in (one, other):
        assert answered(url, keep, times=4) == {200}
        # Made after the copy, `later` is lost with it.
        assert {status for key in (gone, later) for status in answered(url, key, times=4)} == {401}
        assert sign_in(url) == 200
    assert [installed.workers(process) for process in installed.running] == workers
