"""The official Python client, unmodified, against a running server: the mission in one file."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.journeys.conftest import KEYHALT, Server, Start

models = pytest.importorskip("energycap.sdk.models", reason="EnergyCapSdk is not installed")
from msrest.exceptions import (  # noqa: E402 - only when the client is there
    DeserializationError,
    HttpOperationError,
    ValidationError,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::SyntaxWarning"
)


@pytest.fixture(scope="module")
def server(server_on_either: Server) -> Server:
    """On both stores: what is true of one process is true of two workers."""
    return server_on_either


def status_of(call: Any, *arguments: Any, **named: Any) -> int:
    """The status of a call that fails, as the client tells it."""
    with pytest.raises(HttpOperationError) as error:
        call(*arguments, **named)
    return int(error.value.response.status_code)


def test_the_documented_request_gets_meters(server: Server) -> None:
    """The curl line of the seed, run as it is printed."""
    done = subprocess.run(
        [
            "curl",
            "-s",
            "-X",
            "GET",
            f"{server.url}/api/v3/meter",
            "-H",
            f"ECI-ApiKey: {server.key}",
            "-H",
            "Content-Type: application/json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith('[{"meterId":')


def test_a_person_signs_in_makes_a_key_uses_it_and_deletes_it(server: Server) -> None:
    """The whole life of a key through the client: login, create, use, edit, list, delete, 401."""
    anonymous = server.client()
    login = models.LoginRequest(
        data_source=server.datasource, username=server.user_code, password=server.password
    )
    signed_in = anonymous.login(body=login)
    assert (signed_in.user.user_name, signed_in.user.full_name) == ("jsmith", "Jo Smith")
    person = server.client(Authorization=f"bearer {signed_in.token}")
    request = models.ApiKeyCreateRequest(api_key_name="night job", api_key_description="meters")
    created = person.create_api_key(body=request)
    assert created.created_by.user_code == "jsmith"
    assert created.created_date.tzinfo is not None
    program = server.with_key(created.api_key)
    assert program.me_method().system_user_code == "jsmith"
    assert program.get_meters()
    edit = models.ApiKeyEditRequest(api_key_name="day job", api_key_description=None)
    edited = person.edit_api_key(created.api_key_id, body=edit)
    assert (edited.api_key_name, edited.api_key_description) == ("day job", "meters")
    listed = person.get_api_keys(filter="apiKeyInfo equals 'day job'")
    assert [key.api_key_id for key in listed] == [created.api_key_id]
    assert person.get_api_key(created.api_key_id).api_key_name == "day job"
    assert person.delete_api_key(created.api_key_id) is None
    assert status_of(program.get_meters) == 401
    assert status_of(program.me_method) == 401
    assert status_of(person.get_api_key, created.api_key_id) == 404
    assert person.delete_api_key(created.api_key_id) is None
    anonymous.logout()
    person.logout()
    assert status_of(person.me_method) == 401


def test_raw_answers_show_the_paging_headers(server: Server) -> None:
    """The four headers, as the client exposes them."""
    raw = server.with_key().get_meters(page_size=3, page_number=2, raw=True)
    assert len(raw.output) == 3
    headers = {name: int(value) for name, value in raw.headers.items()}
    assert headers["PageNumber"] == 2
    assert headers["PageSize"] == 3
    assert headers["TotalPages"] == -(-headers["TotalNumberOfRecords"] // 3)


def test_me_reads_whole_in_the_clients_models(server: Server) -> None:
    """Permissions with their levels, topmosts, environment, dates."""
    me = server.with_key().me_method()
    assert me.environment == "Demo"
    assert me.user_role_name == "Integration"
    assert me.permissions.application_settings.manage is True
    assert me.permissions.users_and_user_groups.manage is False
    assert me.permissions.meters.permission_code == "Meters"
    assert me.permissions.license_feature_ghg.view is True
    assert me.place.place_id
    assert me.place.is_multi_topmost_place is False
    assert me.cost_center.cost_center_id
    assert me.build_date.year >= 2026


def test_me_is_edited_and_upgraded(server: Server) -> None:
    """Contract rows 10 and 11, as the client calls them."""
    api = server.client(ECI_ApiKey=server.key)
    before = api.me_method()
    preference = models.PreferenceRequest(language="en")
    body = models.MeRequest(full_name="Jo S.", email="jo@example.org", preference=preference)
    me = api.update_me(body=body)
    assert (me.full_name, me.email, me.preference.language) == ("Jo S.", "jo@example.org", "en")
    assert api.update_me(body=models.MeRequest(full_name=before.full_name)).email == me.email
    assert api.upgrade() is None


def test_the_key_wins_over_a_bearer_token(server: Server) -> None:
    """The seed: if both headers are present, the API key takes precedence."""
    both = server.client(ECI_ApiKey=server.key, Authorization="Bearer bad")
    assert both.me_method().system_user_code == "jsmith"
    login = models.LoginRequest(
        data_source=server.datasource, username="admin", password=server.passwords["admin"]
    )
    token = server.client().login(body=login).token
    bad = server.client(ECI_ApiKey=server.key[:-1] + "!", Authorization=f"Bearer {token}")
    assert status_of(bad.me_method) == 401


def test_a_user_without_the_permission_is_told_so(server: Server) -> None:
    """403 for what the owner may not, 401 for who one is."""
    login = models.LoginRequest(
        data_source=server.datasource, username="reader", password=server.passwords["reader"]
    )
    token = server.client().login(body=login).token
    reader = server.client(Authorization=f"Bearer {token}")
    assert reader.get_meters()
    assert status_of(reader.get_api_keys) == 403
    request = models.ApiKeyCreateRequest(api_key_name="mine")
    assert status_of(reader.create_api_key, body=request) == 403


def test_an_old_call_of_login_sends_an_empty_body_and_gets_400(server: Server) -> None:
    """The keyword of older clients is swallowed by the newer one."""
    login = models.LoginRequest(data_source="acme", username="jsmith", password="x")
    assert status_of(server.client().login, login_request=login) == 400


def test_what_the_client_lets_pass_the_server_refuses(server: Server) -> None:
    """An empty name passes the client; a long one does not even leave it."""
    client = server.with_key()
    empty = models.ApiKeyCreateRequest(api_key_name="")
    assert status_of(client.create_api_key, body=empty) == 400
    with pytest.raises(ValidationError):
        client.create_api_key(body=models.ApiKeyCreateRequest(api_key_name="x" * 61))


def test_the_clients_session_gets_no_cookie(server: Server) -> None:
    """Its session would send one back and outlive a removed key with it."""
    raw = server.with_key().me_method(raw=True)
    assert "set-cookie" not in raw.response.headers


def test_environment_and_meter_by_id(server: Server) -> None:
    """Build information for everybody; one meter for who may see it."""
    build = server.client().environment_method()
    assert build.version
    client = server.with_key()
    first = client.get_meters(page_size=1)[0]
    meter = client.get_meter(first.meter_id)
    assert (meter.meter_code, meter.commodity.commodity_code) == (
        first.meter_code,
        first.commodity.commodity_code,
    )
    assert status_of(client.get_meter, 999_999) == 404


def test_the_client_can_read_every_date_that_is_sent(server: Server) -> None:
    """A date without a time part would make it raise."""
    try:
        for key in server.with_key().get_api_keys():
            assert key.created_date.year >= 2026
    except DeserializationError as error:  # pragma: no cover - the failure this test is for
        pytest.fail(str(error))


def test_a_demo_keeps_its_data_when_told_to(start_demo: Start, tmp_path: Any) -> None:
    """With --data, a second start has the same datasource and keys, and a fresh key."""
    first = start_demo("--data", str(tmp_path / "d"))
    first.with_key().create_api_key(body=models.ApiKeyCreateRequest(api_key_name="kept"))
    second = start_demo("--data", str(tmp_path / "d"))
    assert second.key != first.key
    names = [key.api_key_name for key in second.with_key().get_api_keys()]
    assert names == ["demo", "kept", "demo"]
    assert second.with_key(first.key).me_method().system_user_code == "jsmith"


def test_a_port_in_use_is_one_clear_line(server: Server) -> None:
    """And another way to go."""
    port = server.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [KEYHALT, "demo", "--port", port], capture_output=True, text=True, check=False
    )
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert "--port 0" in done.stderr
