"""The apiKey operations on the wire: contract rows 1 to 5."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.world import World

Wire = tuple[World, TestClient, dict[str, str]]


@pytest.fixture
def wire(world: World, http: TestClient) -> Iterator[Wire]:
    """A caller with what managing keys needs."""
    admin = world.user("admin", "settings.*", "orders.*", full_name="Ada Minister")
    _, key = world.key(admin, "first")
    return world, http, {"ECI-ApiKey": key}


def create(wire: Wire, **body: Any) -> Any:
    return wire[1].post("/api/v3/apiKey", json=body, headers=wire[2])


def test_a_key_is_created_and_its_value_shown_once(wire: Wire) -> None:
    """200 with the value; list, get and edit never show it again."""
    world, http, headers = wire
    answer = create(wire, apiKeyName="billing", apiKeyDescription="For the billing job")
    made = answer.json()
    assert answer.status_code == 200
    assert set(made) == {
        "apiKey",
        "apiKeyId",
        "apiKeyName",
        "apiKeyDescription",
        "createdBy",
        "createdDate",
    }
    assert made["createdBy"] == {"userId": 1, "userCode": "admin", "fullName": "Ada Minister"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["createdDate"])
    value = made.pop("apiKey")
    assert http.get("/api/v3/order", headers={"ECI-ApiKey": value}).status_code == 200
    one = f"/api/v3/apiKey/{made['apiKeyId']}"
    shown = http.get(one, headers=headers)
    assert shown.json() == made
    edit = {"apiKeyName": "billing 2", "apiKeyDescription": "x"}
    edited = http.put(one, json=edit, headers=headers)
    assert edited.json() == {**made, "apiKeyName": "billing 2", "apiKeyDescription": "x"}
    listed = http.get("/api/v3/apiKey", headers=headers)
    assert [k["apiKeyName"] for k in listed.json()] == ["first", "billing 2"]
    for each in (shown, edited, listed):
        assert value not in each.text
    assert value not in world.dump()


def test_a_key_created_with_a_key_says_which(wire: Wire) -> None:
    """A leaked key is traceable to its children: the row and the audit log name its parent."""
    world = wire[0]
    child = create(wire, apiKeyName="child").json()["apiKeyId"]
    row = world.engine.look_up.key(world.datasource_id, child)
    assert (row.made_with.kind, row.made_with.id, row.made_by) == ("key", 1, "admin")
    event = [e for e in world.events() if e.event == "key.create"][-1]
    assert (event.actor.name, event.actor.user_id) == ("admin", 1)
    assert (event.actor.credential.kind, event.actor.credential.id) == ("key", 1)
    assert (event.object_type, event.object_id) == ("key", child)


def test_what_a_key_does_is_recorded_as_its_owners(wire: Wire) -> None:
    """`createdBy` of the app behind the keys is the owner, whatever the body says."""
    _, http, headers = wire
    body = {"title": "nails", "createdBy": "somebody else", "count": 3}
    made = http.post("/api/v3/order", json=body, headers=headers).json()
    assert made == {"title": "nails", "createdBy": "admin", "count": 3}


def test_creating_needs_manage_and_viewing_needs_view(world: World, http: TestClient) -> None:
    """The seed: ApplicationSettings Manage to create; here in the catalogue's own words."""
    _, viewer = world.key(world.user("viewer", "settings.view"))
    _, none = world.key(world.user("none", "orders.view"))
    body = {"apiKeyName": "x"}
    calls = [
        ("GET", "/api/v3/apiKey", None, "settings.view", 200),
        ("GET", "/api/v3/apiKey/1", None, "settings.view", 200),
        ("POST", "/api/v3/apiKey", body, "settings.manage", 403),
        ("PUT", "/api/v3/apiKey/1", body, "settings.manage", 403),
        ("DELETE", "/api/v3/apiKey/1", None, "settings.manage", 403),
    ]
    for method, path, json, need, for_viewer in calls:
        seen = http.request(method, path, json=json, headers={"ECI-ApiKey": viewer})
        refused = http.request(method, path, json=json, headers={"ECI-ApiKey": none})
        assert (seen.status_code, refused.status_code) == (for_viewer, 403), (method, path)
        assert refused.json()["permission"] == need


def test_the_list_has_the_keys_of_all_users_of_the_datasource_only(wire: Wire) -> None:
    """All owners of this tenant, oldest first, none of another tenant's, none deleted."""
    world, http, headers = wire
    world.key(world.user("other", "orders.view"), "theirs")
    gone, _ = world.key(world.user("third", "orders.view"), "gone")
    http.delete(f"/api/v3/apiKey/{gone}", headers=headers)
    listed = http.get("/api/v3/apiKey", headers=headers).json()
    assert [k["apiKeyName"] for k in listed] == ["first", "theirs"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("apiKeyInfo equals 'FIRST'", ["first"]),
        ("apiKeyInfo like 'r'", ["first", "other's"]),
        ("systemUserCode equals 'other'", ["other's"]),
        ("fullName equals 'Ada Minister'", ["first"]),
        ("systemUserID not equals '1'", ["other's"]),
        ("apiKeyInfo equals 'other''s' and systemUserCode one of 'other'|'x'", ["other's"]),
        ("apiKeyInfo equals ''' or 1=1 --'", []),
    ],
)
def test_the_list_can_be_filtered(wire: Wire, text: str, names: list[str]) -> None:
    """The filter fields of the contract, by the wire's own names."""
    world, http, headers = wire
    world.key(world.user("other", "orders.view"), "other's")
    answer = http.get("/api/v3/apiKey", params={"filter": text}, headers=headers)
    assert [k["apiKeyName"] for k in answer.json()] == names


