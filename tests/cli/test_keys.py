"""The life of a key by command."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from keyhalt.cli.context import EXIT_CONFLICT, EXIT_NOT_FOUND
from keyhalt.core.decisions import Allowed
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.main import MainTools
from tests.cli.conftest import Keyhalt, create, decide
from tests.cli.test_document import SECTIONS, properties

CREATE = ("key", "create", "--owner", "jsmith", "--name", "job")
GOLDEN = "ZWNhcHxEZW1v.YWNtZXwxfDE=.EPL/CpUAdwM5FQMiF7yEWU9wfhR2M/4ppRrIw10/2lLxJFVi"


def test_a_created_key_counts_and_its_value_alone_is_on_stdout(
    keyhalt: Keyhalt, data: Path
) -> None:
    """`-o key` prints the value and nothing else, anywhere; names of users have no case."""
    made = keyhalt("key", "create", "--owner", "JSMITH", "--name", "job", "-o", "key")
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"\S+\n", made.out)
    assert isinstance(decide(data, made.out.strip()), Allowed)


def test_a_person_is_told_that_the_value_is_shown_once(keyhalt: Keyhalt, data: Path) -> None:
    """The table has the value first; that it is the only time is said beside it, on stderr."""
    made = keyhalt(*CREATE)
    value = made.out.split()[1]
    assert isinstance(decide(data, value), Allowed)
    assert "shown this once" in made.err
    assert value not in made.err


def test_a_value_is_written_to_a_new_private_file(
    keyhalt: Keyhalt, data: Path, tmp_path: Path
) -> None:
    """Mode 0600, and then not on stdout, in whichever form the rest is printed."""
    for output in ("table", "json", "key"):
        file = tmp_path / f"{output}.key"
        made = keyhalt(*CREATE, "--out-file", file, "-o", output)
        value = file.read_text().strip()
        assert made.code == 0
        assert value not in made.out + made.err
        assert (made.out == "") is (output == "key")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert isinstance(decide(data, value), Allowed)


@pytest.mark.parametrize("there", ["file", "folder", "dangling link"])
def test_what_exists_is_not_overwritten_and_no_key_is_made(
    keyhalt: Keyhalt, tmp_path: Path, there: str
) -> None:
    """Nothing is lost, nothing is left over, and no link is followed."""
    place = tmp_path / "job.key"
    if there == "file":
        place.write_text("precious")
    elif there == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "elsewhere")
    made = keyhalt(*CREATE, "--out-file", place)
    assert (made.code, "exists" in made.err) == (6, True)
    assert place.read_text() == "precious" if there == "file" else True
    assert not (tmp_path / "elsewhere").exists()
    assert keyhalt("key", "list", "--all", "-o", "json").json == []


@pytest.mark.parametrize("wrong", [("--name", "x" * 61), ("--owner", "nobody")])
def test_a_refused_create_leaves_no_file(
    keyhalt: Keyhalt, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    """The file is there only when its key is."""
    file = tmp_path / "job.key"
    assert keyhalt(*CREATE, *wrong, "--out-file", file).code in {1, 5}
    assert not file.exists()


def test_a_file_that_cannot_be_made_makes_no_key(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """A folder that is not there, as a disk that cannot be written."""
    made = keyhalt(*CREATE, "--out-file", tmp_path / "none" / "job.key")
    assert (made.code, made.err.count("\n"), "none" in made.err) == (1, 1, True)
    assert keyhalt("key", "list", "--all", "-o", "json").json == []


def test_keys_are_listed_shown_filtered_and_deleted(keyhalt: Keyhalt, data: Path) -> None:
    """The receipt is in words, and a second delete is no mistake."""
    value = create(keyhalt)
    row = keyhalt("key", "list", "-o", "json").json[0]
    assert (row["owner"], row["state"], row["made_with"]) == ("jsmith", "counts", "operator")
    assert row["hint"] == f"1…{value[-4:]}"
    assert row.items() <= keyhalt("key", "show", 1, "-o", "json").json.items()
    assert len(keyhalt("key", "list", "--filter", "apiKeyInfo like 'jo'", "-o", "json").json) == 1
    wrong = keyhalt("key", "list", "--filter", "apiKeyInfo is 'x'")
    assert (wrong.code, "character" in wrong.err) == (2, True)
    deleted = keyhalt("key", "delete", 1, "--yes")
    assert re.fullmatch(
        r"Deleted key 1. In effect everywhere: epoch \d+, waited 0 ms.\n", deleted.err
    )
    assert not isinstance(decide(data, value), Allowed)
    assert keyhalt("key", "list", "-o", "json").json == []
    assert keyhalt("key", "list", "--all", "-o", "json").json[0]["state"] == "deleted"
    assert keyhalt("key", "delete", 1, "--yes").err == deleted.err


def test_nothing_is_deleted_without_being_asked(keyhalt: Keyhalt, data: Path) -> None:
    """Where nobody can answer, `--yes` has to be said."""
    value = create(keyhalt)
    refused = keyhalt("key", "delete", 1)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert isinstance(decide(data, value), Allowed)


def test_identify_says_whose_a_key_is_and_never_the_text(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """Who owns it, what it is called, and when and by what it was made."""
    value = create(keyhalt)
    file = tmp_path / "found"
    file.write_text(f"  {value}\n")
    found = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    assert found.code == 0
    said = found.json
    assert (said["product"], said["environment"], said["datasource"]) == ("keyhalt", "Lab", "acme")
    assert (said["owner_id"], said["key_id"], said["generation"]) == (2, 1, 0)
    assert (said["checksum"], said["mac"], said["state"]) == ("holds", "holds", "counts")
    assert (said["name"], said["owner"], said["made_with"]) == ("job", "jsmith", "operator")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["created_at"])
    assert value not in found.out + found.err
    offline = keyhalt("key", "identify", "--key-file", file, "--offline", "-o", "json")
    assert (offline.code, "owner" in offline.json) == (0, False)


@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (("user", "deactivate", "jsmith"), ("user", "activate", "jsmith"), "owner inactive"),
        (
            ("datasource", "deactivate", "acme"),
            ("datasource", "activate", "acme"),
            "datasource inactive",
        ),
        (("key", "delete", 1, "--yes"), ("user", "activate", "jsmith"), "deleted"),
    ],
    ids=["owner", "datasource", "key"],
)
def test_identify_and_list_say_why_a_key_does_not_count(
    keyhalt: Keyhalt,
    tmp_path: Path,
    before: tuple[object, ...],
    after: tuple[object, ...],
    state: str,
) -> None:
    """Exit 3 while it does not, and the same word in both."""
    file = tmp_path / "found"
    file.write_text(create(keyhalt))
    assert keyhalt(*before).code == 0
    found = keyhalt("key", "identify", "--key-file", file, "-o", "json")
    assert (found.code, found.json["state"]) == (3, state)
    assert keyhalt("key", "list", "--all", "-o", "json").json[0]["state"] == state
    assert keyhalt(*after).code == 0
    assert keyhalt("key", "identify", "--key-file", file).code == (3 if state == "deleted" else 0)


def test_identify_refuses_what_is_no_key_of_this_place(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """Cut, changed, forged, of another environment or no text at all: exit 3, text not shown."""
    value = create(keyhalt)
    file = tmp_path / "found"
    cases = {
        value[:-3].encode(): "not the text",
        f"{value[:-3]}AAA".encode(): "checksum",
        b"": "not the text",
        b"\xff\xfe": "not text",
        b"x" * 100_000: "too long",
        GOLDEN.encode(): "does not count here",
    }
    for text, says in cases.items():
        file.write_bytes(text)
        wrong = keyhalt("key", "identify", "--key-file", file)
        assert (wrong.code, says in wrong.err) == (3, True), wrong
        assert not text or text.decode(errors="replace") not in wrong.out + wrong.err


def test_identify_works_where_there_is_no_store(bare: Keyhalt, tmp_path: Path) -> None:
    """The text says where it belongs, on any machine; that this is all is said on stderr."""
    file = tmp_path / "found"
    file.write_text(GOLDEN)
    found = bare("key", "identify", "--key-file", file, "-o", "json")
    assert (found.code, found.json["environment"]) == (0, "Demo")
    assert "Only what the text says" in found.err


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
    for content in (create(keyhalt), "short", "with,comma-0123456789-0123456789", "two\nlines" * 9):
        file.write_text(content)
        assert keyhalt(*command).code == 1
    keyhalt("key", "delete", 1, "--yes")
    assert not isinstance(decide(data, old), Allowed)
    for store in data.iterdir():
        assert old.encode() not in store.read_bytes()


def test_what_a_key_did_is_shown(keyhalt: Keyhalt, data: Path) -> None:
    """When it was last used in the list; with counts and permissions where it is shown."""
    create(keyhalt)
    assert keyhalt("key", "list", "-o", "json").json[0]["last_used_at"] is None
    need = PermissionSet(1)
    with MainTools().engine(data=data) as engine:
        with engine.rights.look() as tx:
            facts = tx.keys.facts(1, 1)
        assert facts is not None
        principal = Principal("Lab", facts.owner, Credential(CredentialKind.KEY, 1))
        agent = [(b"user-agent", b"curl/8.5.0")]
        client = ("203.0.113.9", 5)
        engine.use_recorder.allowed(principal, need, "GET", "/api/v3/meter", client, agent)
    shown = keyhalt("key", "show", 1, "-o", "json").json
    assert keyhalt("key", "list", "-o", "json").json[0]["last_used_at"] == shown["last_used_at"]
    assert (shown["last_network"], shown["last_agent"]) == ("203.0.113.0/24", "curl")
    assert shown["last_operation"] == "GET /api/v3/meter"
    assert (shown["allowed_24_hours"], shown["allowed_30_days"]) == (1, 1)
    assert (shown["denied_24_hours"], shown["denied_30_days"]) == (0, {})
    assert len(shown["used_permissions"]) == 1
    assert "may be missing" in keyhalt("key", "show", 1).err


def test_advice_says_what_to_look_at_and_changes_nothing(keyhalt: Keyhalt) -> None:
    """The owner of the key has no password; in words, and for programs."""
    create(keyhalt)
    rows = keyhalt("key", "advise", "-o", "json").json
    assert [(row["kind"], row["id"]) for row in rows] == [("owner_about_to_matter", 1)]
    assert set(rows[0]) == properties(SECTIONS["keyhalt key advise"])
    assert rows[0]["evidence"]["canSignIn"] is False
    done = keyhalt("key", "advise")
    assert "has no password" in done.out
    assert "counted" in done.err


def test_a_key_is_narrowed_to_what_it_used(keyhalt: Keyhalt, data: Path) -> None:
    """The dry run makes nothing and says what it would be; then there is a key that counts."""
    create(keyhalt)
    assert "used no permission" in keyhalt("key", "narrow", 1).err
    plain = ("key", "narrow", 1, "--permission", "meters.view")
    planned = keyhalt(*plain, "--dry-run", "-o", "json").json
    assert planned["permissions"] == ["meters.view"]
    assert planned["would_have_refused"] == []
    assert len(keyhalt("key", "list", "-o", "json").json) == 1
    assert "Nothing that is known" in keyhalt(*plain, "--dry-run").err
    made = keyhalt(*plain, "-o", "key")
    decision = decide(data, made.out.strip())
    assert isinstance(decision, Allowed)
    assert decision.principal.user_code == "key-1"
    again = keyhalt(*plain)
    assert (again.code, again.out) == (EXIT_CONFLICT, "")
    kinds = {row["kind"] for row in keyhalt("key", "advise", "-o", "json").json}
    assert "replaced_key" in kinds
    missing = keyhalt("key", "narrow", 99)
    assert (missing.code, missing.err) == (EXIT_NOT_FOUND, "keyhalt: there is no key 99 in acme\n")
