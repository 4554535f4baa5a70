"""Bad input to the energy API over the wire: a problem document each time, and nothing written."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.journeys.conftest import Server, Start

LISTS = ("place", "meter", "costcenter", "vendor", "account", "bill")


@dataclass(frozen=True)
class Wire:
    """One caller. `call` returns status, media type and the JSON of the answer."""

    url: str
    headers: Mapping[str, str]

    def call(self, method: str, path: str, body: object = None) -> tuple[int, str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the server of this test
            f"{self.url}/api/{path}", data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.headers["Content-Type"], json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], json.load(error)

    def contents(self) -> list[Any]:
        return [self.call("GET", f"v3/{noun}")[2] for noun in LISTS]

    def one(self, noun: str, text: str) -> Any:
        [found] = self.call("GET", f"v3/{noun}?{urlencode({'filter': text})}")[2]
        return found


@pytest.fixture(scope="module")
def small(start_demo: Start) -> Server:
    return start_demo("--meters", "9", "--bills", "9")


@pytest.fixture(scope="module")
def jsmith(small: Server) -> Wire:
    """Sees all of the university."""
    return Wire(small.url, {"ECI-ApiKey": small.key})


@pytest.fixture(scope="module")
def facilities(small: Server) -> Wire:
    """May change places and meters, and sees the River Campus only."""
    login = {
        "dataSource": small.datasource,
        "username": "facilities",
        "password": small.passwords["facilities"],
    }
    token = Wire(small.url, {}).call("POST", "v3/login", login)[2]["token"]
    return Wire(small.url, {"Authorization": f"Bearer {token}"})


def assert_problem(answer: tuple[int, str, Any], status: int) -> None:
    got, media_type, body = answer
    assert (got, media_type) == (status, "application/problem+json")
    assert body["status"] == status
    assert {"type", "title", "detail", "code", "requestId", "message"} <= set(body)


@pytest.mark.parametrize("noun", LISTS)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("pageNumber=0", 400),
        ("pageNumber=-1", 400),
        ("pageNumber=x", 400),
        ("pageNumber=1000000000000", 200),
        ("pageSize=0", 400),
        ("pageSize=-5", 400),
        ("pageNumber=1&pageNumber=2", 400),
        ("filter=nothing%20equals%20%271%27", 400),
        ("filter=%27", 400),
        ("filter=%00", 400),
    ],
)
def test_a_list_asked_wrongly(jsmith: Wire, noun: str, query: str, status: int) -> None:
    """400 in words; a page far beyond the last is an empty list."""
    answer = jsmith.call("GET", f"v3/{noun}?{query}")
    if status == 200:
        assert (answer[0], answer[2]) == (200, [])
    else:
        assert_problem(answer, status)


@pytest.mark.parametrize("noun", ["place", "meter", "account", "bill"])
@pytest.mark.parametrize("number", ["0", "999999", "2147483648", "9" * 40, "-1", "x", "1.0"])
def test_an_id_that_is_not_there(jsmith: Wire, noun: str, number: str) -> None:
    """404, to be read or deleted, however it is spelt."""
    assert_problem(jsmith.call("GET", f"v3/{noun}/{number}"), 404)
    if noun != "bill":  # bills are deleted by a list of ids
        assert_problem(jsmith.call("DELETE", f"v3/{noun}/{number}"), 404)


def test_bodies_that_cannot_be_write_nothing(jsmith: Wire) -> None:
    """Dates out of range, month 13, ids of nothing: 400 or 404, and all is as it was."""
    account = jsmith.one("account", "accountId equals '1'")["accountId"]
    good = {
        "accountId": account,
        "beginDate": "2026-03-01T00:00:00.000Z",
        "endDate": "2026-03-31T00:00:00.000Z",
        "billingPeriod": 202603,
        "manualEntry": True,
        "accountBodyLines": [{"observationTypeId": 20, "caption": "Tax", "cost": 1}],
    }
    before = jsmith.contents()
    for change, status in (
        ({"billingPeriod": 202613}, 400),
        ({"billingPeriod": 10**12}, 400),
        ({"billingPeriod": "x"}, 400),
        ({"beginDate": "1899-12-30T00:00:00Z"}, 400),
        ({"beginDate": "0000-00-00"}, 400),
        ({"endDate": "3000-01-02T00:00:00Z"}, 400),
        ({"endDate": "9999-99-99T99:99:99Z"}, 400),
        ({"accountId": 999_999}, 404),
        ({"accountId": 10**12}, 400),
        ({"batchId": 999_999}, 404),
        ({"accountBodyLines": []}, 400),
        ({"accountBodyLines": [{"observationTypeId": 20, "caption": "x", "cost": 1e300}]}, 400),
        ({"meters": [{"meterId": 999_999, "bodyLines": good["accountBodyLines"]}]}, 404),
    ):
        assert_problem(jsmith.call("POST", "v3/bill", good | change), status)
    for path in ("v3/bill", "v3/place", "v3/meter", "v3/account", "v3/vendor", "v3/costcenter"):
        for body in ([], "x", 7, None):
            assert_problem(jsmith.call("POST", path, body), 400)
    assert_problem(jsmith.call("PUT", "v3/bill/void", {"ids": []}), 400)
    assert_problem(jsmith.call("POST", "v3/bill/delete", {"ids": ["x"]}), 400)
    assert jsmith.contents() == before


def test_a_foreign_parent_is_not_there(jsmith: Wire, facilities: Wire) -> None:
    """Nothing is made in, moved to, or taken from another campus, by who may do so in theirs."""
    foreign = jsmith.one("place", "placeCode equals 'B00001'")
    own = jsmith.one("place", "placeCode equals 'B00002'")
    meter = jsmith.one("meter", "placeCode equals 'B00002' and meterCode equals 'M000002'")
    place = {"placeCode": "X", "placeInfo": "X", "placeTypeId": 10}
    made = {
        "meterCode": "X",
        "meterInfo": "X",
        "commodityId": 1,
        "meterTypeId": 1,
        "address": {"country": "United States"},
    }
    edited = {**made, "meterTimeZoneId": 1, "active": True}
    before = jsmith.contents()
    at = {"placeId": foreign["placeId"]}
    parent = {"parentPlaceId": foreign["placeId"]}
    for method, path, body in (
        ("POST", "v3/meter", made | at),
        ("PUT", f"v202307/meter/{meter['meterId']}", edited | at),
        ("POST", "v3/place", place | parent),
        ("PUT", f"v3/place/{own['placeId']}", place | parent),
        ("PUT", f"v3/place/{foreign['placeId']}", place | {"parentPlaceId": own["placeId"]}),
        ("DELETE", f"v3/place/{foreign['placeId']}", None),
    ):
        assert_problem(facilities.call(method, path, body), 404)
    assert jsmith.contents() == before
    assert facilities.call("GET", f"v3/meter/{meter['meterId']}")[0] == 200
