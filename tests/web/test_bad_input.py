"""Bad input: a clear error in the client's words, nothing lost, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.world import World

Wire = tuple[World, TestClient, dict[str, str]]
LOGIN = {"dataSource": "acme", "username": "admin", "password": "x" * 20}


@pytest.fixture
def wire(world: World, http: TestClient) -> Iterator[Wire]:
    """A caller with what managing keys needs."""
    _, key = world.key(world.user("admin", "settings.*", "orders.*"), "first")
    return world, http, {"ECI-ApiKey": key, "Content-Type": "application/json"}


def post(wire: Wire, body: bytes | str, path: str = "/api/v3/apiKey", **headers: str) -> Any:
    return wire[1].post(path, content=body, headers={**wire[2], **headers})


def names(wire: Wire) -> list[str]:
    return [k["apiKeyName"] for k in wire[1].get("/api/v3/apiKey", headers=wire[2]).json()]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "needs a JSON body"),
        ("   ", "needs a JSON body"),
        ("{", "not well-formed JSON"),
        ("apiKeyName=x", "not well-formed JSON"),
        ("null", "The body must be an object"),
        ("[]", "The body must be an object"),
        ('"x"', "The body must be an object"),
        ("{}", "apiKeyName is required"),
        ('{"apikeyname": "x"}', "apiKeyName is required"),
        ('{"apiKeyName": null}', "apiKeyName must be a string"),
        ('{"apiKeyName": 7}', "apiKeyName must be a string"),
        ('{"apiKeyName": ["x"]}', "apiKeyName must be a string"),
        ('{"apiKeyName": {"a": 1}}', "apiKeyName must be a string"),
        ('{"apiKeyName": ""}', "must not be empty"),
        ('{"apiKeyName": "   "}', "must not be empty"),
        (json.dumps({"apiKeyName": "x" * 61}), "at most 60 characters"),
        ('{"apiKeyName": "a\\u0000b"}', "NUL"),
        ('{"apiKeyName": "a\\nb"}', "control characters"),
        ('{"apiKeyName": "a\\u202eb"}', "control characters"),
        ('{"apiKeyName": "a\\ud800"}', "surrogate"),
        ('{"apiKeyName": "x", "apiKeyDescription": 7}', "apiKeyDescription must be a string"),
        (json.dumps({"apiKeyName": "x", "apiKeyDescription": "d" * 4001}), "at most 4000"),
        ('{"apiKeyName": "x", "apiKeyDescription": "\\u0007"}', "control characters"),
        ('{"apiKeyName": "x", "apiKeyName": "y"}', "twice"),
        ('{"apiKeyName": "x", "more": {"a": 1, "a": 2}}', "twice"),
        ('{"apiKeyName": "x", "more": NaN}', "not a JSON number"),
        ("[" * 100_000, "not well-formed JSON"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "not well-formed JSON"),
        ('{"apiKeyName": "x", "n": ' + "9" * 5_000 + "}", "not well-formed JSON"),
    ],
)
def test_a_wrong_body_is_400_in_the_clients_words(wire: Wire, body: str, says: str) -> None:
    """Every way to get the body of a create wrong; and no key is made by it."""
    answer = post(wire, body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_body"
    assert says in answer.json()["detail"]
    assert names(wire) == ["first"]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe{}", b'{"apiKeyName": "\xff"}', '{"a": 1}'.encode("utf-16")]
)
def test_a_body_that_is_not_utf_8_is_400(wire: Wire, body: bytes) -> None:
    """JSON is UTF-8 (RFC 8259)."""
    assert post(wire, body).status_code == 400


def test_a_byte_order_mark_is_tolerated(wire: Wire) -> None:
    """Some clients write one."""
    assert post(wire, b'\xef\xbb\xbf{"apiKeyName": "bom"}').status_code == 200


def test_a_name_of_sixty_characters_of_any_script_is_kept_as_it_is(wire: Wire) -> None:
    """60 characters, not bytes; nothing is changed on the way."""
    name = "Schlüssel für Zähler 電気メーター 🔑".ljust(60, "é")
    body = json.dumps({"apiKeyName": name, "apiKeyDescription": "two\r\nlines\tand a tab"})
    answer = post(wire, body).json()
    assert (answer["apiKeyName"], answer["apiKeyDescription"]) == (name, "two\r\nlines\tand a tab")


def test_unknown_properties_are_ignored(wire: Wire) -> None:
    """A newer client may send more; none of it can reach a column that the model has not."""
    body = {"apiKeyName": "x", "ownerId": 99, "deletedAt": "2026-01-01T00:00:00Z", "permissions": 1}
    made = post(wire, json.dumps(body)).json()
    assert made["createdBy"]["userCode"] == "admin"


def test_a_body_above_one_mebibyte_is_413(wire: Wire) -> None:
    """Whether its length is declared or not."""
    big = b'{"apiKeyName": "' + b"x" * (1024 * 1024) + b'"}'
    assert post(wire, big).status_code == 413
    chunks = iter([big[: 1 << 19], big[1 << 19 :]])
    answer = wire[1].post("/api/v3/apiKey", content=chunks, headers=wire[2])
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=latin1"]
)
def test_another_media_type_is_415(wire: Wire, kind: str) -> None:
    """A form of another site cannot make a key."""
    answer = post(wire, '{"apiKeyName": "x"}', **{"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"]
)
def test_the_clients_own_content_type_is_accepted(wire: Wire, kind: str) -> None:
    """The official client sends the charset."""
    assert post(wire, '{"apiKeyName": "x"}', **{"Content-Type": kind}).status_code == 200


def test_no_content_type_is_needed_where_there_is_no_body(wire: Wire) -> None:
    """GET and DELETE of the official client carry none."""
    headers = {"ECI-ApiKey": wire[2]["ECI-ApiKey"]}
    assert wire[1].get("/api/v3/apiKey", headers=headers).status_code == 200
    assert wire[1].post("/api/v3/logout", headers=headers).status_code == 200


@pytest.mark.parametrize("key_id", ["0", "999", "2147483648", "9" * 40, "-1", "x", "1.5", "%00"])
def test_an_unknown_id_is_404(wire: Wire, key_id: str) -> None:
    """Whatever stands in the path, it is not there."""
    answer = wire[1].get(f"/api/v3/apiKey/{key_id}", headers=wire[2])
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["filter=a&filter=b", "a=%ff", "a=%00", "&".join(["x=1"] * 101)])
def test_a_wrong_query_is_400(wire: Wire, query: str) -> None:
    """A parameter counts once, in UTF-8."""
    answer = wire[1].get(f"/api/v3/apiKey?{query}", headers=wire[2])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")


@pytest.mark.parametrize(
    "body", ["", "{}", '{"username": "x"}', json.dumps({**LOGIN, "password": 7})]
)
def test_a_wrong_login_body_is_400(wire: Wire, body: str) -> None:
    """An old call of the client sends an empty one."""
    answer = post(wire, body, "/api/v3/login")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_body")


def test_a_password_never_stands_in_an_answer(wire: Wire) -> None:
    """Also not when it is what is wrong."""
    body = json.dumps({**LOGIN, "password": "p4ss" * 300})
    answer = post(wire, body, "/api/v3/login")
    assert answer.status_code == 400
    assert "p4ss" not in answer.text


def test_a_bug_in_an_app_is_a_plain_500_with_a_request_id(wire: Wire, caplog: Any) -> None:
    """No traceback reaches the client; the log has the request id to find it by."""
    answer = wire[1].get("/api/v3/order/fail", headers=wire[2])
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "a bug" not in answer.text
    assert answer.json()["requestId"] in caplog.text
    assert wire[2]["ECI-ApiKey"] not in caplog.text


@pytest.mark.parametrize("sent", ["x" * 65, "a b", "<script>", ""])
def test_a_strange_request_id_is_replaced(wire: Wire, sent: str) -> None:
    """What ends up in logs is of a safe form."""
    answer = wire[1].get("/api/v3/me", headers={**wire[2], "X-Request-Id": sent})
    assert answer.headers["x-request-id"] != sent


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_body_at_all_makes_a_500(wire: Wire, body: bytes) -> None:
    """Any bytes."""
    assert post(wire, body).status_code in {200, 400}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=json_values, description=json_values)
def test_no_json_at_all_makes_a_500(wire: Wire, name: Any, description: Any) -> None:
    """Any values in the places that are read."""
    try:
        body = json.dumps({"apiKeyName": name, "apiKeyDescription": description}).encode()
    except UnicodeEncodeError:
        return
    assert post(wire, body).status_code in {200, 400}
