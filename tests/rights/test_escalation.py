"""Attempts to come to more than one has, over the wire, each refused and changing nothing."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.refusals import Refused
from keyhalt.usecases.people import GroupRow, RoleEdit
from tests.rights.conftest import KEYS, ROLES, USERS, VIEW_USERS, Wire, beyond
from tests.world import OPERATOR, ORIGIN, PASSWORD, make_world

FULL = "Administrator: Full Access"


def grants(*names: str) -> dict[str, dict[str, bool]]:
    permissions: dict[str, dict[str, bool]] = {}
    for name in names:
        permission, level = name.split(".")
        permissions.setdefault(permission, {})[level] = True
    return permissions


def role_body(name: str, *names: str, **more: Any) -> dict[str, Any]:
    return {
        "systemUserRoleName": name,
        "description": "x",
        "permissions": grants(*names),
        **more,
    }


def listed(wire: Wire, code: str) -> list[int]:
    """The ids of the roles that a user sees."""
    return [row["systemUserRoleId"] for row in wire.ask(code, "GET", "/api/v3/userrole").json()]


@pytest.mark.parametrize("path", ["/api/v3/user", "/api/v202306/user", "/api/v202406/user"])
def test_nobody_creates_a_user_with_a_stronger_role(wire: Wire, path: str) -> None:
    """On any of the paths, for the strongest role and for one permission more."""
    assert beyond(wire.ask("staff", "POST", path, wire.user_body("eve", FULL)))
    body = wire.user_body("eve", "north only")
    assert beyond(wire.ask("staff", "POST", path, body)) == KEYS
    assert wire.world.engine.look_up.user(wire.world.datasource_id, "eve") is None


@pytest.mark.parametrize("top", [1, 3, 99])
def test_nobody_creates_a_user_with_a_topmost_outside_their_own(wire: Wire, top: int) -> None:
    """Above, beside, and where nothing is: one answer for all."""
    answer = wire.create("staff", "eve", "clerk only", top)
    assert beyond(answer) == f"places {top}"


def test_one_topmost_too_many_is_refused_among_good_ones(wire: Wire) -> None:
    """The list counts as a whole, also by the single name of the older path."""
    good = wire.create("staff", "amy", "clerk only", topmostPlaceIds=[2, 4])
    assert good.status_code == 200, good.json()
    assert beyond(wire.create("staff", "eve", "clerk only", topmostPlaceIds=[4, 3, 2]))
    body = wire.user_body("eve", "clerk only")
    del body["topmostPlaceIds"]
    assert beyond(wire.ask("staff", "POST", "/api/v3/user", {**body, "placeId": 3}))
    assert beyond(wire.create("staff", "eve", "clerk only", topmostCollectionIds=[1]))


def test_nobody_raises_another_by_edit_or_set_role(wire: Wire) -> None:
    """Neither role nor topmost, by either of the two ways."""
    strong = wire.role("north only")
    assert beyond(wire.edit("staff", "clerk", userRoleId=strong))
    assert beyond(wire.edit("staff", "clerk", topmostPlaceIds=[1])) == "places 1"
    path = f"/api/v202206/systemUser/{wire.id('clerk')}/role"
    assert beyond(wire.ask("staff", "PUT", path, {"userRoleId": strong}))
    now = wire.world.engine.look_up.user(wire.world.datasource_id, "clerk")
    assert now == wire.users["clerk"]


def test_nobody_raises_themselves(wire: Wire) -> None:
    """By role, topmost, or what their own role grants."""
    assert beyond(wire.edit("staff", "staff", userRoleId=wire.role(FULL)))
    assert beyond(wire.edit("staff", "staff", topmostPlaceIds=[1]))
    own = f"/api/v202206/userrole/{wire.role('north only')}"
    more = role_body("north only", USERS, ROLES, KEYS, "meters.view", "meters.edit")
    assert beyond(wire.ask("north", "PUT", own, more)) == "meters.edit"


def test_nobody_touches_who_has_more(wire: Wire) -> None:
    """Not their address, activity, role or place: it would take over or end them."""
    for change in (
        {"email": "eve@example.org"},
        {"active": False},
        {"userRoleId": wire.role("clerk only"), "topmostPlaceIds": [4]},
        {"userCode": "eve"},
    ):
        assert beyond(wire.edit("north", "boss", **change))
    assert wire.ask("boss", "GET", "/api/v3/me").status_code == 200


def test_a_role_cannot_give_more_than_its_maker_has(wire: Wire) -> None:
    """Neither when it is made nor when it is edited, hidden or not."""
    stronger = role_body("strong", "meters.view", "meters.edit", hidden=True)
    for path in ("/api/v202206/userrole", "/api/v3/userrole"):
        assert beyond(wire.ask("north", "POST", path, stronger)) == "meters.edit"
    clerk = f"/api/v3/userrole/{wire.role('clerk only')}"
    assert beyond(wire.ask("north", "PUT", clerk, stronger)) == "meters.edit"


def test_a_role_cannot_give_holders_what_its_editor_has_elsewhere(wire: Wire) -> None:
    """`meters.edit` at place 2 gives nobody `meters.edit` at place 3."""
    wire.world.grant("north", USERS, VIEW_USERS, ROLES, "meters.view", "meters.edit")
    role = wire.role("clerk only")
    assert wire.create("boss", "south", role, 3).status_code == 200
    more = role_body("clerk only", "meters.view", "meters.edit")
    answer = wire.ask("north", "PUT", f"/api/v202206/userrole/{role}", more)
    assert beyond(answer) == "places 3"
    alone = wire.role("equal only")
    more["systemUserRoleName"] = "equal only"
    answer = wire.ask("north", "PUT", f"/api/v202206/userrole/{alone}", more)
    assert answer.status_code == 200, answer.json()


def test_built_in_roles_do_not_change(wire: Wire) -> None:
    """Not even for who has everything; they can be hidden and shown."""
    path = f"/api/v202206/userrole/{wire.role('Default')}"
    for answer in (
        wire.ask("boss", "PUT", path, role_body("Default", "meters.view", "meters.delete")),
        wire.ask("boss", "PUT", path, role_body("Mine")),
        wire.ask("boss", "DELETE", path.replace("v202206", "v3")),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_state")
    hidden = wire.ask("boss", "PUT", f"{path}/hidden", {"hidden": True}).json()
    assert (hidden["hidden"], hidden["readOnly"]) == (True, True)


def test_a_hidden_role_is_not_there_for_who_does_not_manage_roles(wire: Wire) -> None:
    """Not listed, not read, not given; who has it keeps it."""
    role = wire.role("clerk only")
    path = f"/api/v202206/userrole/{role}/hidden"
    assert wire.ask("boss", "PUT", path, {"hidden": True}).status_code == 200
    assert role not in listed(wire, "staff")
    assert wire.ask("staff", "GET", f"/api/v3/userrole/{role}").status_code == 404
    given, none = wire.create("staff", "eve", role), wire.create("staff", "eve", 9_999)
    assert (given.status_code, none.status_code) == (400, 400)
    assert given.json()["detail"].replace(str(role), "9999") == none.json()["detail"]
    set_role = f"/api/v202206/systemUser/{wire.id('equal')}/role"
    assert wire.ask("staff", "PUT", set_role, {"userRoleId": role}).status_code == 400
    kept = wire.edit("staff", "clerk", fullName="Same Role")
    assert kept.status_code == 200, kept.json()
    assert role in listed(wire, "north")
    assert wire.create("north", "amy", role).status_code == 200


def test_the_last_who_can_manage_users_stays(wire: Wire) -> None:
    """Not deactivated, not given another role, and their role does not lose it."""
    for code in ("north", "staff"):
        assert wire.edit("boss", code, active=False).status_code == 200
    own = wire.role("boss only")
    for answer in (
        wire.edit("boss", "boss", active=False),
        wire.edit("boss", "boss", userRoleId=wire.role("Default")),
        wire.ask("boss", "PUT", f"/api/v202206/userrole/{own}", role_body("b", ROLES)),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_state"), answer.json()
    assert wire.edit("boss", "staff", active=True).status_code == 200
    assert wire.edit("boss", "boss", active=False).status_code == 200
    assert wire.ask("boss", "GET", "/api/v3/me").status_code == 401


def test_a_service_account_is_not_the_last_who_can_manage_users(wire: Wire) -> None:
    """It cannot sign in: who remains must be a person."""
    made = wire.create("boss", "machine", "boss only", 1, password=None, serviceAccount=True)
    assert made.status_code == 200, made.json()
    for code in ("north", "staff"):
        wire.edit("boss", code, active=False)
    assert wire.edit("boss", "boss", active=False).status_code == 400


def test_nobody_makes_a_key_in_anothers_name(wire: Wire) -> None:
    """Not of a person, however weak; not of a stronger account; not without all three rights."""
    body = {"apiKeyName": "x", "createdBy": {"userId": 1}, "ownerId": 1, "userId": 1}
    own = wire.ask("north", "POST", "/api/v3/apiKey", body).json()
    assert own["createdBy"]["userCode"] == "north"

    def keys(code: str) -> str:
        return f"/api/keyhalt/v1/users/{wire.id(code)}/keys"

    assert "a person" in beyond(wire.ask("north", "POST", keys("clerk"), body))
    assert "a person" in beyond(wire.ask("boss", "POST", keys("clerk"), body))
    assert beyond(wire.ask("north", "POST", keys("crane"), body)) == "meters.edit"
    denied = wire.ask("staff", "POST", keys("robot"), body)
    assert (denied.status_code, denied.json()["permission"]) == (403, KEYS)
    assert wire.ask("boss", "POST", "/api/keyhalt/v1/users/999/keys", body).status_code == 404


def test_a_key_of_a_service_account_names_both_in_the_audit_log(wire: Wire) -> None:
    """Who made it, and whose it is; and it is the account."""
    path = f"/api/keyhalt/v1/users/{wire.id('robot')}/keys"
    made = wire.ask("north", "POST", path, {"apiKeyName": "night job"}).json()
    assert made["createdBy"]["userCode"] == "robot"
    me = wire.http.get("/api/v3/me", headers={"ECI-ApiKey": made["apiKey"]}).json()
    assert me["systemUserCode"] == "robot"
    event = [each for each in wire.world.events() if each.event == "key.create"][-1]
    assert (event.actor.name, event.details["owner"]) == ("north", "robot")


def test_a_service_account_never_signs_in(wire: Wire) -> None:
    """No password is taken for it, at any time, and a person does not become one."""
    bad = wire.create("boss", "bot", "clerk only", serviceAccount=True)
    assert (bad.status_code, bad.json()["field"]) == (400, "password")
    late = wire.edit("boss", "robot", password=PASSWORD)
    assert (late.status_code, late.json()["field"]) == (400, "password")
    edited = wire.edit("boss", "clerk", serviceAccount=True).json()
    assert edited["serviceAccount"] is False
    path = f"/api/keyhalt/v1/users/{wire.id('clerk')}/keys"
    assert beyond(wire.ask("boss", "POST", path, {"apiKeyName": "x"}))


def test_a_group_gives_nothing(wire: Wire) -> None:
    """Whoever joins one, and whoever else is in it, can do what they could before."""
    before = wire.ask("clerk", "GET", "/api/v3/me").json()
    body = {"userGroupName": "All", "members": [wire.id("boss"), wire.id("clerk")]}
    group = wire.ask("staff", "POST", "/api/v3/userGroup", body)
    assert group.status_code == 200, group.json()
    assert wire.ask("clerk", "GET", "/api/v3/me").json() == before
    denied = wire.ask("clerk", "POST", "/api/v3/userGroup", {"userGroupName": "Mine"})
    assert denied.status_code == 403


def test_a_user_by_an_address_alone_holds_nothing_and_sees_no_further(wire: Wire) -> None:
    """Who manages users and nothing else may name them; where they see from is the maker's."""
    body = {"userGroupName": "All", "newUserEmail": ["amy@example.org", "ben@example.org"]}
    assert wire.ask("clerk", "POST", "/api/v3/userGroup", body).status_code == 403
    made = wire.ask("staff", "POST", "/api/v3/userGroup", body)
    assert (made.status_code, made.json().get("memberCount")) == (200, 2), made.json()
    staff, amy = (wire.world.engine.look_up.user(1, who) for who in ("staff", "amy@example.org"))
    assert staff
    assert amy
    assert (amy.permissions, amy.topmosts) == (0, staff.topmosts)
    row = wire.ask("boss", "GET", f"/api/v3/user/{amy.user_id}").json()
    assert (row["fullName"], row["maxApprovalAmount"]) == ("amy@example.org", 0)


