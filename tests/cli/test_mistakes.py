"""Mistakes: one clear line, a non-zero exit code, no traceback, nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keyhalt.core.decisions import Allowed, Presented
from keyhalt.main import MainTools
from tests.cli.conftest import PASSWORD, Keyhalt

KEYHALT = Path(sys.executable).parent / "keyhalt"


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["key", "create", "--owner", "jsmit", "--name", "x"], 5, "did you mean jsmith"),
        (["key", "create", "--owner", "jsmith", "--name", ""], 1, "must not be empty"),
        (["key", "create", "--owner", "jsmith", "--name", "x" * 61], 1, "at most 60"),
        (["key", "create", "--owner", "jsmith", "--name", "a\x07b"], 1, "control characters"),
        (["key", "create", "--owner", "jsmith"], 2, "--name"),
        (["key", "list", "-d", "acm"], 5, "there is no datasource 'acm'; there is: acme"),
        (["key", "show", "99"], 5, "no key 99"),
        (["key", "show", "x"], 2, "not a valid integer"),
        (["key", "delete", "99", "--yes"], 5, "no key 99"),
        (["key", "frobnicate"], 2, "No such command"),
        (["key", "import", "--owner", "jsmith", "--name", "x"], 2, "--key-stdin"),
        (
            ["key", "import", "--owner", "jsmith", "--name", "x", "--key-file", "/none"],
            2,
            "No such",
        ),
        (["user", "show", "nobody"], 5, "no user 'nobody'"),
        (["user", "set-role", "jsmith", "Defalt"], 5, "did you mean Default"),
        (["user", "set-topmost", "jsmith", "place=1"], 2, "did you mean places"),
        (["user", "set-topmost", "jsmith", "places=x"], 2, "HIERARCHY=ID,ID"),
        (["user", "set-topmost", "jsmith", "places"], 2, "HIERARCHY=ID,ID"),
        (["user", "create", "x" * 66, "--no-password"], 1, "at most 65"),
        (["role", "create", "x", "--grant", "meter.view"], 2, "did you mean meters.view"),
        (["role", "create", "x", "--grant", "licenseFeatureGhg.view"], 2, "names no permission"),
        (["role", "create", "Default", "--grant", "*"], 6, "already"),
        (["role", "show", "nothing"], 5, "no role"),
        (["datasource", "create", "a|b"], 1, "must not hold any of"),
        (["mac-key", "mint", "9"], 5, "no MAC-key generation 9"),
        (["init", "--environment", "Lab"], 2, "--datasource"),
        (["nonsense"], 2, "No such command"),
        (["audit", "list", "--limit", "0"], 2, "range"),
    ],
)
def test_a_mistake_gets_one_clear_message(
    keyhalt: Keyhalt, command: list[str], code: int, says: str
) -> None:
    """What is wrong, in the words of who typed it."""
    done = keyhalt(*command)
    assert done.code == code, done
    assert says in done.err
    assert done.out == ""


def test_a_short_password_is_refused_and_not_repeated(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """15 characters at least; the message has none of them."""
    file = tmp_path / "short"
    file.write_text("hunter2\n")
    done = keyhalt("user", "set-password", "jsmith", "--password-file", file)
    assert done.code == 1
    assert "15 to 128 characters" in done.err
    assert "hunter2" not in done.err


def test_nothing_set_up_yet_says_what_to_run(bare: Keyhalt) -> None:
    """Instead of making an empty store."""
    for command in (["key", "list"], ["db", "check"], ["mac-key", "list"], ["serve"]):
        done = bare(*command)
        assert done.code == 78, done
        assert "keyhalt init" in done.err or "transport" in done.err


@pytest.mark.parametrize("store", ["rights.db", "use.db"])
def test_a_damaged_store_is_one_line(keyhalt: Keyhalt, data: Path, store: str) -> None:
    """A text file in its place."""
    for file in data.glob(f"{store}*"):
        file.unlink()
    (data / store).write_text("this is not a database, not at all, and long enough to be seen")
    done = keyhalt("key", "list")
    assert done.code == 69, done
    assert done.err.count("\n") == 1


def test_a_file_in_place_of_the_folder_is_one_line(
    bare: Keyhalt, data: Path, password: Path
) -> None:
    """As a read-only disk would be."""
    data.write_text("a file")
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    done = bare(*init, "--password-file", password)
    assert done.code in {1, 2}, done
    assert "file" in done.err.lower()


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


def test_a_wrong_password_file_is_one_line(keyhalt: Keyhalt) -> None:
    """A path that is not there."""
    done = keyhalt("user", "set-password", "jsmith", "--password-file", "/none/there")
    assert done.code == 2


def test_a_reader_that_stops_reading_is_no_error(keyhalt: Keyhalt, data: Path) -> None:
    """`keyhalt audit list | head -1` in a real shell."""
    command = f"'{KEYHALT}' audit list --data '{data}' --limit 1000 -o json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def test_killed_at_any_moment_there_is_no_key_or_a_whole_one(keyhalt: Keyhalt, data: Path) -> None:
    """Kill -9 during `key create`, at 14 moments: what is listed verifies, and nothing else is."""
    command = [KEYHALT, "key", "create", "--data", data, "--owner", "jsmith", "--name", "k"]
    environment = {**os.environ, "KEYHALT_APPS": ""}
    started = time.monotonic()
    subprocess.run([*command, "-o", "key"], env=environment, check=True, capture_output=True)
    whole = time.monotonic() - started
    values = []
    for moment in range(14):
        with subprocess.Popen(
            [*command, "-o", "key"], env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            time.sleep(whole * (0.55 + 0.04 * moment))
            process.send_signal(signal.SIGKILL)
            values.append(process.communicate()[0].strip())
    rows = keyhalt("key", "list", "-o", "json").json
    assert all(len(row["hint"].split("…")[1]) == 4 for row in rows), "a row without its text"
    shown = [value for value in values if value]
    with MainTools().engine(data=data) as engine:
        for value in shown:
            presented = Presented(keys=(value.encode(),), over_https=True)
            assert isinstance(asyncio.run(engine.verify.verify(presented)), Allowed)
    assert len(rows) >= len(shown) + 1
    assert keyhalt("db", "check").code == 0
    assert PASSWORD not in str(rows)
