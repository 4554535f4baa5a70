"""A profile from a file: a catalogue, hierarchies and roles that are not EnergyCAP's."""

from __future__ import annotations

import contextlib
import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.permissions import NOTHING, covers
from keyhalt.core.profiles import Hierarchy, ProfileError, profile_from

DOC = Path(__file__).parents[2] / "docs" / "profiles.md"

WORKSHOP: dict[str, Any] = {
    "name": "workshop",
    "default_role": "Reader",
    "administrator_role": "Foreman",
    "needs": {
        "view_keys": "staff.view",
        "manage_keys": "staff.manage",
        "view_users": "staff.view",
        "manage_users": "staff.manage",
        "manage_roles": "staff.run",
        "reset_passwords": "staff.run",
        "view_audit": "staff.run",
    },
    "hierarchy": [{"name": "departments", "wire": "department"}],
    "permission": [
        {
            "id": number,
            "name": name,
            "code": name.title(),
            "title": name.title(),
            "category": "Test",
            "description": f"About {name}.",
            "bits": bits,
            "licence": name == "planning",
        }
        for number, name, bits in [
            (30, "orders", {"view": 9, "edit": 2}),
            (10, "projects", {"view": 4}),
            (20, "staff", {"view": 7, "manage": 8, "run": 0}),
            (40, "planning", {"view": 6}),
        ]
    ],
    "role": [
        {"name": "Foreman", "description": "May do all.", "grants": ["*"], "read_only": True},
        {"name": "Reader", "description": "Sees.", "grants": ["*.view", "orders.*"]},
        {"name": "Guest", "description": "May do nothing.", "grants": []},
    ],
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The workshop's data with one entry, as `role.0.grants`, set, or taken away for `...`."""
    data = copy.deepcopy(WORKSHOP)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = data
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


def test_a_profile_is_what_its_file_says() -> None:
    """Names, trees and roles of any app at all come out as they went in, in order."""
    profile = profile_from(WORKSHOP)
    assert (profile.name, profile.default_role) == ("workshop", "Reader")
    assert profile.administrator_role == "Foreman"
    assert profile.hierarchies == (Hierarchy("departments", "department"),)
    entries = profile.catalogue.permissions
    assert [entry.name for entry in entries] == ["orders", "projects", "staff", "planning"]
    assert [entry.id for entry in entries] == [30, 10, 20, 40]
    assert [entry.licence for entry in entries] == [False, False, False, True]
    assert [(role.name, role.read_only) for role in profile.roles] == [
        ("Foreman", True),
        ("Reader", False),
        ("Guest", False),
    ]


def test_a_profiles_roles_hold_what_their_patterns_grant() -> None:
    """Patterns are put together, mean the profile's own bits, and give no licence."""
    foreman, reader, guest = (role.permissions for role in profile_from(WORKSHOP).roles)
    assert foreman == 1 << 9 | 1 << 2 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 0
    assert reader == 1 << 9 | 1 << 2 | 1 << 4 | 1 << 7
    assert guest == NOTHING


def test_a_profiles_needs_are_its_own_permissions() -> None:
    """What the engine's operations ask for is named by the profile, not by the engine."""
    needs = profile_from(WORKSHOP).needs
    assert [str(needs.view_keys), str(needs.manage_keys)] == ["staff.view", "staff.manage"]
    assert [str(needs.view_users), str(needs.manage_users)] == ["staff.view", "staff.manage"]
    assert (str(needs.manage_roles), needs.manage_roles.bits) == ("staff.run", 1)
    assert (str(needs.reset_passwords), needs.reset_passwords.bits) == ("staff.run", 1)


def test_a_profile_needs_no_hierarchy() -> None:
    """An app without trees says nothing of them."""
    assert profile_from(changed("hierarchy", ...)).hierarchies == ()
    assert profile_from(changed("hierarchy", [])).hierarchies == ()


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("name", ..., "'name' is missing or empty"),
        ("name", "", "'name' is missing or empty"),
        ("name", 7, "'name' is missing or empty"),
        ("default_role", ..., "'default_role' is missing or empty in 'workshop'"),
        ("default_role", "Baker", "names a role 'Baker' that it does not have"),
        ("administrator_role", ..., "'administrator_role' is missing or empty in 'workshop'"),
        ("administrator_role", "foreman", "names a role 'foreman' that it does not have"),
        ("needs", ..., r"the profile has no \[needs\]"),
        ("needs", "staff.view", r"the profile has no \[needs\]"),
        ("needs.manage_users", ..., "'manage_users' is missing or empty"),
        ("needs.manage_users", ["staff.view"], "'manage_users' is missing or empty"),
        ("needs.view_keys", "staff", "there is no permission staff"),
        ("needs.view_keys", "staff.peek", r"there is no permission staff\.peek"),
        ("needs.view_keys", "stuff.view", r"there is no permission stuff\.view"),
        ("needs.view_keys", "staff.*", r"there is no permission staff\.\*"),
        ("hierarchy", "departments", r"\[\[hierarchy\]\] must be a list of tables"),
        ("hierarchy", {"name": "x", "wire": "y"}, r"\[\[hierarchy\]\] must be a list of tables"),
        ("hierarchy", ["departments"], r"\[\[hierarchy\]\] must be a list of tables"),
        ("hierarchy.0.wire", ..., "'wire' is missing or empty in 'departments'"),
        ("permission", {}, r"\[\[permission\]\] must be a list of tables"),
        ("permission.1.id", ..., "permission 'projects' needs an id and bits"),
        ("permission.1.id", "10", "permission 'projects' needs an id and bits"),
        ("permission.1.bits", ..., "permission 'projects' needs an id and bits"),
        ("permission.1.bits", [4], "permission 'projects' needs an id and bits"),
        ("permission.1.bits", {"view": "4"}, "permission 'projects': bits are whole numbers"),
        ("permission.1.bits", {"view": 4.0}, "permission 'projects': bits are whole numbers"),
        ("permission.1.bits", {}, "projects has no levels"),
        ("permission.1.bits", {"peek": 4}, "projects has no levels, or unknown ones: {'peek'}"),
        ("permission.1.bits", {"view": 9}, r"bit 9 is that of \w+\.view and of \w+\.view"),
        ("permission.1.id", 30, "have the same id 30"),
        ("permission.1.name", "orders", "the permission orders stands twice"),
        ("permission.1.code", ..., "'code' is missing or empty in 'projects'"),
        ("permission.1.title", "", "'title' is missing or empty in 'projects'"),
        ("permission.1.category", ..., "'category' is missing or empty in 'projects'"),
        ("permission.1.description", ..., "'description' is missing or empty in 'projects'"),
        ("role", {}, r"\[\[role\]\] must be a list of tables"),
        ("role", ["Reader"], r"\[\[role\]\] must be a list of tables"),
        ("role", [], "names a role 'Reader' that it does not have"),
        ("role.1.grants", ..., "role 'Reader' needs a list of grants"),
        ("role.1.grants", "*", "role 'Reader' needs a list of grants"),
        ("role.1.grants", ["order.view"], "'order.view' names no permission of this catalogue"),
        ("role.1.grants", ["planning.view"], "'planning.view' names no permission of this"),
        ("role.1.grants", [5], "'5' names no permission of this catalogue"),
        ("role.1.description", ..., "'description' is missing or empty in 'Reader'"),
        ("rolle", [], "the profile has an unknown entry 'rolle'; did you mean role?"),
        ("role.1.readonly", True, "role 'Reader' has an unknown entry 'readonly'; .* read_only?"),
        ("role.1.read_only", "yes", "role 'Reader': read_only is true or false"),
        ("hierarchy.0.wires", "x", "hierarchy 'departments' has an unknown entry 'wires'"),
        ("needs.view_key", "staff.view", r"\[needs\] has an unknown entry 'view_key'"),
        ("permission.1.licence", 1, "permission 'projects': licence is true or false"),
    ],
)
def test_a_profile_that_is_wrong_is_refused_with_the_wrong_entry(
    path: str, value: object, complaint: str
) -> None:
    """Whoever wrote the file can find the line from the message."""
    with pytest.raises(ProfileError, match=complaint):
        profile_from(changed(path, value))


