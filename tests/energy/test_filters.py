"""Filters of lists: every field with every operator, what they find, and what hostile text does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyhalt import Principal
from keyhalt_energy import fields
from tests.energy.estate import Api, Estate, principal

LISTS = {
    "place": fields.PLACE,
    "meter": fields.METER,
    "costcenter": fields.COST_CENTER,
    "vendor": fields.VENDOR,
    "account": fields.ACCOUNT,
    "bill": fields.BILL,
}
VALUES = {
    "string": "abc",
    "integer": "3",
    "number": "12.5",
    "boolean": "true",
    "datetime": "2026-03-30",
    "account period": "202603",
}


@pytest.mark.parametrize("name", LISTS)
def test_every_field_can_be_filtered_by_with_every_operator(estate: Estate, name: str) -> None:
    """Each is valid SQL on its list, whatever is asked with it."""
    for field, kind in LISTS[name].items():
        value = VALUES[kind.type.value]
        for operator in kind.type.operators:
            values = f"'{value}'|'{value}'" if "between" in operator else f"'{value}'"
            if operator in ("today", "yesterday") or operator.startswith(("last", "current")):
                values = ""
            text = f"{field} {operator} {values}"
            answer = estate.api(estate.admin, "GET", f"/api/v3/{name}", filter=text)
            assert answer.status == 200, text


def test_filters_find_what_they_say(portfolio: tuple[Api, Principal]) -> None:
    """One of each kind on the sample data."""
    api, caller = portfolio

    def count(name: str, text: str) -> int:
        answer = api(caller, "GET", f"/api/v3/{name}", filter=text)
        assert answer.headers is not None
        assert int(answer.headers["TotalNumberOfRecords"]) == len(answer.body)
        return len(answer.body)

    assert count("meter", "meterCode equals 'm000007'") == 1
    assert count("meter", "meterCode one of 'M000001'|'M000002'|'nothing'") == 2
    assert count("meter", "meterInfo like 'gas' and commodityId equals '2'") > 0
    assert count("meter", "commodityInfo like 'Gas' and commodityId not equals '2'") == 0
    assert count("place", "placeTypeCode equals 'campus'") == 3
    assert count("bill", "billingPeriod between '202601'|'202612'") > 0
    assert count("bill", "totalCost less than '0'") == 0
    assert count("bill", "beginDate greater than '2030-01-01'") == 0
    assert count("account", "vendorCode equals 'BLUEOAK'") > 0
    assert count("account", "vendorCode not equals 'BLUEOAK'") > 0
    assert count("place", "parentId not equals '1'") == count("place", "") - 3
    assert count("bill", "approvedBy equals '1'") > 0
    assert count("bill", "batchCode like 'sample-2026'") > 0
    assert count("meter", "hasChannels equals 'false'") == 60
    assert count("meter", "hasChannels equals 'true'") == 0
    assert count("meter", "meterGroupCode equals 'X'") == 0
    assert count("meter", "channelId equals '1'") == 0
    assert count("bill", "accrual equals 'true'") == 0
    assert count("vendor", "vendorInfo like 'water'") == 1


def test_a_node_above_is_a_filter_of_all_that_lies_below(portfolio: tuple[Api, Principal]) -> None:
    """Campus and building; of places, meters, accounts and bills, through the links."""
    api, everybody = portfolio
    [campus] = api(everybody, "GET", "/api/v3/place", filter="placeCode equals 'RIVER'").ids
    [division] = api(
        everybody, "GET", "/api/v3/costcenter", filter="costCenterCode equals 'FIN-RIVER'"
    ).ids
    there = principal(places=(campus,), centers=(division,))
    by_place, by_center = (
        "topmostPlaceCode equals 'river'",
        f"topmostCostCenterId equals '{division}'",
    )
    for noun, texts in {
        "place": [by_place],
        "meter": [by_place],
        "costcenter": [by_center],
        "account": [by_place, by_center],
        "bill": [by_place, by_center, f"{by_center} and topmostPlaceInfo like 'campus'"],
    }.items():
        path = f"/api/v3/{noun}"
        expected = api(there, "GET", path).ids
        assert expected
        for text in texts:
            assert api(everybody, "GET", path, filter=text).ids == expected
            assert api(there, "GET", path, filter=text).ids == expected
        rest = api(everybody, "GET", path, filter=texts[0].replace("equals", "not equals")).ids
        assert set(rest) == set(api(everybody, "GET", path).ids) - set(expected)
    # A node that is not reached is no filter: nobody learns where it lies.
    assert (
        api(there, "GET", "/api/v3/place", filter="topmostPlaceCode equals 'UNIVERSITY'").ids == []
    )
    assert campus not in api(there, "GET", "/api/v3/place", filter="parentId greater than '0'").ids


def test_what_is_linked_is_a_filter_within_reach_only(estate: Estate) -> None:
    """Meters by their accounts and accounts by their meters, where the caller sees both."""
    api = estate.api
    for noun, field, ids in (
        ("meter", "accountCode equals 'A1'", estate.meters),
        ("account", "meterInfo like 'M1'", estate.accounts),
    ):
        path = f"/api/v3/{noun}"
        assert api(estate.here, "GET", path, filter=field).ids == [ids[0]]
        other = field.replace("A1", "A2").replace("M1", "M2")
        assert api(estate.admin, "GET", path, filter=other).ids == [ids[1]]
        assert api(estate.here, "GET", path, filter=other).ids == []
    blind = principal(places=estate.here.topmosts["places"])
    assert api(blind, "GET", "/api/v3/meter", filter="accountCode equals 'A1'").ids == []
    assert api(blind, "GET", "/api/v3/meter", filter="accountCode not equals 'A1'").ids == [
        estate.meters[0]
    ]


@pytest.mark.parametrize(
    "text", ["void equals 'false'", "invoiceNumber like '7'", "accountCode not equals 'x'"]
)
def test_pages_of_a_filtered_list_partition_it_too(
    portfolio: tuple[Api, Principal], text: str
) -> None:
    """However much passes, and however it is looked for; the total is the same on every page."""
    api, caller = portfolio
    whole = api(caller, "GET", "/api/v3/bill", filter=text, pageSize="1000").ids
    assert whole == sorted(whole)
    for size in (3, 7, 50):
        found: list[int] = []
        for number in range(1, -(-len(whole) // size) + 2):
            page = {"pageNumber": str(number), "pageSize": str(size)}
            answer = api(caller, "GET", "/api/v3/bill", filter=text, **page)
            assert answer.headers is not None
            assert answer.headers["TotalNumberOfRecords"] == str(len(whole))
            found += answer.ids
        assert found == whole


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing equals '1'", "not a field"),
        ("meterCode resembles 'x'", "not an operator"),
        ("meterCode equals 'x", "not closed"),
        ("meterCode equals x", "single quotes"),
        ("meterId equals 'x'", "whole number"),
    ],
)
def test_a_wrong_filter_is_refused_with_the_place(estate: Estate, text: str, says: str) -> None:
    """400 that names the character where it goes wrong."""
    answer = estate.api(estate.admin, "GET", "/api/v3/meter", filter=text)
    assert (answer.status, answer.why) == (400, "invalid_filter")
    assert answer.detail.startswith("at character ")
    assert says in answer.detail


HOSTILE = [
    "' or 1=1 --",
    "'; drop table meter; --",
    "%",
    "_",
    "!%",
    "\\",
    "') union select * from bill --",
    ":top0",
    "meter.code",
    "\x1b[2J",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)), quoted=st.booleans())
def test_hostile_text_finds_nothing_and_breaks_nothing(
    estate: Estate, text: str, quoted: bool
) -> None:
    """As a value it equals nothing; as a filter it is refused or harmless; no list ever grows."""
    value = "'" + text.replace("'", "''") + "'"
    for name in ("meter", "bill", "place"):
        field = {"meter": "accountCode", "bill": "accountCode", "place": "placeCode"}[name]
        wanted = f"{field} equals {value}" if quoted else text
        if "\0" in wanted:
            continue
        answer = estate.api(estate.here, "GET", f"/api/v3/{name}", filter=wanted)
        assert answer.status in (200, 400)
        if answer.status == 200:
            assert len(answer.body) <= (0 if quoted else 1)
    assert len(estate.api(estate.admin, "GET", "/api/v3/meter").body) == 2
