"""Stores move between SQLite and PostgreSQL with everything in them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Denied
from keyhalt.embed import Engine
from keyhalt.main import MainTools
from keyhalt.storage.copying import copy
from keyhalt.storage.stores import SqliteStores
from keyhalt.usecases.ports import StoreClosedError
from tests.cli.conftest import Keyhalt, create, decide_with
from tests.world import OPERATOR, ORIGIN

Place = str


@pytest.fixture
def filled(keyhalt: Keyhalt, data: Path) -> tuple[Path, str, str]:
    """A folder with a key that counts, a deleted one, and every kind of table filled."""
    keep, gone = create(keyhalt), create(keyhalt)
    keyhalt("key", "delete", 2, "--yes")
    keyhalt("user", "set-topmost", "jsmith", "places=3,9")
    with MainTools().engine(data=data) as engine:
        decide_with(engine, "garbage")
    with closing(sqlite3.connect(data / "use.db")) as use:
        use.execute("INSERT INTO sign_in_bucket VALUES ('ä|b', 12.25)")
        use.commit()
    return data, keep, gone


def copied(keyhalt: Keyhalt, source: str, target: str) -> list[dict[str, Any]]:
    done = keyhalt("db", "copy", "--from", source, "--to", target, "-o", "json")
    assert done.code == 0, done
    rows: list[dict[str, Any]] = done.json
    return rows


def test_there_and_back_everything_is_the_same(
    keyhalt: Keyhalt,
    filled: tuple[Path, str, str],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counts and digests of every table; keys count; ids go on where they were."""
    data, keep, gone = filled
    monkeypatch.setenv("TARGET", database_url)
    there = copied(keyhalt, f"sqlite:{data}", "env:TARGET")
    assert {row["table"]: row["rows"] for row in there}["api_key"] == 2
    back = tmp_path / "back"
    again = copied(keyhalt, "env:TARGET", f"sqlite:{back}")
    differ = {row["table"] for row in there} - {row["table"] for row in again if row in there}
    # Each copy adds its own line.
    assert differ == {"audit_event"}
    for said in ({"database_url": database_url}, {"data": back}):
        with MainTools().engine(**said, mac_keys_file=data / "mac-keys.toml") as engine:
            assert isinstance(decide_with(engine, keep), Allowed)
            assert isinstance(decide_with(engine, gone), Denied)
            assert _new_key(engine) == 3
            newest = engine.look_up.audit(datasource_id=None, limit=2)
            assert "environment.copy" in [row.event.event for row in newest]


def _new_key(engine: Engine) -> int:
    place = engine.look_up.datasource("acme")
    assert place is not None
    owner = engine.look_up.user(place.id, "jsmith")
    assert owner is not None
    issued = engine.issue.create(
        OPERATOR,
        datasource_id=place.id,
        owner_id=owner.user_id,
        name="next",
        description="",
        origin=ORIGIN,
    )
    return issued.row.id


def test_an_id_that_was_given_is_not_given_again_after_a_copy(
    keyhalt: Keyhalt, filled: tuple[Path, str, str], database_url: str, tmp_path: Path
) -> None:
    """Also when its row is gone: the sequence itself is copied."""
    data, *_ = filled
    with closing(sqlite3.connect(data / "rights.db")) as store:
        store.execute("UPDATE sqlite_sequence SET seq = 40 WHERE name = 'api_key'")
        store.commit()
    file = tmp_path / "url"
    file.write_text(database_url + "\n")
    copied(keyhalt, f"sqlite:{data}", f"file:{file}")
    with MainTools().engine(database_url=database_url, data=data) as engine:
        assert _new_key(engine) == 41


def test_a_target_that_is_set_up_is_left_alone(
    keyhalt: Keyhalt, filled: tuple[Path, str, str], tmp_path: Path, password: Path
) -> None:
    """Nothing of it is overwritten."""
    data, *_ = filled
    other = tmp_path / "other"
    init = ["init", "--environment", "Other", "--datasource", "west", "--admin", "bob"]
    assert keyhalt(*init, "--password-file", password, "--data", other).code == 0
    done = keyhalt("db", "copy", "--from", f"sqlite:{data}", "--to", f"sqlite:{other}")
    assert (done.code, "already" in done.err) == (1, True), done
    listed = keyhalt("datasource", "list", "-o", "json", "--data", other).json
    assert [row["name"] for row in listed] == ["west"]


