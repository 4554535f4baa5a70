"""Generations of MAC keys by command: changed under running processes, and lost."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from keyhalt.core import keytext
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Allowed
from keyhalt.core.principals import Operator
from keyhalt.core.secrets import Generation, GenerationState
from keyhalt.embed import Engine
from keyhalt.main import MainTools
from keyhalt.system.mac_key_file import LOOK_AGAIN_SECONDS
from keyhalt.usecases.making_keys import Issued
from tests.cli.conftest import Keyhalt, create, decide, decide_with


def issue(engine: Engine) -> str:
    """A key of `jsmith`, made by a running process."""
    made = engine.issue.create(
        Operator("operator:test"),
        datasource_id=1,
        owner_id=2,
        name="job",
        description="",
        origin=Origin("", "test", "test"),
    )
    assert isinstance(made, Issued)
    return made.text.reveal()


def forged() -> str:
    """A text that names the first key and its owner, made with somebody's own MAC key."""
    return keytext.mint(
        product="keyhalt",
        environment="Lab",
        datasource="acme",
        user_id=2,
        key_id=1,
        generation=Generation(0, GenerationState.MINT, b"somebody's own".ljust(32)),
        random=bytes(keytext.RANDOM_BYTES),
    ).reveal()


def generation_of(keyhalt: Keyhalt, tmp_path: Path, value: str) -> int:
    file = tmp_path / "found"
    file.write_text(value)
    said = keyhalt("key", "identify", "--key-file", file, "--offline", "-o", "json").json
    return int(said["generation"])


def test_mac_keys_are_rolled_over_by_command(keyhalt: Keyhalt, data: Path) -> None:
    """Add, mint, and both generations count; a generation with keys is not removed."""
    old = create(keyhalt)
    assert "mac-key mint 1" in keyhalt("mac-key", "add").err
    assert keyhalt("mac-key", "mint", 1).code == 0
    new = create(keyhalt)
    rows = keyhalt("mac-key", "list", "-o", "json").json
    assert rows == [
        {"generation": 0, "state": "accept", "keys": 1},
        {"generation": 1, "state": "mint", "keys": 1},
    ]
    assert all(isinstance(decide(data, value), Allowed) for value in (old, new))
    assert "would stop counting" in keyhalt("mac-key", "remove", 0).err
    assert "mints" in keyhalt("mac-key", "remove", 1).err
    keyhalt("key", "delete", 1, "--yes")
    assert keyhalt("mac-key", "remove", 0).code == 0
    assert isinstance(decide(data, new), Allowed)


def test_accept_then_mint_is_safe_between_running_processes(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """One already mints with the new generation while the other has not noticed; none refuses."""
    with MainTools().engine(data=data) as one, MainTools().engine(data=data) as other:
        before = issue(one)
        assert keyhalt("mac-key", "add").code == 0
        time.sleep(LOOK_AGAIN_SECONDS + 0.05)
        assert sorted(one.here.mac_keys().generations) == [0, 1]
        assert sorted(other.here.mac_keys().generations) == [0, 1]
        assert keyhalt("mac-key", "mint", 1).code == 0
        early, late = create(keyhalt), issue(other)
        assert generation_of(keyhalt, tmp_path, early) == 1
        assert generation_of(keyhalt, tmp_path, late) == 0
        for engine in (one, other):
            for value in (before, early, late):
                assert isinstance(decide_with(engine, value), Allowed)
        time.sleep(LOOK_AGAIN_SECONDS + 0.05)
        assert generation_of(keyhalt, tmp_path, issue(one)) == 1
        assert isinstance(decide_with(other, late), Allowed)


def test_with_the_mac_keys_lost_keys_go_on(keyhalt: Keyhalt, data: Path, password: Path) -> None:
    """Every command says what to run; after it old keys count by their digest, forged do not."""
    value = create(keyhalt)
    (data / "mac-keys.toml").unlink()
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "bob"]
    for command in (
        ["key", "list"],
        ["mac-key", "list"],
        ["mac-key", "add"],
        ["mac-key", "lost", 0],
        [*init, "--password-file", password],
    ):
        refused = keyhalt(*command)
        assert (refused.code, "mac-key lost" in refused.err) == (78, True), command
    assert keyhalt("mac-key", "lost").code == 0
    assert stat.S_IMODE((data / "mac-keys.toml").stat().st_mode) == 0o600
    assert keyhalt("mac-key", "list", "-o", "json").json == [
        {"generation": 0, "state": "digest-only", "keys": 1},
        {"generation": 1, "state": "mint", "keys": 0},
    ]
    assert isinstance(decide(data, value), Allowed)
    assert isinstance(decide(data, create(keyhalt)), Allowed)
    assert not isinstance(decide(data, forged()), Allowed)
    assert keyhalt("audit", "list", "-o", "json").json[1]["event"] == "mac_keys.change"


