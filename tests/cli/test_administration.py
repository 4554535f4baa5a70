"""Users, roles, datasources and the audit log by command."""

from __future__ import annotations

from pathlib import Path

from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Allowed, Denied
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.main import MainTools
from keyhalt.usecases.making_keys import Issued
from tests.cli.conftest import Keyhalt, create, decide, decide_with

ORIGIN = Origin(request_id="0af1", source="192.0.2.7", operation="ApiKeyCreate")


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


def test_a_hierarchy_named_twice_keeps_both(keyhalt: Keyhalt) -> None:
    """`--topmost` adds up, and so do the arguments of `set-topmost`."""
    twice = ["--topmost", "places=7", "--topmost", "places=1,7", "--topmost", "costCenters=2"]
    made = keyhalt("user", "create", "bo", "--no-password", *twice, "-o", "json")
    assert made.json["topmosts"] == ["costCenters=2", "places=1,7"]
    assert keyhalt("user", "set-topmost", "bo", "places=4", "places=3").code == 0
    shown = keyhalt("user", "show", "bo", "-o", "json").json
    assert shown["topmosts"] == ["costCenters=2", "places=3,4"]


def test_taking_a_role_away_reaches_the_keys_of_its_user(keyhalt: Keyhalt, data: Path) -> None:
    """A key has what its owner has now."""
    value = create(keyhalt)
    before = decide(data, value)
    assert keyhalt("user", "set-role", "jsmith", "Contact").code == 0
    after = decide(data, value)
    assert isinstance(before, Allowed)
    assert isinstance(after, Allowed)
    assert before.principal.permissions
    assert not after.principal.permissions


def test_roles_are_administered(keyhalt: Keyhalt) -> None:
    """Create, list, show, set-grants; built-in ones do not change."""
    shown = keyhalt("role", "show", "integration", "-o", "json").json
    assert shown["grants"] == [
        "applicationSettings.view", "applicationSettings.manage", "meters.view",
    ]  # fmt: skip
    assert shown["users"] == 1
    changed = keyhalt("role", "set-grants", "Integration", "--grant", "meters.*")
    assert (changed.code, "In effect everywhere" in changed.err) == (0, True)
    assert keyhalt("role", "show", "Integration", "-o", "json").json["grants"] == [
        "meters.view", "meters.create", "meters.edit", "meters.delete",
    ]  # fmt: skip
    assert "built-in" in keyhalt("role", "set-grants", "Default", "--grant", "*").err
    assert len(keyhalt("role", "list", "-o", "json").json) == 7


def test_users_and_roles_are_edited(keyhalt: Keyhalt) -> None:
    """Names, addresses and limits; hiding, showing and deleting roles."""
    changed = keyhalt("user", "edit", "JSMITH", "--full-name", "Jo", "--max-approval", 50)
    assert "In effect everywhere" in changed.err
    shown = keyhalt("user", "show", "jsmith", "-o", "json").json
    assert (shown["full_name"], shown["max_approval_amount"]) == ("Jo", 50)
    assert keyhalt("user", "edit", "jsmith", "--code", "ADA").code == 6
    assert keyhalt("user", "edit", "jsmith", "--max-approval", "lots").code == 2
    assert keyhalt("user", "edit", "jsmith").code == 2
    keyhalt("user", "edit", "jsmith", "--code", "jo", "--max-approval", "none")
    assert keyhalt("user", "show", "jo", "-o", "json").json["max_approval_amount"] is None

    assert keyhalt("role", "edit", "integration", "--name", "Programs").code == 0
    assert keyhalt("role", "edit", "programs").code == 2
    assert "give them another role" in keyhalt("role", "delete", "programs").err
    assert "built-in" in keyhalt("role", "delete", "contact").err
    assert keyhalt("role", "hide", "contact").code == 0
    assert keyhalt("role", "show", "contact", "-o", "json").json["hidden"] is True
    assert keyhalt("role", "unhide", "contact").code == 0
    keyhalt("role", "create", "spare", "--grant", "meters.view")
    assert "Deleted the role spare" in keyhalt("role", "delete", "spare").err
    assert keyhalt("role", "show", "spare").code == 5


def test_a_service_account_owns_keys_and_has_no_password(keyhalt: Keyhalt, password: Path) -> None:
    """It is made so, shown so, and stays so."""
    made = keyhalt("user", "create", "robot", "--service", "--role", "Integration", "-o", "json")
    assert (made.json["service"], made.json["email"]) == (True, "")
    refused = keyhalt("user", "set-password", "robot", "--password-file", password)
    assert (refused.code, "never signs in" in refused.err) == (1, True)
    assert keyhalt("key", "create", "--owner", "robot", "--name", "job", "-o", "key").code == 0
    assert keyhalt("user", "create", "x", "--service", "--password-file", password).code == 2


