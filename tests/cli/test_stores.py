"""Stores and settings that are not as they must be: one line, and nothing is made or changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Keyhalt

OPENING = [["key", "list"], ["user", "list"], ["audit", "list"], ["datasource", "list"]]
COMMANDS = [*OPENING, ["mac-key", "list"]]


def test_nothing_set_up_yet_says_what_to_run(bare: Keyhalt, data: Path) -> None:
    """Instead of making an empty store."""
    for command in (*COMMANDS, ["db", "check"], ["mac-key", "lost"], ["serve"]):
        done = bare(*command)
        assert done.code == 78, done
        assert "keyhalt init" in done.err or "transport" in done.err
    assert not data.exists()


def test_a_folder_that_is_no_store_is_left_alone(bare: Keyhalt, tmp_path: Path) -> None:
    """With `--data` at somebody's documents, nothing is written there."""
    (tmp_path / "letter.txt").write_text("dear")
    for command in COMMANDS:
        assert bare(*command, "--data", tmp_path).code == 78
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("store", "commands"), [("rights.db", COMMANDS), ("use.db", OPENING)])
def test_a_damaged_store_is_one_line(
    keyhalt: Keyhalt, data: Path, store: str, commands: list[list[str]]
) -> None:
    """A text file in its place; it stays what it was."""
    for file in data.glob(f"{store}*"):
        file.unlink()
    text = "this is not a database, not at all, and long enough to be seen"
    (data / store).write_text(text)
    for command in commands:
        done = keyhalt(*command)
        assert (done.code, done.out, done.err.count("\n")) == (69, "", 1), done
        assert "Background on this error" not in done.err
    assert (data / store).read_text() == text


def test_an_empty_store_file_says_what_to_run(keyhalt: Keyhalt, data: Path) -> None:
    """As after a copy that was broken off."""
    for file in data.glob("rights.db*"):
        file.unlink()
    (data / "rights.db").touch()
    done = keyhalt("key", "list")
    assert (done.code, "keyhalt db upgrade" in done.err) == (78, True)


def test_a_store_of_a_later_version_says_so_and_stays_as_it_is(
    keyhalt: Keyhalt, data: Path, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an update is rolled back. `db upgrade` would not help, and is not advised."""
    monkeypatch.setenv("KEYHALT_INSECURE_HTTP", "true")
    with closing(sqlite3.connect(data / "rights.db")) as store, store:
        store.execute("UPDATE alembic_version SET version_num = 'rights_9999'")
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    again = [*init, "--password-file", str(password)]
    checks = [["db", "check"], ["db", "upgrade"], ["serve", "--port", "0"], again]
    for command in (*OPENING, *checks):
        done = keyhalt(*command)
        assert (done.code, done.out, done.err.count("\n")) == (78, "", 1), done
        assert "a later version of Keyhalt" in done.err
        assert "rights_9999" in done.err
        assert "db upgrade" not in done.err
    with closing(sqlite3.connect(data / "rights.db")) as store:
        assert store.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("rights_9999",)
        ]


def test_a_file_in_place_of_the_folder_is_one_line(
    bare: Keyhalt, data: Path, password: Path
) -> None:
    """As a read-only disk would be."""
    data.write_text("a file")
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    done = bare(*init, "--password-file", password)
    assert done.code in {1, 2}, done
    assert "file" in done.err.lower()
    for command in COMMANDS:
        assert bare(*command).code == 78
    assert data.read_text() == "a file"


def test_an_environment_keeps_its_name(keyhalt: Keyhalt, password: Path) -> None:
    """It is part of every key."""
    init = ["init", "--environment", "Other", "--datasource", "acme", "--admin", "bob"]
    done = keyhalt(*init, "--password-file", password)
    assert done.code == 78
    assert "'Lab'" in done.err


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KEYHALT_PORT", "abc", "KEYHALT_PORT"),
        ("KEYHALT_WORKERS", "0", "KEYHALT_WORKERS"),
        ("KEYHALT_PROFILE", "nothing", "profile 'nothing'"),
        ("KEYHALT_PROFILE", "orders", "profile 'orders'"),
        ("KEYHALT_CONFIG", "/none.toml", "KEYHALT_CONFIG"),
        ("KEYHALT_MAC_KEYS", "0:mint:c2hvcnQ=", "at least 32"),
        ("KEYHALT_MAC_KEYS_FILE", "/none.toml", "/none.toml"),
    ],
)
def test_a_wrong_setting_is_named(
    keyhalt: Keyhalt, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    """Exit 78, and never the value of a secret."""
    monkeypatch.setenv(name, value)
    done = keyhalt("key", "list")
    assert done.code == 78, done
    assert says in done.err
    assert "c2hvcnQ" not in done.err
