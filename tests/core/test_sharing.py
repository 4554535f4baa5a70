"""One key, several integrations: stable and concurrent ones, and nothing that only looks so."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.permissions import PermissionSet
from keyhalt.core.sharing import WEEKS_MIN, CallerWeek, sharing

NOW = 1_000
METERS, BILLS = 0b0111, 0b1110_0000
DAILY = 0b11111


def caller(
    network: str, agent: str, does: int, weeks: Iterable[int], days: int = DAILY
) -> list[CallerWeek]:
    return [CallerWeek(NOW - ago, network, agent, days, PermissionSet(does)) for ago in weeks]


IMPORTER = caller("10.0.0.0/24", "importer", METERS, range(13))


def test_two_programs_side_by_side_are_found_with_what_each_does() -> None:
    """Another network and another agent; the busiest is named first."""
    dashboard = caller("10.9.0.0/24", "dashboard", BILLS, range(13), days=1)
    first, second = sharing([*dashboard, *IMPORTER], NOW)
    assert (first.agents, first.days, first.permissions) == (("importer",), 65, METERS)
    assert (second.networks, len(second.weeks)) == (("10.9.0.0/24",), 13)


def test_two_of_three_make_another_program() -> None:
    """Of network, agent and what is done: one that differs is the same program elsewhere."""
    weeks = range(13)
    for other, found in (
        (caller("10.9.0.0/24", "importer", METERS, weeks), 0),
        (caller("10.0.0.0/24", "curl", METERS, weeks), 0),
        (caller("10.9.0.0/24", "curl", METERS, weeks), 2),
        (caller("10.9.0.0/24", "importer", BILLS, weeks), 2),
        (caller("10.0.0.0/24", "curl", BILLS, weeks), 2),
        (caller("", "curl", METERS, weeks), 0),
    ):
        assert len(sharing([*IMPORTER, *other], NOW)) == found, other[0]


def test_a_program_that_moved_or_was_updated_is_one() -> None:
    """One after the other, even with a few weeks of both."""
    old = caller("10.0.0.0/24", "importer", METERS, range(6, 13))
    new = caller("10.9.0.0/24", "httpx", METERS, range(8))
    assert not sharing([*old, *new], NOW)


def test_a_cloud_that_changes_its_addresses_is_one_program() -> None:
    """Each seen for some days only, with a part of what the program does."""
    cloud = [
        row
        for number in range(60)
        for row in caller(f"34.{number}.0.0/24", "importer", 1 << number % 3, [number % 13], days=1)
    ]
    assert not sharing([*IMPORTER, *cloud], NOW)


def test_a_person_who_tries_something_out_is_no_integration() -> None:
    """Now and then, from the office, with curl."""
    curl = caller("192.0.2.0/24", "curl", BILLS, (0, 3, 4, 9, 12), days=1)
    assert not sharing([*IMPORTER, *curl], NOW)


def test_what_has_ended_shares_nothing_any_more() -> None:
    """Two programs until a month ago: there is nothing left to part."""
    ended = caller("10.9.0.0/24", "dashboard", BILLS, range(7, 13))
    assert not sharing([*IMPORTER, *ended], NOW)


def test_a_rare_caller_that_is_like_both_does_not_make_them_one() -> None:
    """Somebody tries both programs' work on one machine."""
    dashboard = caller("10.9.0.0/24", "dashboard", BILLS, range(13))
    between = caller("10.0.0.0/24", "dashboard", METERS | BILLS, [5], days=1)
    assert len(sharing([*IMPORTER, *dashboard, *between], NOW)) == 2


@given(
    st.lists(
        st.builds(
            CallerWeek,
            st.integers(NOW - 13, NOW),
            st.sampled_from(["", "10.0.0.0/24", "10.9.0.0/24", "10.8.0.0/24"]),
            st.sampled_from(["", "a", "b", "c"]),
            st.integers(1, 127),
            st.integers(0, 255).map(PermissionSet),
        )
    )
)
def test_whatever_was_seen_what_is_found_is_stable_and_concurrent(seen: list[CallerWeek]) -> None:
    """Two or none; each in four weeks at least together with the busiest; order does not matter."""
    found = sharing(seen, NOW)
    assert len(found) != 1
    for each in found:
        assert len(set(each.weeks) & set(found[0].weeks)) >= WEEKS_MIN
        assert each.days <= found[0].days
    assert {each.networks for each in sharing(seen[::-1], NOW)} == {each.networks for each in found}