def test_groups_are_administered(keyhalt: Keyhalt) -> None:
    """Create, add, remove, rename, delete; a wrong name gets a suggestion."""
    made = keyhalt("group", "create", "Night shift", "--member", "JSMITH", "-o", "json")
    assert made.json["members"] == 1
    edit = keyhalt("group", "edit", "night shift", "--add", "ada", "--remove", "jsmith")
    assert "members: 1." in edit.err
    assert keyhalt("group", "show", "NIGHT SHIFT", "-o", "json").json["codes"] == ["ada"]
    assert keyhalt("user", "show", "ada", "-o", "json").json["groups"] == ["Night shift"]
    assert keyhalt("group", "create", "NIGHT shift").code == 6
    missing = keyhalt("group", "show", "Night shirt")
    assert (missing.code, "did you mean Night shift" in missing.err) == (5, True)
    assert keyhalt("group", "edit", "night shift", "--name", "Day shift").code == 0
    assert "Deleted the group Day shift" in keyhalt("group", "delete", "day shift").err
    assert keyhalt("group", "list", "-o", "json").json == []


def test_datasources_are_administered(keyhalt: Keyhalt, data: Path) -> None:
    """With two of them a command asks which; a deactivated one stops its keys."""
    value = create(keyhalt)
    assert keyhalt("datasource", "create", "West").code == 0
    assert keyhalt("datasource", "create", "WEST").code == 6
    asked = keyhalt("key", "list")
    assert (asked.code, "acme, West" in asked.err) == (2, True)
    assert keyhalt("key", "list", "-d", "west", "-o", "json").json == []
    stopped = keyhalt("datasource", "deactivate", "ACME")
    assert "Deactivated acme. In effect everywhere" in stopped.err
    assert not isinstance(decide(data, value), Allowed)
    keyhalt("datasource", "activate", "acme")
    assert isinstance(decide(data, value), Allowed)
    rows = keyhalt("datasource", "list", "-o", "json").json
    assert [row["name"] for row in rows] == ["acme", "West"]


def test_nothing_is_seen_or_changed_through_another_datasource(keyhalt: Keyhalt) -> None:
    """A key's id and a user's code count in their own datasource only."""
    create(keyhalt)
    keyhalt("datasource", "create", "West")
    for command in (
        ("key", "show", 1),
        ("key", "delete", 1, "--yes"),
        ("user", "show", "jsmith"),
        ("user", "deactivate", "jsmith"),
        ("role", "show", "Integration"),
    ):
        assert keyhalt(*command, "-d", "West").code == 5
    assert keyhalt("audit", "list", "-d", "West", "-o", "json").json[0]["object"] == "datasource 2"
    assert keyhalt("key", "show", 1, "-d", "acme", "-o", "json").json["state"] == "counts"


def test_the_audit_log_names_operator_owner_and_key(keyhalt: Keyhalt) -> None:
    """Who did what to what, newest first."""
    create(keyhalt)
    keyhalt("key", "delete", 1, "--yes")
    listed = keyhalt("audit", "list", "-o", "json").json
    rows = [row for row in listed if row["event"] != "key.revoke.done"]
    assert [row["event"] for row in rows[:2]] == ["key.revoke.begin", "key.create"]
    assert rows[0]["actor"].startswith("operator:")
    assert (rows[0]["object"], rows[0]["details"]["owner"]) == ("key 1", "jsmith")
    assert (rows[0]["source"], rows[0]["operation"]) == ("command-line", "keyhalt key delete")
    assert rows[0]["epoch"] > 1
    assert len(keyhalt("audit", "list", "--limit", 3).out.splitlines()) == 4


def test_a_key_made_by_a_key_is_traced_to_it(keyhalt: Keyhalt, data: Path) -> None:
    """The audit log and the key's own row name owner and making credential."""
    create(keyhalt)
    with MainTools().engine(data=data) as engine:
        place = engine.look_up.datasources()[0]
        user = engine.look_up.user(place.id, "jsmith")
        assert user is not None
        leaked = Principal("Lab", user, Credential(CredentialKind.KEY, 1))
        child = engine.issue.create(
            leaked,
            datasource_id=place.id,
            owner_id=user.user_id,
            name="child",
            description="",
            origin=ORIGIN,
        )
    assert isinstance(child, Issued)
    row = keyhalt("audit", "list", "--limit", 1, "-o", "json").json[0]
    assert (row["actor"], row["credential"], row["object"]) == ("jsmith", "key 1", "key 2")
    assert (row["source"], row["request_id"]) == ("192.0.2.7", "0af1")
    assert " key 1 " in keyhalt("audit", "list", "--limit", 1).out
    shown = keyhalt("key", "show", 2, "-o", "json").json
    assert (shown["owner"], shown["made_with"], shown["made_by"]) == ("jsmith", "key 1", "jsmith")


def test_a_denial_names_the_owner_the_key_and_the_exact_cause(keyhalt: Keyhalt, data: Path) -> None:
    """What the client was not told."""
    value = create(keyhalt)
    keyhalt("key", "delete", 1, "--yes")
    with MainTools().engine(data=data) as engine:
        decision = decide_with(engine, value)
        assert isinstance(decision, Denied)
        engine.verify.refused(decision, ORIGIN)
    row = keyhalt("audit", "list", "--limit", 1, "-o", "json").json[0]
    assert (row["event"], row["outcome"], row["reason"]) == (
        "request.deny", "denied", "deleted_key",
    )  # fmt: skip
    assert (row["actor"], row["credential"], row["count"]) == ("jsmith", "key 1", 1)