@pytest.mark.parametrize("text", ["apiKey equals 'x'", "apiKeyInfo is 'x'", "apiKeyInfo equals x"])
def test_a_wrong_filter_is_400_and_says_where(wire: Wire, text: str) -> None:
    """Unknown field, unknown operator, bad quoting."""
    answer = wire[1].get("/api/v3/apiKey", params={"filter": text}, headers=wire[2])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")
    assert re.search(r"\d", answer.json()["detail"])


def test_a_repeated_delete_succeeds_and_reading_it_is_404(wire: Wire) -> None:
    """The official client itself repeats a DELETE after a 503."""
    _, http, headers = wire
    one = f"/api/v3/apiKey/{create(wire, apiKeyName='x').json()['apiKeyId']}"
    first = http.delete(one, headers=headers)
    second = http.delete(one, headers=headers)
    assert (first.status_code, second.status_code) == (204, 204)
    assert first.content == second.content == b""
    epochs = [each.headers["keyhalt-revocation"].partition(",")[0] for each in (first, second)]
    assert epochs[0] == epochs[1]
    assert http.get(one, headers=headers).status_code == 404
    assert http.put(one, json={"apiKeyName": "y"}, headers=headers).status_code == 404
    assert http.delete("/api/v3/apiKey/999", headers=headers).status_code == 404


def test_an_edit_without_description_leaves_it(wire: Wire) -> None:
    """The client leaves out what is null; an empty text empties."""
    _, http, headers = wire
    made = create(wire, apiKeyName="x", apiKeyDescription="keep me").json()
    one = f"/api/v3/apiKey/{made['apiKeyId']}"
    for body, description in (
        ({"apiKeyName": "y"}, "keep me"),
        ({"apiKeyName": "y", "apiKeyDescription": None}, "keep me"),
        ({"apiKeyName": "y", "apiKeyDescription": ""}, ""),
    ):
        assert http.put(one, json=body, headers=headers).json()["apiKeyDescription"] == description


def test_paths_match_whatever_their_case(wire: Wire) -> None:
    """A to Z fold, a slash at the end does not count, other letters match nothing."""
    _, http, headers = wire
    for path in ("/api/v3/apiKey", "/API/V3/APIKEY", "/api/v3/apikey/", "/Api/v3/ApiKey/1"):
        assert http.get(path, headers=headers).status_code == 200, path
    assert http.get("/api/v3/apiKe\u00fd", headers=headers).status_code == 404
    assert http.get("/api/v3/ap\u0130Key", headers=headers).status_code == 404
    assert http.get("/api/v3/api\u212aey", headers=headers).status_code == 404


def test_head_counts_as_get(wire: Wire) -> None:
    """HEAD needs what GET needs and answers its headers."""
    _, http, headers = wire
    assert http.head("/api/v3/apiKey", headers=headers).status_code == 200
    assert http.head("/api/v3/apiKey").status_code == 401


def test_a_wrong_method_is_405_with_what_is_allowed(wire: Wire) -> None:
    """RFC 9110 15.5.6."""
    answer = wire[1].delete("/api/v3/apiKey", headers=wire[2])
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert wire[1].get("/api/v3/login").headers["allow"] == "POST"


def test_me_is_the_owner_with_everything_they_have(wire: Wire) -> None:
    """Who am I: names, role, permissions of the whole catalogue, topmosts by hierarchy."""
    _, http, headers = wire
    me = http.get("/api/v3/me", headers=headers).json()
    assert (me["systemUserCode"], me["fullName"]) == ("admin", "Ada Minister")
    assert (me["environment"], me["userRoleName"]) == ("Lab", "admin only")
    assert set(me["permissions"]) == {"settings", "orders", "projects"}
    assert me["permissions"]["projects"]["view"] is False
    assert me["permissions"]["orders"]["delete"] is True
    assert me["project"]["projectId"] == 1
    assert me["project"]["projectInfo"] == "Project 1"
    assert me["project"]["isMultiTopmostProject"] is False
    assert me["project"]["multiTopmostProjects"] == []


def test_several_topmosts_are_listed_in_me(world: World, http: TestClient) -> None:
    """The first one in the object itself, and all of them in its list."""
    user = world.user("jsmith", "orders.view")
    world.engine.manage_users.set_topmosts(
        *_operator(world), "jsmith", {"projects": (3, 2)}, _origin()
    )
    _, key = world.key(user)
    project = http.get("/api/v3/me", headers={"ECI-ApiKey": key}).json()["project"]
    assert project["projectId"] == 2
    assert project["isMultiTopmostProject"] is True
    assert [p["projectId"] for p in project["multiTopmostProjects"]] == [2, 3]


def test_environment_tells_the_build(http: TestClient) -> None:
    """Row 30: a date with a time part, and a version."""
    answer = http.get("/api/v3/environment").json()
    assert set(answer) == {"buildDate", "version"}
    assert "T" in answer["buildDate"]


def _operator(world: World) -> tuple[Any, int]:
    from tests.world import OPERATOR

    return OPERATOR, world.datasource_id


def _origin() -> Any:
    from tests.world import ORIGIN

    return ORIGIN