def test_what_was_copied_by_half_is_not_set_up_and_may_be_copied_again(
    keyhalt: Keyhalt, filled: tuple[Path, str, str], tmp_path: Path
) -> None:
    """A row that breaks off the copy of Rights; after that is mended it goes through."""
    data, keep, _ = filled
    new = tmp_path / "new"
    with closing(sqlite3.connect(data / "rights.db")) as store:
        row = store.execute("SELECT id, details FROM audit_event ORDER BY id DESC").fetchone()
        store.execute("UPDATE audit_event SET details = 'no json' WHERE id = ?", row[:1])
        store.commit()
    done = keyhalt("db", "copy", "--from", f"sqlite:{data}", "--to", f"sqlite:{new}")
    assert (done.code, "audit_event" in done.err) == (1, True), done
    done = keyhalt("key", "list", "--data", new)
    assert (done.code, "no environment yet" in done.err) == (78, True), done
    with closing(sqlite3.connect(data / "rights.db")) as store:
        store.execute("UPDATE audit_event SET details = ? WHERE id = ?", row[::-1])
        store.commit()
    # As a process leaves it that was killed between the commits of two stores.
    with closing(sqlite3.connect(new / "use.db")) as use:
        use.execute("INSERT INTO sign_in_bucket VALUES ('left over', 1)")
        use.commit()
    copied(keyhalt, f"sqlite:{data}", f"sqlite:{new}")
    with closing(sqlite3.connect(new / "use.db")) as use:
        assert use.execute("SELECT name FROM sign_in_bucket").fetchall() == [("ä|b",)]
    with MainTools().engine(data=new, mac_keys_file=data / "mac-keys.toml") as engine:
        assert isinstance(decide_with(engine, keep), Allowed)


def test_the_source_cannot_change_while_it_is_copied(
    keyhalt: Keyhalt, filled: tuple[Path, str, str], tmp_path: Path
) -> None:
    """Writers are locked out, whoever verifies is not."""
    data, *_ = filled
    seen = []

    def look(_done: int, _of: int) -> None:
        if seen:
            return
        with closing(sqlite3.connect(data / "rights.db", timeout=0)) as store:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                store.execute("BEGIN IMMEDIATE")
            seen.append(store.execute("SELECT count(*) FROM api_key").fetchone()[0])

    old, new = SqliteStores(data, create=False), SqliteStores(tmp_path / "new", create=True)
    new.upgrade()
    copy(old, new, progress=look, finish=lambda _tx: None)
    old.close()
    new.close()
    assert seen == [2]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("postgresql://keyhalt:secret-word@db/keyhalt", "file:PATH"),
        ("postgresql://db/keyhalt?user=keyhalt&password=secret-word", "file:PATH"),
        ("mysql://db/keyhalt", "sqlite:FOLDER"),
        ("keyhalt-data", "sqlite:FOLDER"),
        ("env:NOT_THERE", "NOT_THERE"),
    ],
)
def test_a_place_that_is_none_is_named_without_its_password(
    keyhalt: Keyhalt, place: str, says: str
) -> None:
    """A password has no place in an option."""
    done = keyhalt("db", "copy", "--from", place, "--to", "sqlite:new")
    assert (done.code, says in done.err) == (2, True), done
    assert "secret-word" not in done.err


def test_a_closed_store_stays_closed_when_it_is_copied(
    keyhalt: Keyhalt, filled: tuple[Path, str, str], tmp_path: Path
) -> None:
    """Moving is no way around answering for what was revoked."""
    data, *_ = filled
    keyhalt("db", "backup", tmp_path / "copy")
    keyhalt("key", "delete", 1, "--yes")
    keyhalt("db", "restore", tmp_path / "copy", "--yes")
    copied(keyhalt, f"sqlite:{data}", f"sqlite:{tmp_path / 'new'}")
    mac_keys = data / "mac-keys.toml"
    with (
        pytest.raises(StoreClosedError),
        MainTools().engine(data=tmp_path / "new", mac_keys_file=mac_keys),
    ):
        pass
