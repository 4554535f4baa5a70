"""When the keeper of a lease asks a database again that was away."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from keyhalt.storage.keeper import (
    AGAIN_FIRST_SECONDS,
    AGAIN_LAST_LEASES,
    AGAIN_LAST_SECONDS,
    longest_pause,
)

leases = st.floats(0.1, 3600)
jitters = st.lists(st.floats(0.5, 1.0), min_size=1, max_size=20)


@given(st.integers(1, 10**9), leases)
def test_no_pause_is_longer_than_half_a_second_or_a_tenth_of_the_lease(
    failures: int, lease: float
) -> None:
    """However long the database was away; nor so short that a processor is kept busy."""
    pause = longest_pause(failures, lease)
    assert pause <= AGAIN_LAST_SECONDS <= 0.5
    assert pause <= AGAIN_LAST_LEASES * lease
    assert pause >= min(AGAIN_FIRST_SECONDS, AGAIN_LAST_LEASES * lease)
    assert pause <= longest_pause(failures + 1, lease)


@given(st.floats(0, 300), jitters, leases)
def test_within_half_a_second_of_its_return_the_database_is_asked(
    back_at: float, jitter: list[float], lease: float
) -> None:
    """Whenever it returns, and whatever chance adds to the pauses."""
    chance = itertools.cycle(jitter)
    asked_at, failures = 0.0, 0
    while asked_at < back_at:
        failures += 1
        asked_at += longest_pause(failures, lease) * next(chance)
    assert asked_at - back_at <= 0.5
    # And it was no storm: four times a second for a lease of ten seconds, and a few at first.
    fewest = min(AGAIN_LAST_SECONDS, AGAIN_LAST_LEASES * lease) / 2
    assert failures <= back_at / fewest + 5