def test_one_lost_generation_leaves_the_others_alone(keyhalt: Keyhalt, data: Path) -> None:
    """Its keys go on by their digest, and it does not mint again."""
    old = create(keyhalt)
    keyhalt("mac-key", "add")
    keyhalt("mac-key", "mint", 1)
    new = create(keyhalt)
    asked = keyhalt("mac-key", "lost", 0)
    assert (asked.code, "say --yes" in asked.err) == (2, True)
    assert keyhalt("mac-key", "list", "-o", "json").json[0]["state"] == "accept"
    assert keyhalt("mac-key", "lost", 0, "--yes").code == 0
    assert keyhalt("mac-key", "lost", 0).code == 0
    states = {r["generation"]: r["state"] for r in keyhalt("mac-key", "list", "-o", "json").json}
    assert states == {0: "digest-only", 1: "mint"}
    assert all(isinstance(decide(data, value), Allowed) for value in (old, new))
    assert (keyhalt("mac-key", "mint", 0).code, keyhalt("mac-key", "lost", 9).code) == (1, 5)


def test_a_slip_does_not_throw_away_mac_keys_that_are_there(keyhalt: Keyhalt, data: Path) -> None:
    """`lost` without a number is for a file that is gone, or damaged and said to be."""
    value = create(keyhalt)
    file = data / "mac-keys.toml"
    before = file.read_bytes()
    refused = keyhalt("mac-key", "lost", "--yes")
    assert (refused.code, "say which one is lost" in refused.err) == (6, True)
    file.chmod(0o644)
    assert "chmod 600" in keyhalt("mac-key", "lost").err
    assert file.read_bytes() == before
    file.write_text("not toml [")
    file.chmod(0o600)
    assert keyhalt("mac-key", "lost").code == 78
    assert keyhalt("mac-key", "lost", "--yes").code == 0
    assert isinstance(decide(data, value), Allowed)


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (None, 0o600, "there is no MAC-key file"),
        ("", 0o600, "holds no MAC key"),
        ("not toml [", 0o600, "is not what keyhalt writes"),
        ('[generation.0]\nstate = "mint"\nkey = "c2hvcnQ="\n', 0o600, "needs at least 32"),
        ('[generation.0]\nstate = "mint"\n', 0o600, "has 0 bytes"),
        ('[generation.77]\nstate = "mint"\nkey = "%s"\n', 0o600, "0 to 15"),
        ('[generation.0]\nstate = "accept"\nkey = "%s"\n', 0o600, "exactly one"),
        ('[generation.0]\nstate = "mint"\nkey = "%s"\n', 0o640, "chmod 600"),
    ],
    ids=["gone", "empty", "damaged", "short", "keyless", "number", "no mint", "mode"],
)
def test_an_unusable_mac_key_file_is_one_clear_line(
    keyhalt: Keyhalt, data: Path, text: str | None, mode: int, says: str
) -> None:
    """Exit 78, whichever command is run, and nothing of a MAC key is shown."""
    file = data / "mac-keys.toml"
    key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    if text is None:
        file.unlink()
    else:
        file.write_text(text.replace("%s", key))
        file.chmod(mode)
    for command in (["key", "list"], ["mac-key", "list"], ["mac-key", "add"]):
        done = keyhalt(*command)
        assert (done.code, done.out, done.err.count("\n")) == (78, "", 1), done
        assert command[0] == "mac-key" or says in done.err
        assert key not in done.err
        assert "c2hvcnQ" not in done.err


def test_mac_keys_that_are_a_setting_are_not_changed_by_command(
    keyhalt: Keyhalt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says where they are changed instead."""
    key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    monkeypatch.setenv("KEYHALT_MAC_KEYS", f"0:mint:{key}")
    for command in (["list"], ["add"], ["lost"]):
        done = keyhalt("mac-key", *command)
        assert (done.code, "KEYHALT_MAC_KEYS" in done.err) == (78, True)
        assert key not in done.err
    assert keyhalt("key", "list").code == 0
