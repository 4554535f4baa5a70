"""Mistakes: one clear line, a non-zero exit code, no traceback, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Keyhalt

INIT = ["init", "--environment", "Lab", "--admin", "bo"]


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
        (["key", "show", "x"], 2, "not a whole number"),
        (["key", "show", "0"], 2, "not in the range"),
        (["key", "delete", "99999999999999999999", "--yes"], 2, "not in the range"),
        (["key", "delete", "99", "--yes"], 5, "no key 99"),
        (["key", "frobnicate"], 2, "No such command"),
        (["key", "import", "--owner", "jsmith", "--name", "x"], 2, "--key-stdin"),
        (
            ["key", "import", "--owner", "jsmith", "--name", "x", "--key-file", "/none"],
            2,
            "No such",
        ),
        (["key", "identify", "--key-file", "."], 2, "directory"),
        (["key", "identify", "--key-stdin", "--key-file", "/dev/null"], 2, "say one of"),
        (["key", "identify"], 2, "--key-file"),
        (["user", "create", "bo"], 2, "--password-file"),
        (["user", "set-password", "jsmith"], 2, "--password-file"),
        (
            ["user", "create", "bo", "--no-password", "--password-file", "/dev/null"],
            2,
            "say one of",
        ),
        (["user", "show", "nobody"], 5, "no user 'nobody'"),
        (["user", "set-role", "jsmith", "Defalt"], 5, "did you mean Default"),
        (["user", "set-topmost", "jsmith", "place=1"], 2, "did you mean places"),
        (["user", "set-topmost", "jsmith", "places=x"], 2, "HIERARCHY=ID,ID"),
        (["user", "set-topmost", "jsmith", "places"], 2, "HIERARCHY=ID,ID"),
        (["user", "set-topmost", "jsmith", "places=0"], 2, "from 1 to"),
        (["user", "set-topmost", "jsmith", "places=99999999999999999999"], 2, "from 1 to"),
        (["user", "set-topmost", "jsmith", "rooms=1"], 2, "there is: places"),
        (["user", "set-topmost", "jsmith"], 2, "Missing argument"),
        (["user", "deactivate", "jsmit"], 5, "did you mean jsmith"),
        (["user", "create", "x" * 66, "--no-password"], 1, "at most 65"),
        (["role", "create", "x", "--grant", "meter.view"], 2, "did you mean meters.view"),
        (["role", "create", "x", "--grant", "licenseFeatureGhg.view"], 2, "names no permission"),
        (["role", "create", "Default", "--grant", "*"], 6, "already"),
        (["role", "show", "nothing"], 5, "no role"),
        (
            ["role", "roll-out", "Defalt"],
            5,
            "the profile has no role 'Defalt'; did you mean Default",
        ),
        (["role", "roll-out", "\udcff"], 5, "the profile has no role"),
        (["key", "find", "99"], 5, "no such key in any datasource"),
        (["key", "find", "99999999999999999999"], 2, "no id and no hint"),
        (["key", "find", "ZWNhcHxEZW1v.YWNtZXwxfDI=.EOA5"], 2, "keyhalt key identify"),
        (["key", "find", "1..wxyz"], 2, "no id and no hint"),
        (["datasource", "create", "a|b"], 1, "must not hold any of"),
        (["datasource", "deactivate", "acm"], 5, "there is: acme"),
        (["mac-key", "mint", "9"], 5, "no MAC-key generation 9"),
        (["mac-key", "mint", "99"], 2, "not in the range"),
        (["mac-key", "mint", "x"], 2, "not a whole number"),
        (["init", "--environment", "Lab"], 2, "--datasource"),
        (["nonsense"], 2, "No such command"),
        (["key", "list", "--data", __file__], 2, "is a file"),
        (["audit", "list", "--limit", "0"], 2, "range"),
        (["audit", "list", "-d", ""], 5, "there is no datasource ''"),
        (["audit", "list", "--request-id", ""], 2, "--request-id is empty"),
        (["freeze", "--datasource", "", "--generation", "0"], 5, "there is no datasource ''"),
        (["thaw", "99"], 5, "no freeze 99"),
        (["thaw", "99999999999999999999"], 2, "not in the range"),
        (["policy", "show", "orders", "--version", "99999999999999999999"], 2, "not in the range"),
        (["user", "create", "bo", "--no-password", "--role", ""], 5, "no role ''"),
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


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["user", "show", "\udcff"], 5),
        (["key", "list", "-d", "\udcff"], 5),
        (["role", "show", "\udcff"], 5),
        (["user", "set-role", "jsmith", "\udcff"], 5),
        (["user", "create", "\udcff", "--no-password"], 1),
        (["key", "create", "--owner", "jsmith", "--name", "\udcff"], 1),
        (["key", "create", "--owner", "jsmith", "--name", "x", "--description", "\udcff"], 1),
        (["datasource", "create", "\udcff"], 1),
        ([*INIT, "--datasource", "\udcff", "--password-file", "/dev/null"], 1),
        (["role", "create", "\udcff", "--grant", "*"], 1),
        (["role", "create", "x", "--grant", "\udcff"], 2),
    ],
)
def test_bytes_that_are_no_text_are_a_mistake_like_any_other(
    keyhalt: Keyhalt, command: list[str], code: int
) -> None:
    """An argument in another encoding, as a shell hands it over."""
    done = keyhalt(*command)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done


@pytest.mark.parametrize(
    "command",
    [
        ["key", "identify", "--key-file"],
        ["key", "import", "--owner", "jsmith", "--name", "x", "--key-file"],
        ["user", "create", "bo", "--password-file"],
        ["user", "set-password", "jsmith", "--password-file"],
    ],
)
def test_a_file_that_is_no_text_is_one_line(
    keyhalt: Keyhalt, tmp_path: Path, command: list[str]
) -> None:
    """A binary file where a secret is expected."""
    file = tmp_path / "binary"
    file.write_bytes(bytes(range(256)))
    done = keyhalt(*command, file)
    assert (done.code in {1, 3}, done.out, done.err.count("\n")) == (True, "", 1), done
    assert "not text" in done.err


def test_a_short_password_is_refused_and_not_repeated(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """15 characters at least; the message has none of them."""
    file = tmp_path / "short"
    file.write_text("hunter2\n")
    done = keyhalt("user", "set-password", "jsmith", "--password-file", file)
    assert done.code == 1
    assert "15 to 128 characters" in done.err
    assert "hunter2" not in done.err


def test_an_init_that_cannot_be_leaves_nothing_and_a_second_says_so(
    bare: Keyhalt, data: Path, password: Path, tmp_path: Path
) -> None:
    """No file of a store with a password that is none; the same again is told what is there."""
    init = ("init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada")
    short = tmp_path / "short"
    short.write_text("hunter2\n")
    done = bare(*init, "--password-file", short)
    assert (done.code, "15 to 128 characters" in done.err, data.exists()) == (1, True, False)
    assert bare(*init, "--password-file", password).code == 0
    again = bare(*init, "--password-file", password)
    assert again.code == 6
    assert "Lab is set up already, with acme and ada in it" in again.err


def test_a_wrong_password_file_is_one_line(keyhalt: Keyhalt) -> None:
    """A path that is not there."""
    done = keyhalt("user", "set-password", "jsmith", "--password-file", "/none/there")
    assert done.code == 2