@pytest.mark.parametrize(
    ("emails", "status", "said"),
    [
        (["STAFF@example.org"], 409, "has 'staff@example.org' already"),
        (["new@example.org", "NEW@example.org"], 400, "named twice"),
        (["new@example.org", "nobody"], 400, "'nobody' is no email address"),
        (["@example.org"], 400, "no email address"),
        ([f"{'x' * 60}@example.org"], 400, "at most 65"),
        ([""], 400, "no email address"),
        ([" new@example.org"], 400, "no email address"),
        (["new\n@example.org"], 400, "no email address"),
        (["new\u202e@example.org"], 400, "no email address"),
        (["a@b"] * 1001, 400, "at most 1000"),
    ],
)
def test_an_address_that_is_none_or_taken_makes_neither_user_nor_group(
    wire: Wire, emails: list[str], status: int, said: str
) -> None:
    """All or nothing, and the answer says which."""
    before = len(wire.ask("boss", "GET", "/api/v3/user").json())
    body = {"userGroupName": "All", "newUserEmail": emails}
    answer = wire.ask("staff", "POST", "/api/v3/userGroup", body)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert len(wire.ask("boss", "GET", "/api/v3/user").json()) == before
    assert wire.ask("boss", "GET", "/api/v3/userGroup").json() == []


