"""The operator: over all datasources at once, and visible in each."""

from __future__ import annotations

from pathlib import Path

import pytest

from keyhalt.config import load_profile
from keyhalt.core.decisions import Allowed
from keyhalt.core.keytext import hint, read_hint
from tests.cli.conftest import Keyhalt, commands, create, decide

NOTHING_INSIDE = {
    "demo", "serve", "init", "prove", "doctor proxy",
    "policy list", "policy show", "policy diff", "policy test", "policy apply",
    "db upgrade", "db check", "db backup", "db restore", "db copy", "db reopen",
    "key list", "key show", "key advise", "key find", "key tree", "key identify",
    "user list", "user show", "role list", "role show", "group list", "group show",
    "datasource list", "audit list", "audit export", "audit verify", "explain",
    "audit promise", "audit retain", "report",
    "mac-key list", "mac-key add", "mac-key mint", "mac-key lost", "mac-key remove",
}  # fmt: skip
"""Commands that only read, or are about no datasource."""
PASSWORD = ("--password-file", "PASSWORD")
INSIDE: list[tuple[str, ...]] = [
    ("key", "create", "--owner", "jsmith", "--name", "x"),
    ("key", "import", "--owner", "jsmith", "--name", "x", "--key-file", "OLD"),
    ("key", "narrow", "2", "--permission", "meters.view"),
    ("key", "delete", "1", "--yes"),
    ("user", "create", "bo", "--no-password"),
    ("user", "edit", "bo", "--full-name", "Bo"),
    ("user", "set-role", "bo", "Contact"),
    ("user", "set-topmost", "bo", "places=1"),
    ("user", "set-password", "bo", *PASSWORD),
    ("user", "deactivate", "bo"),
    ("user", "activate", "bo"),
    ("user", "end-keys", "jsmith", "--made-since", "2020-01-01", "--yes"),
    ("role", "create", "Clerk", "--grant", "meters.view"),
    ("role", "edit", "Clerk", "--description", "x"),
    ("role", "set-grants", "Clerk", "--grant", "meters.*"),
    ("role", "hide", "Clerk"),
    ("role", "unhide", "Clerk"),
    ("role", "delete", "Clerk"),
    ("role", "roll-out", "Auditor"),
    ("group", "create", "Team", "--member", "jsmith"),
    ("group", "edit", "Team", "--description", "x"),
    ("group", "delete", "Team"),
    ("audit", "forget", "--user", "bo", "--yes"),
    ("datasource", "set-policy", "acme", "--keys-create-keys", "deny"),
    ("freeze", "--datasource", "acme"),
    ("thaw", "1"),
    ("datasource", "deactivate", "acme"),
    ("datasource", "activate", "acme"),
    ("datasource", "create", "West"),
]


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped profile with a further role, as of a later version of it."""
    from importlib import resources

    text = (resources.files("keyhalt") / "profiles" / "energycap.toml").read_text("utf-8")
    file = tmp_path / "profile.toml"
    more = '\n[[role]]\nname = "Auditor"\ndescription = "Looks."\nread_only = true\n'
    file.write_text(text + more + 'grants = ["meters.view"]\n')
    monkeypatch.setenv("KEYHALT_PROFILE", str(file))
    assert load_profile(str(file)).roles[-1].name == "Auditor"
    return file


def test_whatever_changes_inside_a_datasource_stands_in_its_own_log(
    keyhalt: Keyhalt, profile: Path, password: Path, tmp_path: Path
) -> None:
    """Every command that can: a row with the operator's name, for the datasource to see."""
    old = tmp_path / "old"
    old.write_text("legacy-key-of-another-system-0123456789")
    names = {name.removeprefix("keyhalt ") for name, _ in commands()}
    kinds = [next(n for n in (w[0], f"{w[0]} {w[1]}") if n in names) for w in INSIDE]
    assert names == {*kinds, *NOTHING_INSIDE}

    def log(name: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = keyhalt(
            "audit", "list", "-d", name, "--limit", 1000, "-o", "json"
        ).json
        # Those name nobody: they say that what stands in the row before counts everywhere.
        return [row for row in rows if row["event"] != "key.revoke.done"]

    create(keyhalt)
    for words, name in zip(INSIDE, kinds, strict=True):
        place = words[2] if words[:2] == ("datasource", "create") else "acme"
        before = len(log("acme"))
        named = {"PASSWORD": str(password), "OLD": str(old)}
        done = keyhalt(*(named.get(word, word) for word in words))
        assert done.code == 0, (words, done.err)
        rows = log(place)
        assert len(rows) > (0 if place == "West" else before), words
        assert str(rows[0]["actor"]).startswith("operator:")
        assert rows[0]["operation"] == f"keyhalt {name}"


def test_a_role_is_rolled_out_to_every_datasource(
    keyhalt: Keyhalt, profile: Path, data: Path
) -> None:
    """Shown first; then made where it is missing and changed where it differs; keys follow."""
    keyhalt("datasource", "create", "West")
    keyhalt("user", "create", "rita", "--role", "Auditor", "--no-password", "-d", "West")
    made = keyhalt("key", "create", "--owner", "rita", "--name", "x", "-o", "key", "-d", "West")
    rows = {"acme": ("missing", [], ["meters.view"]), "West": ("same", [], [])}
    compared(keyhalt, rows, code=3)
    text = profile.read_text()
    profile.write_text(text.replace('["meters.view"]', '["meters.edit", "accounts.view"]'))
    rows = {
        "acme": ("missing", [], ["accounts.view", "meters.edit"]),
        "West": ("differs", ["meters.view"], ["accounts.view", "meters.edit"]),
    }
    compared(keyhalt, rows, code=3)
    done = keyhalt("role", "roll-out", "auditor")
    assert done.code == 0
    assert "Rolled Auditor out to 2 datasources. In effect everywhere" in done.err
    compared(keyhalt, {"acme": ("same", [], []), "West": ("same", [], [])}, code=0)
    decision = decide(data, made.out.strip())
    assert isinstance(decision, Allowed)
    catalogue = load_profile(str(profile)).catalogue
    granted = set(catalogue.names(decision.principal.permissions))
    assert granted == {"accounts.view", "meters.edit"}
    epoch = keyhalt("audit", "list", "--limit", 1, "-o", "json").json[0]["epoch"]
    assert "Rolled Auditor out to 0 datasources." in keyhalt("role", "roll-out", "Auditor").err
    assert keyhalt("audit", "list", "--limit", 1, "-o", "json").json[0]["epoch"] == epoch


def compared(
    keyhalt: Keyhalt, rows: dict[str, tuple[str, list[str], list[str]]], *, code: int
) -> None:
    done = keyhalt("role", "roll-out", "Auditor", "--dry-run", "-o", "json")
    assert done.code == code
    found = {
        row["datasource"]: (row["state"], sorted(row["more"]), sorted(row["less"]))
        for row in done.json
    }
    assert found == rows


def test_a_role_that_a_datasource_made_itself_is_left_alone(
    keyhalt: Keyhalt, profile: Path
) -> None:
    """It only has the same name."""
    keyhalt("role", "create", "AUDITOR", "--grant", "meters.*")
    before = keyhalt("role", "show", "auditor", "-o", "json").json
    done = keyhalt("role", "roll-out", "Auditor", "-o", "json")
    assert (done.code, done.json[0]["state"]) == (0, "own")
    assert keyhalt("role", "show", "auditor", "-o", "json").json == before
    assert keyhalt("role", "roll-out", "Auditor", "--dry-run").code == 0


def test_a_key_is_found_wherever_it_is(keyhalt: Keyhalt) -> None:
    """By id, by hint, by its last four characters; also a deleted one."""
    create(keyhalt)
    keyhalt("datasource", "create", "West")
    keyhalt("user", "create", "rita", "--no-password", "-d", "West")
    made = keyhalt("key", "create", "--owner", "rita", "--name", "x", "-o", "key", "-d", "West")
    last4 = made.out.strip()[-4:]
    keyhalt("key", "delete", 2, "--yes", "-d", "West")
    for what in ("2", f"2…{last4}", f"2...{last4}", last4):
        found = keyhalt("key", "find", what, "-o", "json")
        assert found.code == 0, found.err
        rows = {row["id"]: row for row in found.json}
        assert (rows[2]["datasource"], rows[2]["owner"], rows[2]["state"]) == (
            "West", "rita", "deleted",
        )  # fmt: skip
        assert rows[2]["hint"] == f"2…{last4}"
    assert keyhalt("key", "find", f"1…{last4}").code == 5
    table = keyhalt("key", "find", 1).out.splitlines()
    assert table[0].startswith("DATASOURCE")
    assert table[1].startswith("acme")


def test_what_a_hint_says_is_read_back() -> None:
    """The inverse of making one, and nothing else."""
    for key_id, text in ((1, "x" * 20 + "a+/="), (2**31 - 1, "0000")):
        assert read_hint(hint(key_id, text)) == (key_id, text[-4:])
    for wrong in ("", "1", "1…", "1…abc", "1…abcde", "x…abcd", "2147483648…abcd", "1…ab d"):
        assert read_hint(wrong) is None
