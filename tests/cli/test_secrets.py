"""A secret goes to the one place that was said, or nowhere, whatever happens on the way."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import click
import pytest

from keyhalt.cli.masking import masked
from keyhalt.core.decisions import Allowed
from keyhalt.main import MainTools
from tests.cli.conftest import (
    KEYHALT,
    PASSWORD,
    Keyhalt,
    commands,
    create,
    decide,
    decide_with,
    process,
)

SERVING = ("demo", "serve", "prove")
CREATE = ("key", "create", "--owner", "jsmith", "--name", "job")


def test_no_secret_stands_in_any_output_but_the_one_place(
    keyhalt: Keyhalt, data: Path, password: Path, tmp_path: Path
) -> None:
    """After `create`, every command in both forms shows no key, no password and no MAC key."""
    value = create(keyhalt)
    found, old = tmp_path / "found", tmp_path / "old"
    found.write_text(value)
    old.write_text("legacy-key-of-another-system-0123456789")
    mac_keys = (data / "mac-keys.toml").read_text().split('key = "')[1].split('"')[0]
    jsmith = ("--owner", "jsmith", "--name", "n")
    said = [
        keyhalt(*command, *output)
        for output in (("-o", "table"), ("-o", "json"))
        for command in (
            ("key", "list", "--all"),
            ("key", "show", 1),
            ("key", "identify", "--key-file", found),
            ("key", "import", *jsmith, "--key-file", old),
            ("key", "import", *jsmith, "--key-file", found),
            ("user", "create", "bo", "--password-file", password),
            ("user", "list"),
            ("user", "show", "jsmith"),
            ("role", "show", "Default"),
            ("datasource", "list"),
            ("mac-key", "list"),
            ("audit", "list"),
        )
    ]
    said += [
        keyhalt("user", "set-password", "jsmith", "--password-file", password),
        keyhalt("mac-key", "add"),
        keyhalt("mac-key", "mint", 1),
        keyhalt("mac-key", "lost", 0),
        keyhalt("mac-key", "lost"),
        keyhalt("key", "delete", 1, "--yes"),
    ]
    assert sum(done.code == 0 for done in said) > 20
    everything = "".join(done.out + done.err for done in said)
    new_mac_key = (data / "mac-keys.toml").read_text().split('key = "')[1].split('"')[0]
    for secret in (value, value.split(".")[2], old.read_text(), PASSWORD, mac_keys, new_mac_key):
        assert secret not in everything
    assert "argon2" not in everything


def test_no_command_takes_a_secret_as_an_option() -> None:
    """What stands on a command line is seen by everybody on the machine."""
    options = [
        (path, name)
        for path, command in commands()
        for option in command.params
        for name in option.opts
    ]
    about = [(path, name) for path, name in options if "password" in name or "key-" in name]
    assert {name for _, name in about} == {
        "--password-file", "--no-password", "--password-length-min", "--key-file", "--key-stdin",
    }  # fmt: skip
    # What `--key` takes is an id: a text is not understood.
    secret = [path for path, name in options if name in {"--key", "--value", "--token"}]
    assert secret == ["keyhalt audit list", "keyhalt explain"]


OURS = "a2V5aGFsdHxMYWI=.YWNtZXwyfDM=.EJx0Vt8y2LmPq9s/Zc3W+aB7dQ4kR6hN1fU5jX8oY2wE0tGi"
KEYS = (
    OURS,
    f"-{OURS}",
    f"--{OURS}",
    f"--key={OURS}",
    f"Bearer {OURS}",
    "d7f1d682ab41f3a3be7dc763f5218000",
    "0f8fad5b-d9cb-469f-a165-70867728950e",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
)
PARTS = ("EJx0Vt8y2LmPq9s", "d7f1d682ab41", "469f-a165", "jWDarjtT1z", "YWNtZXwyfDM")


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_a_key_on_a_command_line_is_not_repeated(
    bare: Keyhalt, name: str, command: click.Command
) -> None:
    """In the place of a command, of an argument, of an option, of its value: no part of it."""
    words = name.split()[1:]
    options = [each.opts[0] for each in command.params if each.opts[0].startswith("-")]
    for key in KEYS:
        lines = [[key], [*words[:-1], key], [*words, key], [*words, "1", key], [*words, *[key] * 9]]
        # What is said twice is refused, too; what would serve or listen is not reached.
        lines += [[*words, option, key, "--none"] for option in options]
        lines += [[*words, f"{option}={key}", "--none"] for option in options]
        for line in lines:
            if line[0] in SERVING and len(line) == len(words):
                continue
            done = bare(*line)
            assert not [part for part in PARTS if part in done.out + done.err], line


def test_what_may_be_a_key_is_told_from_what_is_none() -> None:
    """A path, a name and a number stand in a message as they were typed."""
    for word in (
        "/srv/0123456789abcdef01/keys.toml",
        "integration-service-2024",
        "99999999999999999999",
    ):
        assert masked(f"there is no {word!r}", [word]) == f"there is no {word!r}"
    for key in KEYS:
        told = masked(f"there is no {key!r} or {key}", [key])
        assert told.startswith("there is no '…' or … ("), told
        assert "--key-stdin" in told


@pytest.mark.parametrize("output", ["table", "json", "key"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_value_that_cannot_be_written_leaves_no_key(keyhalt: Keyhalt, output: str) -> None:
    """A full disk: nobody has the value, so the key is deleted, and that is said."""
    with Path("/dev/full").open("w") as full:
        done = process(*CREATE, "-o", output, stdout=full)
    assert (done.returncode, "key 1 was deleted" in done.stderr) == (1, True)
    assert done.stderr.count("\n") == 1
    assert keyhalt("key", "list", "-o", "json").json == []


def test_a_value_that_nobody_reads_leaves_no_key(keyhalt: Keyhalt) -> None:
    """The other end of the pipe is gone before the value comes."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = process(*CREATE, "-o", "key", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, "key 1 was deleted" in done.stderr) == (1, True)
    assert keyhalt("key", "list", "-o", "json").json == []


