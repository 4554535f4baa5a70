"""Users, roles and groups with the official client, against a running demo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys.conftest import Server

models = pytest.importorskip("energycap.sdk.models", reason="EnergyCapSdk is not installed")
from msrest.exceptions import HttpOperationError  # noqa: E402 - only when the client is there

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::SyntaxWarning"
)
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def server(server_on_either: Server) -> Server:
    """On both stores: what is true of one process is true of two workers."""
    return server_on_either


def status_of(call: Any, *arguments: Any, **named: Any) -> int:
    """The status of a call that fails, as the client tells it."""
    with pytest.raises(HttpOperationError) as error:
        call(*arguments, **named)
    return int(error.value.response.status_code)


def signed_in(server: Server, code: str, password: str) -> Any:
    login = models.LoginRequest(data_source=server.datasource, username=code, password=password)
    token = server.client().login(body=login).token
    return server.client(Authorization=f"Bearer {token}")


def permissions(**levels: str) -> Any:
    """`meters="view"` and so on, in the client's models."""
    request = models.PermissionsRequest()
    kinds = models.PermissionsRequest._attribute_map
    for name, level in levels.items():
        kind = getattr(models, kinds[name]["type"])
        setattr(request, name, kind(**{level: True}))
    return request


def role_request(name: str, **levels: str) -> Any:
    return models.SystemUserRoleWithHiddenRequest(
        system_user_role_name=name,
        description="Looks at meters",
        hidden=False,
        permissions=permissions(**levels),
    )


def user_request(kind: type, code: str, role_id: int, place: int, me: Any, **more: Any) -> Any:
    return kind(
        user_code=code,
        full_name="Mia Meter",
        email=f"{code}@acme.example",
        topmost_place_ids=[place],
        topmost_cost_center_ids=[me.cost_center.cost_center_id],
        topmost_collection_ids=[me.collection.collection_id],
        password_expiration_interval=0,
        strong_password=False,
        force_password_change=False,
        user_role_id=role_id,
        **more,
    )


def test_a_user_from_role_to_key_to_deactivation_and_back(server: Server) -> None:
    """The whole life: role, user, sign-in, 403, permission, key, topmost, 401, and again."""
    admin = signed_in(server, "admin", server.passwords["admin"])
    three = ("meters", "buildings_and_organizations", "application_settings")
    request = role_request("Meter readers", **dict.fromkeys(three, "view"))
    role = admin.create_user_role(body=request)
    assert role.permissions.meters.view is True
    assert role.permissions.meters.edit is False
    root = admin.me_method().place.place_id
    place = next(p.place_id for p in admin.get_places() if p.parent and p.parent.place_id == root)
    me = admin.me_method()
    request = user_request(
        models.UserCreateRequest, "mia", role.system_user_role_id, place, me, password=PASSWORD
    )
    made = admin.create_user(body=request)
    assert (made.user_code, made.active, made.user_role.user_role_info) == (
        "mia",
        True,
        "Meter readers",
    )
    assert made.place.place_id == place

    assert made.last_login is None
    signed_in(server, "mia", PASSWORD)
    first = admin.get_user(made.user_id).last_login
    mia = signed_in(server, "mia", PASSWORD)
    (now,) = (user.last_login for user in admin.get_users() if user.user_code == "mia")
    assert first < now
    key_request = models.ApiKeyCreateRequest(api_key_name="readings")
    with pytest.raises(HttpOperationError) as refused:
        mia.create_api_key(body=key_request)
    problem = refused.value.response.json()
    assert (problem["status"], problem["permission"]) == (403, "applicationSettings.manage")

    request = role_request("Meter readers", meters="view", application_settings="manage")
    assert admin.edit_user_role(role.system_user_role_id, body=request).users_assigned_count == 1
    key = mia.create_api_key(body=key_request).api_key
    program = server.with_key(key)
    assert status_of(program.get_places) == 403  # absent from the edit means no

    everything = {meter.meter_id for meter in admin.get_meters(page_size=1000)}
    seen = {meter.meter_id for meter in program.get_meters(page_size=1000)}
    assert seen < everything
    assert seen
    beyond = min(everything - seen)
    assert status_of(program.get_meter, beyond) == 404

    edit = user_request(
        models.UserEditRequest,
        "mia",
        role.system_user_role_id,
        place,
        me,
        active=False,
        active_directory=False,
        report_group_id=made.report_group.report_group_id,
    )
    assert admin.edit_user(made.user_id, body=edit).active is False
    assert status_of(program.get_meters) == 401
    assert status_of(mia.me_method) == 401
    edit.active = True
    assert admin.edit_user(made.user_id, body=edit).active is True
    assert {meter.meter_id for meter in program.get_meters(page_size=1000)} == seen
    assert status_of(mia.me_method) == 401  # the token does not come back
    assert signed_in(server, "mia", PASSWORD).me_method().system_user_code == "mia"


