"""docs/commands.md and the commands say the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from keyhalt.cli import context
from keyhalt.cli.app import COMMANDS, cli
from tests.cli.conftest import Keyhalt, commands, create

TEXT = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
INTRODUCTION, *PARTS = re.split(r"^### ", TEXT, flags=re.MULTILINE)
SECTIONS = {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in PARTS}


def examples(section: str) -> list[str]:
    return re.findall(r"^    (.+)$", section, re.MULTILINE)


def properties(section: str) -> set[str]:
    """The names in the sentence that begins with `Properties:`; in brackets stand values."""
    said = re.search(r"Properties: (.+?)(?:\n\n|$)", section, re.DOTALL)
    assert said is not None, section
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", said[1].split(". ")[0])))


def test_every_command_has_a_heading_and_every_heading_a_command() -> None:
    """The document and the click tree list the same, in one place each."""
    names = [name for name, _ in commands()]
    assert sorted(names) == sorted(SECTIONS)
    assert len(PARTS) == len(SECTIONS)


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_has_an_example_that_it_understands(name: str, command: object) -> None:
    """At least one, with options that exist, and with everything that must be said."""
    parameters = command.params  # type: ignore[attr-defined]
    options = {opt: each for each in parameters for opt in each.opts if opt.startswith("-")}
    own = [line for line in examples(SECTIONS[name]) if re.search(rf"\b{name}\b", line)]
    assert own, "no example"
    for line in own:
        words = shlex.split(line.split(f"{name}", 1)[1].split(" < ")[0].split(" | ")[0])
        used = [word for word in words if word.startswith("-") and word != "-"]
        assert set(used) <= set(options), line
        required = {opt for opt, each in options.items() if each.required and opt.startswith("--")}
        assert required <= set(used), line


def test_every_command_says_what_it_does() -> None:
    """`--help` of each begins with a sentence."""
    assert [name for name, command in commands() if not (command.help or "").strip()] == []


def test_every_exit_code_is_listed() -> None:
    """The table has those of the program, those that click and the shell give, and no other."""
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", INTRODUCTION, re.MULTILINE)}
    own = {value for name, value in vars(context).items() if name.startswith("EXIT_")}
    assert listed == {0, 130} | own


def identified(keyhalt: Keyhalt, value: str, folder: Path) -> Callable[[], object]:
    file = folder / "found"
    file.write_text(value)
    return lambda: keyhalt("key", "identify", "--key-file", file, "-o", "json").json


def test_json_has_the_properties_that_are_documented(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """Exactly these names, in snake case, for every command that prints things."""
    value = create(keyhalt)
    (tmp_path / "policy.toml").write_text('name = "orders"\ncase = "exact"\n')
    keyhalt("policy", "apply", tmp_path / "policy.toml")
    keyhalt("group", "create", "Night shift", "--member", "jsmith")
    listed = {
        f"keyhalt {' '.join(words)}": keyhalt(*words, "-o", "json").json[0]
        for words in (
            ("key", "list"),
            ("user", "list"),
            ("role", "list"),
            ("group", "list"),
            ("datasource", "list"),
            ("policy", "list"),
            ("audit", "list"),
            ("mac-key", "list"),
        )
    }
    listed["keyhalt key identify"] = identified(keyhalt, value, tmp_path)()
    for name, row in listed.items():
        assert set(row) == properties(SECTIONS[name]), name
        assert all(re.fullmatch(r"[a-z0-9_]+", each) for each in row), name
    found = keyhalt("key", "find", 1, "-o", "json").json[0]
    assert set(found) - set(listed["keyhalt key list"]) == {"datasource"}
    compared = keyhalt("role", "roll-out", "Default", "--dry-run", "-o", "json").json[0]
    assert set(compared) == properties(SECTIONS["keyhalt role roll-out"])
    user = keyhalt("user", "show", "jsmith", "-o", "json").json
    more = {"permissions", "groups", "max_approval_amount"}
    assert set(user) - set(listed["keyhalt user list"]) == more
    group = keyhalt("group", "show", "night shift", "-o", "json").json
    assert set(group) - set(listed["keyhalt group list"]) == {"codes"}
    role = keyhalt("role", "show", "Default", "-o", "json").json
    assert set(role) - set(listed["keyhalt role list"]) == {"grants"}
    again = keyhalt("key", "create", "--owner", "jsmith", "--name", "x", "-o", "json").json
    assert set(again) - set(listed["keyhalt key list"]) == {"key"}


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    """It is written beside their names, so that showing it loads none of them."""
    context_of_all = click.Context(cli)
    for name, (summary, *_) in COMMANDS.items():
        command = cli.get_command(context_of_all, name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == summary


def test_times_are_rfc_3339(keyhalt: Keyhalt) -> None:
    """In UTC, to the second."""
    create(keyhalt)
    keyhalt("key", "delete", 1, "--yes")
    key = keyhalt("key", "show", 1, "-o", "json").json
    times = [key["created_at"], key["deleted_at"]]
    times += [row["at"] for row in keyhalt("audit", "list", "-o", "json").json]
    times += [row["created_at"] for row in keyhalt("datasource", "list", "-o", "json").json]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)