def test_a_reader_that_stops_reading_is_no_error(keyhalt: Keyhalt, data: Path) -> None:
    """`keyhalt audit list | head -1` in a real shell."""
    command = f"'{KEYHALT}' audit list --data '{data}' --limit 1000 -o json | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "["
    assert "Traceback" not in done.stderr


def typed(arguments: list[str], answer: str, *, until: str) -> tuple[int, str]:
    """Run on a terminal and type `answer` once `until` was asked. Returns code and screen."""
    here, there = pty.openpty()
    screen, answered = "", False
    with subprocess.Popen(
        [KEYHALT, *arguments], stdin=there, stdout=there, stderr=there, start_new_session=True
    ) as child:
        os.close(there)
        while select.select([here], [], [], 30)[0]:
            try:
                screen += os.read(here, 4096).decode()
            except OSError:  # the other side is closed
                break
            if until in screen and not answered:
                time.sleep(0.2)  # the echo is turned off after the question is printed
                os.write(here, f"{answer}\n".encode())
                answered = True
        os.close(here)
        return child.wait(30), screen


@pytest.mark.journey
def test_on_a_terminal_deleting_asks_first(keyhalt: Keyhalt, data: Path) -> None:
    """The question names the key; "no" leaves it as it was."""
    value = create(keyhalt)
    code, screen = typed(["key", "delete", "1"], "n", until="[y/N]")
    assert (code, "'job' of jsmith" in screen) == (1, True)
    assert "nothing was deleted" in screen
    assert isinstance(decide(data, value), Allowed)
    code, screen = typed(["key", "delete", "1"], "y", until="[y/N]")
    assert (code, "In effect everywhere" in screen) == (0, True)
    assert not isinstance(decide(data, value), Allowed)


@pytest.mark.journey
def test_on_a_terminal_a_key_is_typed_unseen(keyhalt: Keyhalt) -> None:
    """It is asked for, and does not stand on the screen."""
    value = create(keyhalt)
    code, screen = typed(["key", "identify"], value, until="Key")
    assert (code, "jsmith" in screen) == (0, True)
    assert value not in screen


@pytest.mark.journey
def test_killed_at_any_moment_there_is_no_key_or_a_whole_one(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """Kill -9 during `key create`, at 10 moments: what is listed verifies, and nothing else is."""
    started = time.monotonic()
    process(*CREATE, "-o", "key", stdout=subprocess.DEVNULL)
    whole = time.monotonic() - started
    values = []
    for moment in range(10):
        with subprocess.Popen(
            [KEYHALT, *CREATE, "-o", "key"], stdout=subprocess.PIPE, text=True
        ) as child:
            time.sleep(whole * (0.55 + 0.055 * moment))
            child.send_signal(signal.SIGKILL)
            values.append(child.communicate()[0].strip())
    rows = keyhalt("key", "list", "-o", "json").json
    assert all(len(row["hint"].split("…")[1]) == 4 for row in rows), "a row without its text"
    shown = [value for value in values if value]
    with MainTools().engine(data=data) as engine:
        for value in shown:
            assert isinstance(decide_with(engine, value), Allowed)
    assert len(rows) >= len(shown) + 1
    assert keyhalt("db", "check").code == 0
    shutil.copytree(data, tmp_path / "copy")
    assert len(keyhalt("key", "list", "--data", tmp_path / "copy", "-o", "json").json) == len(rows)
