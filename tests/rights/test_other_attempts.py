"""Attempts of other kinds: by what a body can say twice, wrongly, or beside the point; by races."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.rights.conftest import RESETS, USERS, VIEW_USERS, Wire
from tests.web.asking import sign_in
from tests.world import PASSWORD

OTHER = "a quite different passphrase"


def test_an_edit_sets_a_password_by_the_rule_of_a_reset_only(wire: Wire) -> None:
    """Whoever sets it can sign in as them: managing users is not enough, nor is it for oneself."""
    no = wire.edit("staff", "clerk", password=OTHER)
    assert (no.status_code, no.json()["code"]) == (403, "permission_denied")
    assert "resetUserPasswords.manage" in no.text
    own = wire.edit("boss", "boss", password=OTHER)
    assert (own.status_code, own.json()["code"]) == (400, "invalid_state")
    wire.users["desk"] = wire.world.user("desk", USERS, VIEW_USERS, RESETS, "meters.view", top=2)
    assert wire.edit("desk", "north", password=OTHER).json()["code"] == "beyond_own_rights"
    for code in ("clerk", "boss", "north"):
        assert sign_in(wire.http, code, PASSWORD).status_code == 200
    assert wire.edit("desk", "clerk", password=OTHER).status_code == 200
    assert sign_in(wire.http, "clerk", OTHER).status_code == 200


@pytest.mark.parametrize("role", ["1", True, 1.0, [1], {"id": 1}, None, "true"])
def test_a_role_is_named_by_a_whole_number_and_nothing_that_turns_into_one(
    wire: Wire, role: object
) -> None:
    """What one part of a program reads as 1 and another as something else is read by none."""
    body = {**wire.user_body("eve", "clerk only"), "userRoleId": role}
    assert wire.ask("boss", "POST", "/api/v3/user", body).json()["field"] == "userRoleId"


@pytest.mark.parametrize("tops", [[True], ["1"], [1.0], [[1]], [None], "4", {"0": 4}, []])
def test_topmosts_are_whole_numbers_in_a_list(wire: Wire, tops: object) -> None:
    """An empty list is not everything, and not nothing either: it is refused."""
    body = {**wire.user_body("eve", "clerk only"), "topmostPlaceIds": tops}
    answer = wire.ask("boss", "POST", "/api/v3/user", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


@pytest.mark.parametrize(
    "permissions",
    [
        True,
        [],
        {"meters": True},
        {"meters": {"view": 1}},
        {"meters": {"view": "yes"}},
        {"meters": {"manage": True}},
        {"METERS": {"view": True}},
        {"__class__": {"view": True}},
    ],
)
def test_what_is_no_permission_of_the_catalogue_grants_nothing(
    wire: Wire, permissions: object
) -> None:
    """By exact name, with true or false; nothing is guessed."""
    body = {"systemUserRoleName": "odd", "description": "", "permissions": permissions}
    answer = wire.ask("boss", "POST", "/api/v202206/userrole", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


@pytest.mark.parametrize("permissions", [{"permissions": None}, {"permissions": {}}, {}])
def test_a_role_without_permissions_grants_none_and_who_lacks_them_cannot_take_them(
    wire: Wire, permissions: dict[str, object]
) -> None:
    """Absent and null mean no: for one's own role that would be a loss, for a stronger one 403."""
    body = {"systemUserRoleName": "empty", "description": "", **permissions}
    made = wire.ask("north", "POST", "/api/v202206/userrole", body)
    assert made.status_code == 200
    role = wire.world.engine.look_up.role(wire.world.datasource_id, "empty")
    assert role is not None
    assert role.permissions == 0
    stronger = f"/api/v202206/userrole/{wire.role('boss only')}"
    taken = wire.ask("north", "PUT", stronger, {**body, "systemUserRoleName": "bosses"})
    assert taken.json()["code"] == "beyond_own_rights"