def test_every_user_role_and_group_call_of_the_client(server: Server) -> None:
    """Rows 12, 14 and 17 to 29: each answers in the client's own models."""
    admin = signed_in(server, "admin", server.passwords["admin"])
    users = {user.user_code: user for user in admin.get_users()}
    jsmith = users["jsmith"]
    assert admin.get_user(jsmith.user_id).user_role.user_role_info == "Integration"
    assert [u.user_code for u in admin.get_users(filter="systemUserCode equals 'JSMITH'")] == [
        "jsmith"
    ]
    flags = {u.user_code for u in admin.get_users(filter="canManageFlags equals 'true'")}
    assert {"admin", "facilities"} <= flags
    assert "jsmith" not in flags

    role = admin.create_user_role(body=role_request("Spare", meters="view"))
    assert "Spare" in [each.system_user_role_name for each in admin.get_user_roles()]
    assert admin.get_user_role(role.system_user_role_id).read_only is False
    hidden = models.HiddenRequest(hidden=True)
    assert admin.set_user_role_hidden(role.system_user_role_id, body=hidden).hidden is True
    reader = users["reader"]
    changed = admin.edit_system_users_role(
        reader.user_id, body=models.UserRoleRequest(user_role_id=role.system_user_role_id)
    )
    assert changed.user_role.user_role_info == "Spare"
    assert status_of(admin.delete_user_role, role.system_user_role_id) == 400
    back = models.UserRoleRequest(user_role_id=reader.user_role.user_role_id)
    admin.edit_system_users_role(reader.user_id, body=back)
    assert admin.delete_user_role(role.system_user_role_id) is None
    assert status_of(admin.get_user_role, role.system_user_role_id) == 404

    request = models.UserGroupRequest(user_group_name="Team", members=[jsmith.user_id])
    group = admin.create_user_group(body=request)
    assert (group.user_group_name, group.member_count) == ("Team", 1)
    members = admin.get_user_group_members(group.user_group_id)
    assert [member.user_code for member in members] == ["jsmith"]
    assert [g.user_group_name for g in admin.get_user(jsmith.user_id).user_groups] == ["Team"]
    by_group = admin.get_users(filter=f"userGroupID equals '{group.user_group_id}'")
    assert [user.user_code for user in by_group] == ["jsmith"]
    edit = models.UserGroupRequest(user_group_name="Crew", description="All", members=[])
    assert admin.edit_user_group(group.user_group_id, body=edit).member_count == 0
    edit = models.UserGroupRequest(user_group_name="Crew", new_user_email=["Amy@example.org"])
    assert admin.edit_user_group(group.user_group_id, body=edit).member_count == 1
    (amy,) = admin.get_users(filter="email equals 'Amy@example.org'")
    assert (amy.user_code, amy.user_role.user_role_info) == ("Amy@example.org", "Contact")
    raw = admin.get_user_groups(page_size=1, raw=True)
    assert raw.headers["TotalNumberOfRecords"] == 1
    assert admin.get_user_group(group.user_group_id).user_group_name == "Crew"
    assert admin.delete_user_group(group.user_group_id) is None
    assert status_of(admin.get_user_group, group.user_group_id) == 404


def test_a_token_is_exchanged_by_partition(server: Server) -> None:
    """Row 8, in the client's own model."""
    reader = signed_in(server, "reader", server.passwords["reader"])
    value = reader.create_token_for_partition(partition="Demo").value
    again = server.client(Authorization=f"Bearer {value}")
    assert again.me_method().system_user_code == "reader"


def test_who_may_not_view_users_sees_how_they_are_called(server: Server) -> None:
    """A reduced set of properties instead of an error."""
    reader = signed_in(server, "reader", server.passwords["reader"])
    someone = next(user for user in reader.get_users() if user.user_code == "admin")
    assert someone.full_name == "Ada Minister"
    assert someone.email is None
    assert someone.user_role is None
    assert status_of(reader.get_user, someone.user_id) == 403