@pytest.mark.parametrize(("entry", "value"), [("id", True), ("bits", {"view": True})])
def test_a_boolean_is_no_whole_number(entry: str, value: object) -> None:
    """`view = true` says that there is such a level, not that it is bit 1."""
    with pytest.raises(ProfileError, match="permission 'projects'"):
        profile_from(changed(f"permission.1.{entry}", value))


@pytest.mark.parametrize("table", ["hierarchy", "permission", "role"])
def test_an_entry_without_a_name_is_said_to_be_of_its_table(table: str) -> None:
    """The message says which kind of entry has no name."""
    with pytest.raises(ProfileError, match=table):
        profile_from(changed(f"{table}.0.name", ...))


def test_the_document_describes_every_entry_of_the_form() -> None:
    """Each entry that the workshop's file uses has its line in docs/profiles.md."""
    text = DOC.read_text("utf-8")
    tables = [WORKSHOP, WORKSHOP["needs"], *(WORKSHOP[t][0] for t in ("hierarchy", "role"))]
    entries = {name for table in [*tables, WORKSHOP["permission"][0]] for name in table}
    headed = {"hierarchy", "permission", "role"}
    assert [name for name in sorted(entries - headed - {"needs"}) if f"`{name}`" not in text] == []
    assert all(f"### `[[{name}]]`" in text for name in headed)
    assert "### `[needs]`" in text


def test_the_examples_of_the_document_are_true(tmp_path: Path) -> None:
    """Every python block of docs/profiles.md runs, in order, beside the file that it shows."""
    text = DOC.read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    namespace: dict[str, object] = {}
    (tmp_path / "workshop.toml").write_text(example, "utf-8")
    with contextlib.chdir(tmp_path):
        for block in blocks:
            exec(compile(block, DOC.name, "exec"), namespace)  # noqa: S102 - our own document


def test_the_file_of_the_document_is_a_whole_profile() -> None:
    """The example can be copied: it loads, and its administrator may do all that is needed."""
    (example,) = re.findall(
        r"^```toml\n(.*?)^```$", DOC.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    profile = profile_from(tomllib.loads(example))
    held = {role.name: role.permissions for role in profile.roles}[profile.administrator_role]
    needs = profile.needs
    asked = (needs.view_keys, needs.manage_keys, needs.view_users, needs.manage_users)
    assert all(covers(held, need.bits) for need in (*asked, needs.manage_roles))


@pytest.mark.parametrize(("entry", "value"), [("license", True), ("licence", "yes")])
def test_a_misspelt_entry_of_a_permission_is_refused(entry: str, value: object) -> None:
    """`license = true` must not quietly make an ordinary permission of it."""
    with pytest.raises(ProfileError, match="permission 'projects'"):
        profile_from(changed(f"permission.1.{entry}", value))
