"""The restore drill: a copy is put back under running servers, and no deleted key comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from tests.journeys.installing import Installation, answered, ask, key_id_of
from tests.postgres import postgres_tool
from tests.world import PASSWORD, until


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
    body = {"dataSource": "acme", "username": "ada", "password": PASSWORD}
    return ask(url, "/api/v3/login", method="POST", body=body)


def test_a_copy_put_back_under_running_servers_revives_no_deleted_key(
    on_either: Installation, tmp_path: Path
) -> None:
    """Closed until the log is replayed, then open without a restart; asked all the while."""
    keep, gone = on_either.key("keep"), on_either.key("gone")
    (_, one), (_, other) = (on_either.serve(workers=n, drain_seconds="0.2") for n in ("2", "1"))
    workers = [on_either.workers(process) for process in on_either.running]
    put_back = backed_up(on_either, tmp_path / "copy")
    later = on_either.key("later")
    for url in (one, other):
        assert {status for key in (keep, gone, later) for status in answered(url, key)} == {200}
    path = f"/api/v3/apiKey/{key_id_of(one, keep, 'gone')}"
    assert ask(one, path, method="DELETE", key=keep) == 204
    log = tmp_path / "audit.jsonl"
    log.write_text(on_either.run("audit", "export").stdout)

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
        assert "reopen" in on_either.run("db", "reopen", code=78).stderr
        assert answered(one, keep, times=4) == {503}
        on_either.run("db", "reopen", "--replay", str(log))
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
    assert [on_either.workers(process) for process in on_either.running] == workers