def test_a_contact_role_that_grants_something_is_given_to_nobody_by_an_address(
    tmp_path: Path,
) -> None:
    """The name alone must not become a way to give rights; nor is a role made up."""
    with closing(make_world(tmp_path / "data")) as world:
        make = partial(
            world.engine.manage_groups.create,
            OPERATOR,
            world.datasource_id,
            description="",
            members=(),
            emails=["amy@example.org"],
            origin=ORIGIN,
        )
        assert isinstance(make(name="none"), Refused)
        roles = partial(world.engine.manage_roles.create, OPERATOR, world.datasource_id)
        roles(name="Contact", description="", grants=["orders.view"], origin=ORIGIN)
        refused = make(name="strong")
        assert isinstance(refused, Refused)
        assert "grants nothing" in refused.detail
        roles = partial(world.engine.manage_roles.edit, OPERATOR, world.datasource_id)
        assert not isinstance(roles("Contact", RoleEdit(grants=()), ORIGIN), Refused)
        made = make(name="weak")
        assert isinstance(made, GroupRow)
        assert made.members == 1


def test_nobody_lets_another_approve_more_than_they_may(wire: Wire) -> None:
    """A limit is given up to one's own; no limit is more than any."""
    assert wire.edit("boss", "staff", maxApprovalAmount=100).status_code == 200
    assert "approval" in beyond(wire.create("staff", "eve", "clerk only"))
    assert "approval" in beyond(wire.create("staff", "eve", "clerk only", maxApprovalAmount=101))
    assert "approval" in beyond(wire.edit("staff", "staff", maxApprovalAmount=None))
    assert wire.create("staff", "amy", "clerk only", maxApprovalAmount=100).status_code == 200


def test_a_caller_weakened_meanwhile_is_held_to_what_they_have_now(wire: Wire) -> None:
    """The rule is asked inside the transaction: an old token brings no old rights."""
    assert wire.create("staff", "amy", "clerk only").status_code == 200
    wire.world.grant("staff", USERS)
    assert beyond(wire.create("staff", "ben", "clerk only")) == "meters.view"
    wire.world.grant("staff", "meters.view")
    denied = wire.create("staff", "ben", "clerk only")
    assert (denied.status_code, denied.json()["permission"]) == (403, USERS)


def test_nothing_of_another_datasource_is_reached(wire: Wire) -> None:
    """Its users, roles and groups are not there."""
    engine = wire.world.engine
    other = engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    role = engine.look_up.role(other.id, FULL)
    assert role is not None
    assert wire.create("boss", "eve", role.id).status_code == 400
    assert wire.ask("boss", "GET", f"/api/v3/userrole/{role.id}").status_code == 404
    answer = wire.ask("boss", "PUT", f"/api/v202206/userrole/{role.id}/hidden", {"hidden": True})
    assert answer.status_code == 404
