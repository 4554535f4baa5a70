"""Lists: pages, totals, order, fewer fields. Of them all, not of one kind."""

from __future__ import annotations

import pytest

from keyhalt import Principal
from tests.energy.estate import Api, Estate, principal

LISTS = ("place", "meter", "costcenter", "vendor", "account", "bill")


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