def test_a_name_that_stands_twice_in_a_body_is_refused(wire: Wire) -> None:
    """Else a check of one and a use of the other would be a way in."""
    good, strong = wire.role("clerk only"), wire.role("boss only")
    body = json.dumps(wire.user_body("eve", good))
    twice = body.replace(f'"userRoleId": {good}', f'"userRoleId": {good}, "userRoleId": {strong}')
    headers = {"ECI-ApiKey": wire.key_of("staff"), "content-type": "application/json"}
    answer = wire.http.post("/api/v3/user", content=twice, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")
    assert "twice" in answer.json()["detail"]


@pytest.mark.parametrize(
    "code", ["BOSS", "bo\u017fs", "boss\u200b", "bo\u00adss", "boss ", "bo\u202ess"]
)
def test_nobody_is_called_as_another_by_case_or_by_what_is_not_seen(wire: Wire, code: str) -> None:
    """What they make would look as made by the other."""
    assert wire.create("staff", code, "clerk only").status_code in {400, 409}


def test_my_account_takes_a_name_and_an_address_and_nothing_else(wire: Wire) -> None:
    """Whatever else stands in the body of PUT /me changes nothing."""
    body = {
        "fullName": "Carl",
        "email": "carl@example.org",
        "userCode": "boss",
        "systemUserCode": "boss",
        "userRoleId": wire.role("boss only"),
        "topmostPlaceIds": [1],
        "active": False,
        "serviceAccount": True,
        "maxApprovalAmount": 1_000_000,
        "password": OTHER,
    }
    before = wire.world.engine.look_up.user(wire.world.datasource_id, "clerk")
    assert wire.ask("clerk", "PUT", "/api/v3/me", body).status_code == 200
    after = wire.world.engine.look_up.user(wire.world.datasource_id, "clerk")
    assert before is not None
    assert after is not None
    assert (after.power, after.role_id, after.service) == (before.power, before.role_id, False)
    assert after.active
    assert sign_in(wire.http, "clerk", PASSWORD).status_code == 200


def test_a_person_is_no_service_account_because_an_edit_says_so(wire: Wire) -> None:
    """Else their manager could make a key in their name."""
    assert wire.edit("north", "clerk", serviceAccount=True).status_code == 200
    path = f"/api/keyhalt/v1/users/{wire.id('clerk')}/keys"
    key = wire.ask("north", "POST", path, {"apiKeyName": "mine", "apiKeyDescription": ""})
    assert key.status_code in {400, 403}
    assert "apiKey" not in key.json()


def test_two_who_deactivate_each_other_at_once_leave_one(wire: Wire) -> None:
    """The one who came second is active no more, which the transaction sees."""
    wire.users["other"] = wire.world.user("other", "*")
    keys = {code: wire.key_of(code) for code in ("boss", "other")}
    wire.keys |= keys

    def end(pair: tuple[str, str]) -> Any:
        return wire.edit(*pair, active=False)

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(end, [("boss", "other"), ("other", "boss")]))
    assert sorted(each.status_code for each in answers) == [200, 401]
    assert sorted(wire.works(key) for key in keys.values()) == [False, True]


def test_a_group_takes_in_the_stronger_and_gives_nothing_by_it(wire: Wire) -> None:
    """Neither rights nor a word about them: who belongs together is all that it says."""
    before = wire.world.engine.look_up.user(wire.world.datasource_id, "boss")
    body = {"userGroupName": "us", "members": [wire.id("boss"), wire.id("staff")]}
    made = wire.ask("staff", "POST", "/api/v3/userGroup", body)
    assert made.status_code == 200
    assert wire.world.engine.look_up.user(wire.world.datasource_id, "boss") == before
    assert wire.edit("staff", "boss", userGroups=[]).json()["code"] == "beyond_own_rights"
    assert wire.ask("staff", "GET", "/api/v202206/userrole/hidden").status_code in {403, 404, 405}
