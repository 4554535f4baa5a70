"""Lists: pages, totals, order, filters, fewer fields. Of them all, not of one kind."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyhalt import Principal
from keyhalt_energy import fields
from tests.energy.estate import Api, Estate, principal, sized

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


@pytest.fixture
def portfolio(api: Api) -> tuple[Api, Principal]:
    """The sample data, with a caller who sees all of it."""
    roots = api.app.load_sample(1, 1, **sized(meters=60, bills=200))[0]
    return api, principal(places=(roots["places"],), centers=(roots["costCenters"],))


def test_pages_partition_the_list_in_the_order_of_ids(portfolio: tuple[Api, Principal]) -> None:
    """Every page size, from the front and from the back: each entry once, headers right."""
    api, caller = portfolio
    for name, total in (("meter", 60), ("bill", 200)):
        whole = api(caller, "GET", f"/api/v3/{name}").ids
        assert whole == sorted(whole)
        assert len(whole) == total
        for size in (1, 7, 50, 1000):
            pages = -(-total // size)
            found = []
            for number in range(1, pages + 1):
                page = {"pageNumber": str(number), "pageSize": str(size)}
                answer = api(caller, "GET", f"/api/v3/{name}", **page)
                assert answer.headers == {
                    "PageNumber": str(number),
                    "PageSize": str(size),
                    "TotalNumberOfRecords": str(total),
                    "TotalPages": str(pages),
                }
                found += answer.ids
            assert found == whole


def test_a_caller_of_a_small_part_gets_the_same_pages(portfolio: tuple[Api, Principal]) -> None:
    """What is collected and what is asked row by row agree, with and without a filter."""
    api, everybody = portfolio
    [campus] = api(everybody, "GET", "/api/v3/place", filter="placeCode equals 'RIVER'").ids
    caller = principal(places=(campus,))
    reached = set(api(caller, "GET", "/api/v3/place").ids)
    expected = [
        row["meterId"]
        for row in api(everybody, "GET", "/api/v3/meter").body
        if row["place"]["placeId"] in reached
    ]
    assert 0 < len(expected) < 60
    assert api(caller, "GET", "/api/v3/meter").ids == expected
    for size in ("1", "3"):
        last = {"pageSize": size, "pageNumber": str(len(expected) // int(size))}
        assert api(caller, "GET", "/api/v3/meter", **last).ids[-1] in expected
    electric = api(caller, "GET", "/api/v3/meter", filter="commodityCode equals 'electric'")
    assert set(electric.ids) < set(expected)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "page",
    [
        {"pageNumber": "0"},
        {"pageNumber": "-1"},
        {"pageNumber": "x"},
        {"pageSize": "0"},
        {"pageSize": "1.5"},
        {"pageNumber": ""},
    ],
)
def test_a_page_that_cannot_be_is_refused(estate: Estate, name: str, page: dict[str, str]) -> None:
    """400 with the parameter's name."""
    answer = estate.api(estate.admin, "GET", f"/api/v3/{name}", **page)
    assert (answer.status, answer.field) == (400, next(iter(page)))


@pytest.mark.parametrize("name", LISTS)
def test_a_page_beyond_the_last_is_empty(estate: Estate, name: str) -> None:
    """However far beyond."""
    for number in ("2", "1000000000000", "9" * 40):
        answer = estate.api(estate.admin, "GET", f"/api/v3/{name}", pageNumber=number)
        assert answer.body == []
        assert answer.headers is not None
        assert int(answer.headers["TotalNumberOfRecords"]) > 0


@pytest.mark.parametrize("name", LISTS)
def test_every_field_can_be_filtered_by_with_every_operator(estate: Estate, name: str) -> None:
    """Each is valid SQL on its list, whatever is asked with it."""
    extra = fields.account_of_meter(_reach(estate))[0] if name == "meter" else {}
    for field, kind in {**LISTS[name], **extra}.items():
        value = VALUES[kind.type.value]
        for operator in kind.type.operators:
            values = f"'{value}'|'{value}'" if "between" in operator else f"'{value}'"
            if operator in ("today", "yesterday") or operator.startswith(("last", "current")):
                values = ""
            text = f"{field} {operator} {values}"
            answer = estate.api(estate.admin, "GET", f"/api/v3/{name}", filter=text)
            assert answer.status == 200, text


def _reach(estate: Estate):  # noqa: ANN202 - what scope.py makes of the caller
    from keyhalt_energy.scope import reach_of

    return reach_of(estate.admin)


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
    assert count("vendor", "vendorInfo like 'water'") == 1


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


@pytest.mark.parametrize("name", LISTS)
def test_fields_reduce_what_is_answered(estate: Estate, name: str) -> None:
    """`field=a,b`: these and no others; what is not there is ignored; blank is all of them."""
    path = f"/api/v3/{name}"
    whole = estate.api(estate.admin, "GET", path).body[0]
    names = list(whole)[:2]
    reduced = estate.api(estate.admin, "GET", path, field=f"{names[0]}, {names[1]},nothing")
    assert reduced.body[0] == {key: whole[key] for key in names}
    assert estate.api(estate.admin, "GET", path, field=" ").body[0] == whole
    if name not in ("costcenter", "vendor"):
        one = estate.api(estate.admin, "GET", f"{path}/{whole[names[0]]}", field=names[0])
        assert one.body == {names[0]: whole[names[0]]}
