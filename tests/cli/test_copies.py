"""Copies of the stores: made in use, put back, and what was revoked in between stays revoked."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.audit import Event
from keyhalt.core.decisions import Allowed, Cause, Denied, Presented
from keyhalt.embed import Engine
from keyhalt.main import MainTools
from keyhalt.usecases.replaying import Replay
from tests.cli.conftest import Keyhalt, create, decide, process
from tests.world import World


def standing(data: Path) -> tuple[str, int]:
    with closing(sqlite3.connect(data / "rights.db")) as store:
        row: tuple[str, int] = store.execute("SELECT cluster, n FROM auth_epoch").fetchone()
        return row


def ask(engine: Engine, key: str) -> Any:
    """As the middleware does: memory first."""
    presented = Presented(keys=(key.encode(),), over_https=True)
    return engine.verify.remembered(presented.only_key, presented.over_https) or asyncio.run(
        engine.verify.verify(presented)
    )


def unavailable(decision: Any) -> bool:
    return isinstance(decision, Denied) and decision.cause is Cause.STORE_UNAVAILABLE


@pytest.fixture
def copy(keyhalt: Keyhalt, tmp_path: Path) -> Path:
    """Where `keyhalt db backup` writes."""
    del keyhalt
    return tmp_path / "copy"


def exported(keyhalt: Keyhalt, tmp_path: Path) -> Path:
    done = keyhalt("audit", "export")
    assert done.code == 0, done.err
    file = tmp_path / "audit.jsonl"
    file.write_text(done.out)
    return file


# ------------------------------------------------------------------ the drill


def test_a_restore_revives_no_deleted_key(
    keyhalt: Keyhalt, data: Path, copy: Path, tmp_path: Path
) -> None:
    """Backup, delete, restore under a running process: closed; replay: open, and still deleted."""
    keep, gone = create(keyhalt), create(keyhalt)
    assert keyhalt("db", "backup", copy).code == 0
    later = create(keyhalt)
    with MainTools().engine(data=data) as running:
        assert all(isinstance(ask(running, key), Allowed) for key in (keep, gone, later))
        assert keyhalt("key", "delete", 2, "--yes").code == 0
        log = exported(keyhalt, tmp_path)
        done = keyhalt("db", "restore", copy, "--yes")
        assert (done.code, "Closed" in done.err) == (0, True), done
        assert all(unavailable(ask(running, key)) for key in (keep, gone, later))
        assert not running.ready()
        for command in (["key", "list"], ["key", "delete", 1, "--yes"], ["audit", "export"]):
            done = keyhalt(*command)
            assert (done.code, "keyhalt db reopen" in done.err) == (78, True), done
        done = keyhalt("db", "reopen", "--replay", log)
        assert (done.code, "Replayed 1, accepted 0" in done.err) == (0, True), done
        assert isinstance(ask(running, keep), Allowed)
        assert running.ready()
        # Made after the backup: lost with it, and never somebody else's.
        assert all(isinstance(ask(running, key), Denied) for key in (gone, later))
        assert create(keyhalt) != later
        assert isinstance(ask(running, later), Denied)
    assert isinstance(decide(data, keep), Allowed)
    assert isinstance(decide(data, gone), Denied)
    newest = keyhalt("audit", "list", "-o", "json").json
    assert "environment.reopen" in [row["event"] for row in newest]
    assert keyhalt("db", "reopen", "--replay", log).code == 0


def test_serve_refuses_a_closed_store(keyhalt: Keyhalt, copy: Path) -> None:
    """With a sentence that says what to run."""
    create(keyhalt)
    keyhalt("db", "backup", copy)
    keyhalt("key", "delete", 1, "--yes")
    keyhalt("db", "restore", copy, "--yes")
    done = keyhalt("serve", "--port", 0)
    assert done.code == 78
    done = process("serve", "--port", 0, env={"KEYHALT_INSECURE_HTTP": "true", **environment()})
    assert (done.returncode, "keyhalt db reopen" in done.stderr) == (78, True), done.stderr
    assert "Traceback" not in done.stderr


def environment() -> dict[str, str]:
    import os

    return {name: os.environ[name] for name in ("KEYHALT_DATA", "KEYHALT_APPS", "PATH")}


def test_what_the_log_lacks_is_accepted_one_by_one(
    keyhalt: Keyhalt, data: Path, copy: Path
) -> None:
    """Without a log every epoch is named; what is not accepted leaves the store as it is."""
    key = create(keyhalt)
    keyhalt("db", "backup", copy)
    keyhalt("key", "delete", 1, "--yes")
    keyhalt("user", "deactivate", "jsmith")
    keyhalt("user", "activate", "jsmith")
    _, reached = standing(data)
    keyhalt("db", "restore", copy, "--yes")
    before = standing(data)
    done = keyhalt("db", "reopen")
    assert (done.code, f"{reached - 2}-{reached}" in done.out) == (78, True), done
    done = keyhalt("db", "reopen", "--accept", reached)
    assert (done.code, standing(data)) == (78, before), done
    assert keyhalt("db", "reopen", "--accept", "everything").code == 2
    done = keyhalt("db", "reopen", "--accept", reached, "--accept", f"{reached - 2}-{reached - 1}")
    assert done.code == 0, done
    assert isinstance(decide(data, key), Allowed)
    assert standing(data)[1] > reached


def test_every_kind_of_change_is_replayed(
    keyhalt: Keyhalt, data: Path, copy: Path, tmp_path: Path, password: Path
) -> None:
    """Role, topmosts, grants, password, activation: the end is that of the environment that was."""
    keyhalt("user", "set-password", "jsmith", "--password-file", password)
    keyhalt("user", "create", "nightly", "--role", "integration", "--no-password")
    keyhalt("datasource", "create", "west")
    keyhalt("db", "backup", copy)
    for command in (
        ["user", "set-role", "jsmith", "Default"],
        ["user", "set-topmost", "jsmith", "places=3,9"],
        ["role", "set-grants", "Integration", "--grant", "meters.view"],
        ["user", "set-password", "jsmith", "--password-file", password],
        ["user", "deactivate", "nightly"],
        ["user", "deactivate", "jsmith"],
        ["user", "activate", "jsmith"],
    ):
        assert keyhalt(*command, "-d", "acme").code == 0, command
    for command in (
        ["datasource", "deactivate", "west"],
        ["datasource", "set-policy", "acme", "--keys-create-keys", "deny"],
        ["freeze", "--generation", 0],
        ["freeze", "--datasource", "acme"],
        ["thaw", 2],
    ):
        assert keyhalt(*command).code == 0, command
    log = exported(keyhalt, tmp_path)
    names = ("user jsmith", "user nightly", "role Integration")
    shown = [name.split() for name in names]
    shows = [[what, "show", name, "-o", "json", "-d", "acme"] for what, name in shown]
    shows.append(["datasource", "list", "-o", "json"])
    before = [keyhalt(*each).json for each in shows], frozen(data)
    keyhalt("db", "restore", copy, "--yes")
    done = keyhalt("db", "reopen", "--replay", log)
    assert (done.code, "Replayed 12, accepted 0" in done.err) == (0, True), done
    assert ([keyhalt(*each).json for each in shows], frozen(data)) == before
    with closing(sqlite3.connect(data / "rights.db")) as store:
        query = "SELECT password_hash FROM user WHERE code = 'jsmith'"
        assert store.execute(query).fetchone() == (None,)


def frozen(data: Path) -> list[Any]:
    columns = "datasource_id, issued_before, generation, thawed_at IS NULL"
    with closing(sqlite3.connect(data / "rights.db")) as store:
        return store.execute(f"SELECT {columns} FROM freeze ORDER BY id").fetchall()


def test_no_event_that_changes_rights_is_forgotten_by_replaying(world: World) -> None:
    """A new event is either replayed, or takes no right away; then it is put on this list."""
    raise_no_epoch = {
        Event.ENVIRONMENT_CREATE,
        Event.DATASOURCE_CREATE,
        Event.USER_CREATE,
        Event.ROLE_CREATE,
        Event.ROLE_DELETE,
        Event.GROUP_CREATE,
        Event.GROUP_EDIT,
        Event.GROUP_DELETE,
        Event.KEY_CREATE,
        Event.KEY_EDIT,
        Event.KEY_EXPOSED,
        Event.EPOCH_DONE,
        Event.KEY_REVOKE_DONE,
        Event.AUDIT_READ,
        Event.AUDIT_RETAIN,
        Event.AUDIT_FORGET,
        Event.MAC_KEYS_CHANGE,
        Event.SIGN_IN,
        Event.SIGN_OUT,
        Event.SIGN_IN_DENIED,
        Event.REQUEST_DENIED,
    }
    with world.engine.rights.look() as tx:
        catalogue = world.engine.profile.catalogue
        replay = Replay(tx, catalogue, at=world.engine.clock.now(), epoch=1)
    assert set(replay.how) == set(Event) - raise_no_epoch


def test_what_this_version_cannot_replay_has_to_be_accepted(
    keyhalt: Keyhalt, copy: Path, tmp_path: Path
) -> None:
    """An event of a later version, and a role that is gone, are named with their epochs."""
    create(keyhalt)
    keyhalt("db", "backup", copy)
    keyhalt("key", "delete", 1, "--yes")
    log = exported(keyhalt, tmp_path)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    last = lines[-1]
    later = {**last, "event": "user.shrink", "epoch": last["epoch"] + 1}
    role = {
        **last,
        "event": "user.set_role",
        "epoch": last["epoch"] + 2,
        "details": {"after": "None"},
    }
    log.write_text("".join(json.dumps(each) + "\n" for each in (*lines, later, role)))
    keyhalt("db", "restore", copy, "--yes")
    done = keyhalt("db", "reopen", "--replay", log)
    assert done.code == 78
    assert "user.shrink" in done.out
    assert "there is no role 'None'" in done.out
    accepted = f"{last['epoch'] + 1},{last['epoch'] + 2}"
    assert keyhalt("db", "reopen", "--replay", log, "--accept", accepted).code == 0


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '"x"', "null"])
def test_a_file_that_is_no_log_is_refused_with_its_line(
    keyhalt: Keyhalt, data: Path, copy: Path, tmp_path: Path, line: str
) -> None:
    """And nothing is opened."""
    create(keyhalt)
    keyhalt("db", "backup", copy)
    keyhalt("key", "delete", 1, "--yes")
    log = exported(keyhalt, tmp_path)
    log.write_text(log.read_text() + line + "\n")
    keyhalt("db", "restore", copy, "--yes")
    before = standing(data)
    done = keyhalt("db", "reopen", "--replay", log)
    number = len(log.read_text().splitlines())
    assert (done.code, f"line {number}" in done.err) == (2, True), done
    assert standing(data) == before


# ------------------------------------------------------------------ by hand


def test_files_that_were_copied_back_by_hand_are_noticed(keyhalt: Keyhalt, data: Path) -> None:
    """The mark beside the MAC keys has seen more."""
    create(keyhalt)
    keyhalt("key", "list")
    for file in data.glob("rights.db*"):
        shutil.copy2(file, file.with_name(f"old-{file.name}"))
    keyhalt("key", "delete", 1, "--yes")
    for file in data.glob("rights.db*"):
        file.unlink()
    for file in data.glob("old-*"):
        file.rename(file.with_name(file.name.removeprefix("old-")))
    done = keyhalt("key", "list")
    assert (done.code, "restored or replaced" in done.err) == (78, True), done


def test_the_store_of_another_environment_is_noticed(
    keyhalt: Keyhalt, data: Path, password: Path, tmp_path: Path
) -> None:
    """Its keys were made with other MAC keys; its cluster has to be named to open it."""
    other = tmp_path / "other"
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    assert keyhalt(*init, "--password-file", password, "--data", other).code == 0
    keyhalt("key", "list")
    for file in data.glob("*.db*"):
        file.unlink()
    for file in other.glob("*.db*"):
        shutil.copy2(file, data)
    done = keyhalt("key", "list")
    assert (done.code, "of cluster" in done.err) == (78, True), done
    done = keyhalt("db", "reopen")
    cluster, _ = standing(data)
    assert (done.code, f"cluster:{cluster}" in done.out) == (78, True), done
    assert keyhalt("db", "reopen", "--accept", f"cluster:{cluster}").code == 0
    assert keyhalt("key", "list").code == 0


def test_the_mark_is_private_and_only_rises(keyhalt: Keyhalt, data: Path) -> None:
    """Mode 0600; one that is not what keyhalt writes closes the store."""
    mark = data / "mac-keys.mark"
    create(keyhalt)
    before = int(mark.read_text().split()[1])
    keyhalt("key", "delete", 1, "--yes")
    assert int(mark.read_text().split()[1]) == before + 1
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    mark.write_text("something else")
    done = keyhalt("key", "list")
    assert (done.code, "is not what keyhalt writes" in done.err) == (78, True), done


# ------------------------------------------------------------------ backup and restore


def test_a_backup_is_whole_private_and_without_the_mac_keys(
    keyhalt: Keyhalt, data: Path, copy: Path, tmp_path: Path
) -> None:
    """Files 0600 at one epoch, no log beside them; the MAC keys only when asked for."""
    create(keyhalt)
    done = keyhalt("db", "backup", copy)
    assert done.code == 0, done
    assert {file.name for file in copy.iterdir()} == {
        "rights.db", "use.db", "signins.db", "backup.json",
    }  # fmt: skip
    assert {stat.S_IMODE(file.stat().st_mode) for file in copy.iterdir()} == {0o600}
    assert json.loads((copy / "backup.json").read_text())["epoch"] == standing(data)[1]
    assert keyhalt("db", "backup", copy).code == 1
    assert keyhalt("db", "backup", tmp_path / "all", "--with-mac-keys").code == 0
    assert (tmp_path / "all" / "mac-keys.toml").exists()


def test_a_backup_that_is_not_whole_is_not_put_back(
    keyhalt: Keyhalt, data: Path, copy: Path
) -> None:
    """A changed file, a missing one, one that was never finished: nothing is written."""
    create(keyhalt)
    keyhalt("db", "backup", copy)
    keyhalt("key", "delete", 1, "--yes")
    before = standing(data)
    assert keyhalt("db", "restore", copy).code == 2
    with (copy / "use.db").open("ab") as file:
        file.write(b"x")
    assert (keyhalt("db", "restore", copy, "--yes").code, standing(data)) == (1, before)
    (copy / "use.db").unlink()
    assert (keyhalt("db", "restore", copy, "--yes").code, standing(data)) == (1, before)
    (copy / "backup.json").unlink()
    assert (keyhalt("db", "restore", copy, "--yes").code, standing(data)) == (1, before)
    assert keyhalt("key", "list").code == 0


def test_a_restore_on_a_new_machine_stays_closed_until_the_rest_is_accepted(
    keyhalt: Keyhalt, copy: Path, tmp_path: Path
) -> None:
    """Nobody there knows how far the environment had come."""
    key = create(keyhalt)
    keyhalt("db", "backup", copy, "--with-mac-keys")
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy2(copy / "mac-keys.toml", new)
    assert keyhalt("db", "restore", copy, "--yes", "--data", new).code == 0
    done = keyhalt("db", "reopen", "--data", new)
    assert (done.code, "rest" in done.out) == (78, True), done
    assert keyhalt("db", "reopen", "--accept", "rest", "--data", new).code == 0
    assert isinstance(decide(new, key), Allowed)


def test_a_restore_after_which_nothing_was_revoked_is_open(
    keyhalt: Keyhalt, data: Path, copy: Path
) -> None:
    """There is nothing to replay."""
    key = create(keyhalt)
    keyhalt("db", "backup", copy)
    done = keyhalt("db", "restore", copy, "--yes")
    assert (done.code, "they are open" in done.err) == (0, True), done
    assert isinstance(decide(data, key), Allowed)
