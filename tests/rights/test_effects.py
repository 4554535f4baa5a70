"""What an administrator changes, keys and tokens follow on the next request."""

from __future__ import annotations

from typing import Any

from tests.rights.conftest import USERS, Wire
from tests.web.asking import sign_in

ME = "/api/v3/me"


def status(wire: Wire, path: str = ME, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return int(wire.http.get(path, headers=named).status_code)


def bearer(wire: Wire, code: str) -> str:
    return f"Bearer {sign_in(wire.http, code).json()['token']}"


def test_deactivating_stops_keys_and_tokens_and_activating_restores_only_keys(wire: Wire) -> None:
    """401 for both at once; afterwards the key counts again, the earlier sign-in never does."""
    key, token = wire.key_of("clerk"), bearer(wire, "clerk")
    assert (status(wire, ECI_ApiKey=key), status(wire, Authorization=token)) == (200, 200)
    done = wire.edit("staff", "clerk", active=False)
    assert done.json()["active"] is False
    assert done.headers["keyhalt-revocation"].startswith("epoch=")
    assert (status(wire, ECI_ApiKey=key), status(wire, Authorization=token)) == (401, 401)
    assert sign_in(wire.http, "clerk").status_code == 401
    assert wire.edit("staff", "clerk", active=True).status_code == 200
    assert (status(wire, ECI_ApiKey=key), status(wire, Authorization=token)) == (200, 401)
    assert status(wire, Authorization=bearer(wire, "clerk")) == 200


def test_weakening_a_role_weakens_all_its_holders_keys(wire: Wire) -> None:
    """One edit, everybody who has the role; what is absent is a no."""
    role = wire.role("clerk only")
    wire.create("boss", "amy", role)
    wire.users["amy"] = wire.world.engine.look_up.user(1, "amy")  # type: ignore[assignment]
    keys = [wire.key_of("clerk"), wire.key_of("amy")]
    assert [status(wire, "/api/v3/order", ECI_ApiKey=key) for key in keys] == [200, 200]
    body = {"systemUserRoleName": "clerk only", "permissions": {"bills": None, "accounts": {}}}
    edited = wire.ask("boss", "PUT", f"/api/v202206/userrole/{role}", body)
    assert edited.json()["usersAssignedCount"] == 2
    assert edited.json()["description"] == ""
    assert [status(wire, "/api/v3/order", ECI_ApiKey=key) for key in keys] == [403, 403]
    named = {"systemUserRoleName": "clerks"}
    assert wire.ask("boss", "PUT", f"/api/v3/userrole/{role}", named).status_code == 200
    assert [status(wire, ECI_ApiKey=key) for key in keys] == [200, 200]


def test_moving_a_topmost_moves_what_a_key_sees(wire: Wire) -> None:
    """From below place 2 to place 4 only."""
    key = wire.key_of("equal")

    def seen() -> list[int]:
        answer: Any = wire.http.get("/api/v3/order", headers={"ECI-ApiKey": key})
        return [order["orderId"] for order in answer.json()]

    assert seen() == [10, 12]
    assert wire.edit("staff", "equal", topmostPlaceIds=[4]).status_code == 200
    assert seen() == [12]


def test_an_edit_writes_what_changed_and_who_did_it(wire: Wire) -> None:
    """One row of the audit log for each kind of change, all of one epoch."""
    role = wire.role("equal only")
    changed = wire.edit(
        "staff", "clerk", userRoleId=role, topmostPlaceIds=[2], active=False, fullName="Carl"
    )
    assert changed.status_code == 200, changed.json()
    rows = [event for event in wire.world.events() if event.event.startswith("user.")][-4:]
    assert [row.event for row in rows] == [
        "user.set_role",
        "user.set_topmost",
        "user.deactivate",
        "user.edit",
    ]
    assert {row.epoch for row in rows} == {rows[0].epoch}
    assert {(row.actor.name, row.object_id) for row in rows} == {("staff", wire.id("clerk"))}
    assert rows[0].details == {"code": "clerk", "before": "clerk only", "after": "equal only"}
    assert rows[1].details["after"] == {"places": [2]}
    assert rows[3].details["full_name"] == "Carl"


def test_a_refused_change_writes_nothing_but_the_denial(wire: Wire) -> None:
    """Neither a row nor an epoch; the denial says what was beyond."""
    before = [event.event for event in wire.world.events()]
    wire.edit("staff", "boss", active=False)
    after = wire.world.events()
    assert [event.event for event in after[len(before) :]] == ["key.create", "request.deny"]
    assert after[-1].reason == "beyond_own_rights"
    assert after[-1].actor.name == "staff"


def test_a_name_that_is_taken_is_a_conflict_and_changes_nothing(wire: Wire) -> None:
    """Whatever its case: user codes, roles, groups."""
    assert wire.create("staff", "CLERK", "clerk only").status_code == 409
    assert wire.edit("staff", "clerk", userCode="Equal", fullName="X").status_code == 409
    now = wire.world.engine.look_up.user(1, "clerk")
    assert now is not None
    assert now.full_name == "Clerk"
    role = {"systemUserRoleName": "DEFAULT", "description": ""}
    assert wire.ask("boss", "POST", "/api/v202206/userrole", role).status_code == 409
    group = {"userGroupName": "Team"}
    assert wire.ask("boss", "POST", "/api/v3/userGroup", group).status_code == 200
    group = {"userGroupName": "TEAM"}
    assert wire.ask("boss", "POST", "/api/v3/userGroup", group).status_code == 409


def test_what_is_wrong_is_said_in_the_clients_names(wire: Wire) -> None:
    """400 with the field, and nobody is made."""
    for wrong, name in (
        ({"topmostPlaceIds": []}, "topmostPlaceIds"),
        ({"placeId": 4}, "topmostPlaceIds"),
        ({"userGroups": [77]}, "userGroups"),
        ({"password": None}, "password"),
        ({"password": "short"}, "password"),
        ({"password": "password password password"}, "password"),
        ({"password": "no capitals nor digits", "strongPassword": True}, "password"),
        ({"email": ""}, "email"),
        ({"userRoleId": "4"}, "userRoleId"),
        ({"userCode": ""}, "userCode"),
        ({"passwordExpirationInterval": -1}, "passwordExpirationInterval"),
    ):
        answer = wire.create("staff", "eve", "clerk only", **wrong)
        assert (answer.status_code, answer.json()["field"]) == (400, name), answer.json()
    unknown = {"meters": {"see": True, "run": True}}
    body = {"systemUserRoleName": "x", "description": "", "permissions": unknown}
    answer = wire.ask("boss", "POST", "/api/v202206/userrole", body)
    assert (answer.status_code, answer.json()["field"]) == (400, "permissions.meters.run")
    assert wire.ask("boss", "GET", "/api/v3/userrole/9999").status_code == 404
    assert wire.ask("boss", "PUT", "/api/v3/user/9999", wire.user_body("x", 1)).status_code == 404


def test_an_answer_can_be_sent_back_as_an_edit(wire: Wire) -> None:
    """A role as it was read, licences and all, changes nothing."""
    path = f"/api/v3/userrole/{wire.role('north only')}"
    read = wire.ask("boss", "GET", path).json()
    assert wire.ask("boss", "PUT", path, read).json() == read


def test_users_are_paged_in_the_order_asked_for(wire: Wire) -> None:
    """By code, name, email or role, up or down, with the four headers."""

    def page(query: str) -> Any:
        return wire.ask("boss", "GET", f"/api/v202512/user/paginated?{query}")

    first = page("pageSize=3&orderBy=systemUserCode desc")
    assert [user["userCode"] for user in first.json()] == ["staff", "robot", "north"]
    assert first.headers["TotalNumberOfRecords"] == "7"
    assert first.headers["TotalPages"] == "3"
    last = page("pageSize=3&pageNumber=3&orderBy=systemUserCode%20DESC").json()
    assert [user["userCode"] for user in last] == ["boss"]
    by_role = page("orderBy=systemUserRoleName").json()
    names = [user["userRole"]["userRoleInfo"] for user in by_role]
    assert names == sorted(names)
    some = page("filter=systemUserRoleName equals 'x'")
    assert some.status_code == 400
    active = page("filter=active equals 'true' and fullName like 'or'").json()
    assert [user["userCode"] for user in active] == ["north"]
    assert page("orderBy=password").status_code == 400


def test_who_may_not_view_users_cannot_ask_by_what_they_do_not_see(wire: Wire) -> None:
    """A filter or an order by another property would tell it."""
    assert wire.ask("clerk", "GET", "/api/v3/user").json()[0] == {
        "userId": wire.id("boss"),
        "userCode": "boss",
        "fullName": "Boss",
    }
    for query in ("filter=email like 'b'", "filter=active equals 'true'", "orderBy=email"):
        for path in ("/api/v3/user", "/api/v202512/user/paginated"):
            answer = wire.ask("clerk", "GET", f"{path}?{query}")
            assert answer.status_code == (200 if "order" in query and "v3" in path else 400)
    mine = wire.ask("clerk", "GET", "/api/v3/user?filter=systemUserCode equals 'boss'")
    assert len(mine.json()) == 1


def test_older_paths_say_what_replaces_them(wire: Wire) -> None:
    """`ECI-Deprecated`, as EnergyCAP marks a replaced operation."""
    assert wire.create("staff", "amy", "clerk only").headers["eci-deprecated"].startswith("v202406")
    body = wire.user_body("ben", "clerk only")
    current = wire.ask("staff", "POST", "/api/v202406/user", body)
    assert "eci-deprecated" not in current.headers
    wire.world.grant("staff", USERS)
    own = wire.ask("boss", "GET", f"/api/keyhalt/v1/users/{wire.id('robot')}").json()
    assert own["serviceAccount"] is True


def test_an_exchanged_token_is_of_the_same_sign_in(wire: Wire) -> None:
    """It ends with the user's sign-in, is not good for longer, and is nothing for a key."""
    from datetime import UTC, datetime

    first = bearer(wire, "clerk")
    path = "/api/v3/exchange/eco?partition=Lab"
    answer = wire.http.get(path, headers={"Authorization": first})
    second = f"Bearer {answer.json()['value']}"
    assert second != first
    assert status(wire, Authorization=second) == 200
    with wire.world.engine.stores.signins.connect() as connection:
        ends = {row[0] for row in connection.exec_driver_sql("SELECT expires_at FROM bearer_token")}
    assert len(ends) == 1
    assert datetime.fromisoformat(ends.pop()) > datetime(2026, 1, 1, tzinfo=UTC)
    other = wire.http.get("/api/v3/exchange/eco?partition=Moon", headers={"Authorization": first})
    assert (other.status_code, other.json()["field"]) == (400, "partition")
    assert status(wire, path, ECI_ApiKey=wire.key_of("clerk")) == 400
    wire.edit("staff", "clerk", active=False)
    wire.edit("staff", "clerk", active=True)
    assert (status(wire, Authorization=first), status(wire, Authorization=second)) == (401, 401)
