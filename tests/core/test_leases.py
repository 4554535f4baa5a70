"""What one process knows of the epochs, and until when that counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core import leases
from keyhalt.core.freshness import Entry, Memory, Tag
from keyhalt.core.leases import EVERYTHING, Kind, Page, subject, subjects_of
from tests.core.test_freshness import principal


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0


def page_at(epoch: int) -> tuple[Page, Hand]:
    """A page that has applied `epoch` and holds a lease of ten seconds."""
    clock = Hand()
    page = Page(1)
    page.apply([], epoch)
    page.extend(clock.at + 10)
    return page, clock


MINE = principal(key_id=7)
OTHER_KEY = subject(Kind.KEY, 8)


def test_without_a_lease_there_is_no_tag() -> None:
    """A process that just began proves nothing."""
    assert Page(1).tag(0.0) is None


def test_a_lease_ends_at_its_deadline_and_not_after() -> None:
    """At the very moment of the deadline nothing counts any more."""
    page, clock = page_at(5)
    clock.at = 109.999
    assert page.tag(clock.at) == Tag(1, 5, 5)
    clock.at = 110.0
    assert page.tag(clock.at) is None


def test_giving_up_ends_the_lease_and_keeps_what_is_known() -> None:
    """After a new lease, entries from before still count."""
    page, clock = page_at(5)
    page.give_up()
    assert page.tag(clock.at) is None
    page.extend(clock.at + 10)
    assert page.tag(clock.at) == Tag(1, 5, 5)


def test_forgetting_ends_every_entry_for_good() -> None:
    """Numbers that begin anew never meet an old entry that has the same number."""
    page, clock = page_at(5)
    page.forget()
    page.apply([], 5)
    page.extend(clock.at + 10)
    assert page.tag(clock.at) == Tag(2, 5, 5)
    assert not page.unaffected(Tag(1, 5), MINE)


@pytest.mark.parametrize("touched", subjects_of(MINE))
def test_a_change_of_key_owner_role_or_datasource_affects(touched: int) -> None:
    """Whatever a permission was made from ends it."""
    page, _ = page_at(5)
    page.apply([(6, [touched])], 6)
    assert not page.unaffected(Tag(1, 5), MINE)
    assert page.unaffected(Tag(1, 6), MINE)


def test_a_change_of_somebody_else_does_not_affect() -> None:
    """Other keys' owners do not pay for a revocation."""
    page, _ = page_at(5)
    page.apply([(6, [OTHER_KEY]), (7, [OTHER_KEY])], 7)
    assert page.unaffected(Tag(1, 5), MINE)


@pytest.mark.parametrize(
    "changes",
    [
        [(6, [EVERYTHING])],
        [(7, [OTHER_KEY])],
        [(6, [OTHER_KEY])],
        [],
    ],
    ids=["everything", "a gap before", "a gap after", "nothing but a gap"],
)
def test_a_change_that_is_not_known_affects_everybody(
    changes: list[tuple[int, list[int]]],
) -> None:
    """What was pruned from the log may have concerned anyone."""
    page, _ = page_at(5)
    page.apply(changes, 6 if changes == [(6, [EVERYTHING])] else 7)
    assert not page.unaffected(Tag(1, 5), MINE)


def test_too_many_subjects_become_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded; beyond it, everybody is asked about again, once."""
    monkeypatch.setattr(leases, "SUBJECTS_MAX", 3)
    page, _ = page_at(0)
    page.apply([(n, [subject(Kind.KEY, 100 + n)]) for n in range(1, 5)], 4)
    assert not page.unaffected(Tag(1, 3), MINE)
    assert page.unaffected(Tag(1, 4), MINE)


def test_a_memory_keeps_what_was_not_affected_and_drops_what_was() -> None:
    """An entry moves to the state in which it was proved to hold."""
    page, clock = page_at(5)
    memory = Memory(10)
    memory.keep(b"mine", Entry(principal(7), Tag(1, 5)))
    memory.keep(b"other", Entry(principal(8), Tag(1, 5)))
    page.apply([(6, [subject(Kind.KEY, 8)])], 6)
    assert memory.recall(b"mine", page, clock.at) is not None
    assert memory.recall(b"other", page, clock.at) is None
    assert len(memory) == 1


def test_a_memory_outlives_a_lost_lease() -> None:
    """While there is no lease nothing is answered, and nothing has to be read again after it."""
    page, clock = page_at(5)
    memory = Memory(10)
    memory.keep(b"mine", Entry(principal(7), Tag(1, 5)))
    clock.at += 20
    assert memory.recall(b"mine", page, clock.at) is None
    page.extend(clock.at + 10)
    assert memory.recall(b"mine", page, clock.at) is not None


kinds = st.sampled_from([Kind.DATASOURCE, Kind.ROLE, Kind.USER, Kind.KEY])
things = st.builds(subject, kinds, st.integers(1, 9))
logs = st.lists(st.lists(things | st.just(EVERYTHING), max_size=3), max_size=12)


@given(logs, st.data())
def test_unaffected_is_what_the_whole_log_says(log: list[list[int]], data: st.DataObject) -> None:
    """However the log is cut into pieces, with or without gaps: never fresher than the truth."""
    page = Page(1)
    page.apply([], 0)
    numbered = list(enumerate(log, start=1))
    cuts = sorted([*data.draw(st.lists(st.integers(0, len(log)), max_size=4)), 0, len(log)])
    missing = data.draw(st.sets(st.integers(1, len(log) or 1)))
    for low, high in itertools.pairwise(cuts):
        known = [each for each in numbered[low:high] if each[0] not in missing]
        page.apply(known, high)
    mine = {EVERYTHING, *subjects_of(MINE)}
    for since in range(len(log) + 1):
        touched = any(mine & set(subjects) for number, subjects in numbered if number > since)
        unaffected = page.unaffected(Tag(1, since), MINE)
        assert not (touched and unaffected)
        if not missing:
            assert unaffected == (not touched)


@given(kinds, st.integers(0, 2**40), kinds, st.integers(0, 2**40))
def test_subjects_never_collide(one: Kind, a: int, other: Kind, b: int) -> None:
    """Two things have two numbers, so a change of one never passes for a change of the other."""
    assert (subject(one, a) == subject(other, b)) == ((one, a) == (other, b))
