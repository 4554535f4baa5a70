"""Pages of a list."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.paging import Page, headers, page_from
from keyhalt.core.refusals import Fault, Refused

numbers = st.integers(1) | st.integers(1, 2**64)


def test_a_query_that_says_nothing_gets_the_first_250() -> None:
    """The defaults are EnergyCAP's: page 1 of 250."""
    assert page_from({}) == Page(1, 250)
    assert page_from({"filter": "x"}) == Page(1, 250)


@given(number=numbers, size=numbers)
def test_any_page_can_be_asked_of_a_database(number: int, size: int) -> None:
    """However large the numbers, neither the offset nor the end of the page leaves 63 bits."""
    page = page_from({"pageNumber": str(number), "pageSize": str(size)})
    assert isinstance(page, Page)
    assert page.size == min(size, 1000)
    assert 1 <= page.number <= number
    assert 0 <= page.offset <= page.offset + page.size < 2**63
    if number < 2**50:
        assert page.number == number


def test_numbers_of_any_length_are_read() -> None:
    """Thousands of digits are a large number, and leading zeros are none."""
    page = page_from({"pageNumber": "9" * 10_000, "pageSize": "0" * 5_000 + "10"})
    assert page == Page((2**63 - 1) // 10, 10)


@pytest.mark.parametrize("name", ["pageNumber", "pageSize"])
@pytest.mark.parametrize("value", ["", "0", "00", "-1", "+1", " 1", "1.0", "ten", "1e3", "٣", "²"])
def test_what_is_no_whole_number_from_1_is_refused(name: str, value: str) -> None:
    """Zero, a sign or any other text is refused under the parameter's own name."""
    refusal = page_from({name: value})
    assert isinstance(refusal, Refused)
    assert (refusal.fault, refusal.field) == (Fault.INVALID_QUERY, name)


@given(st.dictionaries(st.sampled_from(["pageNumber", "pageSize"]), st.text()))
def test_no_query_raises(query: dict[str, str]) -> None:
    """Any text at all is a page or a refusal."""
    assert isinstance(page_from(query), Page | Refused)


@given(total=st.integers(0, 300), size=st.integers(1, 50))
def test_the_pages_together_hold_each_entry_once(total: int, size: int) -> None:
    """Going from page 1 to TotalPages shows everything, and the page after that is empty."""
    entries = list(range(total))
    told = dict(headers(Page(1, size), total))
    pages = [Page(number, size) for number in range(1, int(told["TotalPages"]) + 2)]
    shown = [entries[page.offset : page.offset + page.size] for page in pages]
    assert list(chain.from_iterable(shown)) == entries
    assert [bool(part) for part in shown] == [True] * (len(shown) - 1) + [False]


def test_the_headers_are_those_of_the_documented_example() -> None:
    """1,100 entries at 250 are 5 pages; no entries are 0 pages; a page beyond says the same."""
    assert headers(Page(2, 250), 1100) == (
        ("PageNumber", "2"),
        ("PageSize", "250"),
        ("TotalNumberOfRecords", "1100"),
        ("TotalPages", "5"),
    )
    assert dict(headers(Page(1, 250), 0))["TotalPages"] == "0"
    assert dict(headers(Page(9, 250), 1100))["TotalPages"] == "5"
