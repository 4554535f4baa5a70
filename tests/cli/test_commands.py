"""What each command does."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

import click

from keyhalt.cli.app import COMMANDS, cli
from keyhalt.core.decisions import Allowed, Decision, Presented
from keyhalt.main import MainTools
from tests.cli.conftest import PASSWORD, Keyhalt

ROOT = Path(__file__).parents[2]


def decide(data: Path, key: str) -> Decision:
    presented = Presented(keys=(key.encode(),), over_https=True)
    with MainTools().engine(data=data) as engine:
        return asyncio.run(engine.verify.verify(presented))


def create(keyhalt: Keyhalt, *more: object) -> str:
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "job", "-o", "key", *more)
    assert made.code == 0, made.err
    return made.out.strip()


def test_every_command_is_described_and_no_description_is_left() -> None:
    """docs/commands.md and the click tree list the same."""
    context = click.Context(cli)
    names = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        group = command.commands if isinstance(command, click.Group) else {"": command}
        names += [f"keyhalt {name} {inner}".strip() for inner in group]
    text = (ROOT / "docs" / "commands.md").read_text()
    assert sorted(re.findall(r"^### (.+)$", text, re.MULTILINE)) == sorted(names)


def test_a_created_key_counts_and_its_value_alone_is_on_stdout(
    keyhalt: Keyhalt, data: Path
) -> None:
    """`-o key` prints the value and nothing else."""
    made = keyhalt("key", "create", "--owner", "JSMITH", "--name", "job", "-o", "key")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"\S+\n", made.out)
    assert isinstance(decide(data, made.out.strip()), Allowed)


def test_a_value_is_written_to_a_new_private_file(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """Mode 0600, and then not on stdout."""
    file = tmp_path / "job.key"
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "job", "--out-file", file)
    value = file.read_text().strip()
    assert made.code == 0
    assert value not in made.out + made.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert isinstance(decide(data, value), Allowed)


def test_an_existing_file_is_not_overwritten_and_no_key_is_made(
    keyhalt: Keyhalt, tmp_path: Path
) -> None:
    """Nothing is lost, and nothing is left over."""
    file = tmp_path / "job.key"
    file.write_text("precious")
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "job", "--out-file", file)
    assert made.code == 6
    assert file.read_text() == "precious"
    assert keyhalt("key", "list", "-o", "json").json == []


def test_a_refused_create_leaves_no_file(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """The file is there only when its key is."""
    file = tmp_path / "job.key"
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "x" * 61, "--out-file", file)
    assert made.code == 1
    assert not file.exists()


def test_keys_are_listed_shown_filtered_and_deleted(keyhalt: Keyhalt, data: Path) -> None:
    """The life of a key by command; the receipt is in words."""
    value = create(keyhalt)
    row = keyhalt("key", "list", "-o", "json").json[0]
    assert (row["owner"], row["state"], row["made_with"]) == ("jsmith", "counts", "operator")
    assert row["hint"] == f"1…{value[-4:]}"
    assert keyhalt("key", "show", 1, "-o", "json").json == row
    assert len(keyhalt("key", "list", "--filter", "apiKeyInfo like 'jo'", "-o", "json").json) == 1
    assert "character" in keyhalt("key", "list", "--filter", "apiKeyInfo is 'x'").err
    assert keyhalt("key", "delete", 1).code == 2
    deleted = keyhalt("key", "delete", 1, "--yes")
    assert re.fullmatch(
        r"Deleted key 1. In effect everywhere: epoch \d+, waited 0 ms.\n", deleted.err
    )
    assert not isinstance(decide(data, value), Allowed)
    assert keyhalt("key", "list", "-o", "json").json == []
    assert keyhalt("key", "list", "--all", "-o", "json").json[0]["state"] == "deleted"
    assert keyhalt("key", "delete", 1, "--yes").code == 0
    assert keyhalt("key", "delete", 9, "--yes").code == 5


def test_identify_says_whose_a_key_is_and_never_the_text(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """Exit 0 while it counts, 3 when it does not, whatever the cause."""
    value = create(keyhalt)
    file = tmp_path / "found"
    file.write_text(f"  {value}\n")
    found = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    assert found.code == 0
    said = found.json
    assert (said["environment"], said["datasource"], said["owner"]) == ("Lab", "acme", "jsmith")
    assert (said["mac"], said["state"], said["name"]) == ("holds", "counts", "job")
    assert value not in found.out + found.err
    offline = keyhalt("key", "identify", "--key-file", file, "--offline", "-o", "json")
    assert (offline.code, "owner" in offline.json) == (0, False)
    keyhalt("user", "deactivate", "jsmith")
    assert keyhalt("key", "identify", "--key-file", file).code == 3
    keyhalt("user", "activate", "jsmith")
    keyhalt("key", "delete", 1, "--yes")
    gone = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    assert (gone.code, gone.json["state"]) == (3, "deleted")
    for text, says in ((value[:-3], "not the text"), (value[:-3] + "AAA", "checksum")):
        file.write_text(text)
        wrong = keyhalt("key", "identify", "--key-file", file)
        assert (wrong.code, says in wrong.err) == (3, True)
        assert text not in wrong.out + wrong.err


def test_identify_works_where_there_is_no_store(bare: Keyhalt, tmp_path: Path) -> None:
    """The text says where it belongs, on any machine."""
    golden = "ZWNhcHxEZW1v.YWNtZXwxfDE=.EPL/CpUAdwM5FQMiF7yEWU9wfhR2M/4ppRrIw10/2lLxJFVi"
    file = tmp_path / "found"
    file.write_text(golden)
    found = bare("key", "identify", "--key-file", file, "-o", "json")
    assert (found.code, found.json["environment"]) == (0, "Demo")


def test_an_imported_key_counts_and_only_its_digest_is_kept(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """A key of another system goes on working; a second time is a conflict."""
    old = "legacy-key-of-another-system-0123456789"
    file = tmp_path / "old"
    file.write_text(old)
    command = ("key", "import", "--owner", "jsmith", "--name", "old", "--key-file", file)
    made = keyhalt(*command, "-o", "json")
    assert (made.code, made.json["imported"]) == (0, True)
    assert old not in made.out + made.err
    assert isinstance(decide(data, old), Allowed)
    assert keyhalt(*command).code == 6
    for content in (create(keyhalt), "short", "with,comma-0123456789-0123456789"):
        file.write_text(content)
        assert keyhalt(*command).code == 1
    keyhalt("key", "delete", 1, "--yes")
    assert not isinstance(decide(data, old), Allowed)
    for store in data.iterdir():
        assert old.encode() not in store.read_bytes()


def test_users_are_administered(keyhalt: Keyhalt, password: Path) -> None:
    """Create, show, role, topmosts, password, deactivate, activate."""
    more = ["--role", "Default", "--topmost", "places=3,1", "--password-file", password]
    made = keyhalt("user", "create", "rita", "--full-name", "Rita R", *more, "-o", "json")
    assert made.json["topmosts"] == ["places=1,3"]
    shown = keyhalt("user", "show", "RITA", "-o", "json").json
    assert "meters.view" in shown["permissions"]
    assert "In effect everywhere" in keyhalt("user", "set-role", "rita", "integration").err
    assert keyhalt("user", "show", "rita", "-o", "json").json["role"] == "Integration"
    keyhalt("user", "set-topmost", "rita", "places=", "costCenters=7")
    assert keyhalt("user", "show", "rita", "-o", "json").json["topmosts"] == ["costCenters=7"]
    assert keyhalt("user", "set-password", "rita", "--password-file", password).code == 0
    assert "Deactivated rita" in keyhalt("user", "deactivate", "rita").err
    rows = {row["code"]: row for row in keyhalt("user", "list", "-o", "json").json}
    assert rows["rita"]["active"] is False
    assert "Activated rita" in keyhalt("user", "activate", "rita").err
    assert keyhalt("user", "create", "Rita", "--role", "Default", "--no-password").code == 6


def test_roles_are_administered(keyhalt: Keyhalt) -> None:
    """Create, list, show, set-grants; built-in ones do not change."""
    shown = keyhalt("role", "show", "integration", "-o", "json").json
    assert shown["grants"] == [
        "applicationSettings.view", "applicationSettings.manage", "meters.view",
    ]  # fmt: skip
    assert shown["users"] == 1
    assert keyhalt("role", "set-grants", "Integration", "--grant", "meters.*").code == 0
    assert keyhalt("role", "show", "Integration", "-o", "json").json["grants"] == [
        "meters.view", "meters.create", "meters.edit", "meters.delete",
    ]  # fmt: skip
    assert "built-in" in keyhalt("role", "set-grants", "Default", "--grant", "*").err
    assert len(keyhalt("role", "list", "-o", "json").json) == 7


def test_datasources_are_administered(keyhalt: Keyhalt, data: Path) -> None:
    """With two of them a command asks which."""
    value = create(keyhalt)
    assert keyhalt("datasource", "create", "West").code == 0
    assert keyhalt("datasource", "create", "WEST").code == 6
    asked = keyhalt("key", "list")
    assert (asked.code, "acme, West" in asked.err) == (2, True)
    assert keyhalt("key", "list", "-d", "west", "-o", "json").json == []
    keyhalt("datasource", "deactivate", "acme")
    assert not isinstance(decide(data, value), Allowed)
    keyhalt("datasource", "activate", "acme")
    assert isinstance(decide(data, value), Allowed)
    rows = keyhalt("datasource", "list", "-o", "json").json
    assert [row["name"] for row in rows] == ["acme", "West"]


def test_the_audit_log_names_owner_key_and_what_made_it(keyhalt: Keyhalt) -> None:
    """Who did what to what, by which credential, newest first."""
    value = create(keyhalt)
    keyhalt("key", "delete", 1, "--yes")
    rows = keyhalt("audit", "list", "-o", "json").json
    assert [row["event"] for row in rows[:2]] == ["key.delete", "key.create"]
    assert rows[0]["actor"].startswith("operator:")
    assert (rows[0]["object"], rows[0]["details"]["owner"]) == ("key 1", "jsmith")
    assert rows[0]["epoch"] > 1
    table = keyhalt("audit", "list", "--limit", 3)
    assert len(table.out.splitlines()) == 4
    assert value not in table.out + str(rows)
    assert PASSWORD not in str(rows)


def test_mac_keys_are_rolled_over_by_command(keyhalt: Keyhalt, data: Path) -> None:
    """Add, mint, and both generations count; a generation with keys is not removed."""
    old = create(keyhalt)
    assert keyhalt("mac-key", "add").code == 0
    assert keyhalt("mac-key", "mint", 1).code == 0
    new = create(keyhalt)
    rows = keyhalt("mac-key", "list", "-o", "json").json
    assert rows == [
        {"generation": 0, "state": "accept", "keys": 1},
        {"generation": 1, "state": "mint", "keys": 1},
    ]
    assert all(isinstance(decide(data, value), Allowed) for value in (old, new))
    assert keyhalt("mac-key", "remove", 0).code == 1
    assert keyhalt("mac-key", "mint", 7).code == 5


def test_with_the_mac_keys_lost_keys_go_on(keyhalt: Keyhalt, data: Path) -> None:
    """Every command says what to run; after it old keys count by their digest."""
    value = create(keyhalt)
    (data / "mac-keys.toml").unlink()
    refused = keyhalt("key", "list")
    assert (refused.code, "mac-key lost" in refused.err) == (78, True)
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "bob"]
    again = keyhalt(*init, "--password-file", "/dev/null")
    assert (again.code, "mac-key lost" in again.err) == (78, True)
    assert keyhalt("mac-key", "lost").code == 0
    assert isinstance(decide(data, value), Allowed)
    assert isinstance(decide(data, create(keyhalt)), Allowed)
