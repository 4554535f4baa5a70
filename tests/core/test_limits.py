"""How often something may happen, with a clock moved by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyhalt.core.limits import NEW, Limiter, Rate, admit, retry_after

quick = settings(max_examples=150, deadline=None)
rates = st.builds(
    Rate, count=st.integers(1, 20), seconds=st.sampled_from([0.5, 1.0, 7.0, 30.0, 60.0, 3600.0])
)
# Steps of the clock as shares of the rate's interval: bunched, on the edge, and apart.
steps = st.lists(
    st.one_of(st.just(0.0), st.sampled_from([0.5, 1.0, 2.0]), st.floats(0, 3), st.floats(0, 40)),
    max_size=60,
)
starts = st.floats(0, 100_000)


def run(rate: Rate, start: float, steps: list[float]) -> list[float]:
    """The moments at which an event was let through."""
    now, full_at, passed = start, 0.0, []
    for step in steps:
        now += step * rate.interval
        full_at, wait = admit(full_at, now, rate)
        if wait == 0.0:
            passed.append(now)
    return passed


@quick
@given(rate=rates, start=starts, steps=steps)
def test_no_window_has_more_events_than_the_burst_and_the_refill(
    rate: Rate, start: float, steps: list[float]
) -> None:
    """Between any two events let through lie at most `count`, and one more per interval."""
    passed = run(rate, start, steps)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span = passed[last] - passed[first]
            assert last - first + 1 <= rate.count + span / rate.interval + 1e-3


@quick
@given(rate=rates, start=starts, steps=steps)
def test_no_window_of_the_rates_seconds_has_twice_the_count(
    rate: Rate, start: float, steps: list[float]
) -> None:
    """The worst stretch of `seconds` is a full burst and what refills meanwhile."""
    passed = run(rate, start, steps)
    for moment in passed:
        inside = [t for t in passed if moment <= t < moment + rate.seconds - 1e-3 * rate.interval]
        assert len(inside) <= 2 * rate.count


@quick
@given(rate=rates, start=starts, steps=steps)
def test_a_refused_event_changes_nothing(rate: Rate, start: float, steps: list[float]) -> None:
    """Trying again and again while refused costs nothing and gains nothing."""
    now, full_at = start, 0.0
    for step in steps:
        now += step * rate.interval
        after, wait = admit(full_at, now, rate)
        if wait > 0:
            assert after == full_at
            assert admit(full_at, now, rate) == (full_at, wait)
        full_at = after


@quick
@given(rate=rates, start=starts, steps=steps)
def test_the_wait_that_is_told_is_enough_and_no_more_than_one_interval(
    rate: Rate, start: float, steps: list[float]
) -> None:
    """Whoever waits as long as told is let through; half of it is too early."""
    now, full_at = start, 0.0
    for step in steps:
        now += step * rate.interval
        full_at, wait = admit(full_at, now, rate)
        if wait > 0:
            assert wait <= rate.interval + 1e-6
            assert admit(full_at, now + wait + 1e-6, rate)[1] == 0.0
        if wait > 1e-6:
            assert admit(full_at, now + wait / 2, rate)[1] > 0


@pytest.mark.parametrize("count", [1, 2, 10, 600])
@pytest.mark.parametrize("now", [0.0, 1.0, 4096.0])
def test_a_new_bucket_lets_exactly_count_events_through_at_once(count: int, now: float) -> None:
    """The burst is `count`, neither one more nor one fewer."""
    rate = Rate(count, count / 4)
    assert len(run(rate, now, [0.0] * (count + 5))) == count


def test_the_burst_is_whole_on_a_clock_that_has_run_for_a_day() -> None:
    """How long the machine has been up does not change how many events are let through."""
    assert len(run(Rate(600, 60), 100_000.3, [0.0] * 605)) == 600


def test_a_new_bucket_is_full_on_any_clock() -> None:
    """A clock that starts below zero is a clock that does not go back, too."""
    assert admit(NEW, -1000.0, Rate(10, 60))[1] == 0.0


def test_a_bucket_refills_evenly() -> None:
    """After a burst, one event is let through per interval, not `count` after `seconds`."""
    rate = Rate(4, 8.0)
    assert rate.interval == 2.0
    assert run(rate, 16.0, [0.0] * 6 + [0.5] * 8) == [16.0] * 4 + [18.0, 20.0, 22.0, 24.0]


def test_a_bucket_left_alone_is_full_again_and_never_fuller() -> None:
    """Rest gives the burst back, and no more than the burst however long it lasts."""
    rate = Rate(4, 8.0)
    assert len(run(rate, 0.0, [0.0] * 4 + [4.0] + [0.0] * 9)) == 8
    assert len(run(rate, 0.0, [0.0] * 4 + [4000.0] + [0.0] * 9)) == 8


@quick
@given(st.floats(0, 1e6))
def test_retry_after_is_whole_seconds_and_long_enough(wait: float) -> None:
    """What the header says is never too short, and never zero."""
    said = retry_after(wait)
    assert isinstance(said, int)
    assert said >= max(1, wait)
    assert said <= max(1, math.ceil(wait))


def test_names_do_not_spend_from_each_others_buckets() -> None:
    """One source that is refused takes nothing from another."""
    limiter = Limiter(Rate(2, 8.0))
    assert [limiter.admit("a", 0.0) for _ in range(3)] == [0.0, 0.0, 4.0]
    assert [limiter.admit("b", 0.0) for _ in range(3)] == [0.0, 0.0, 4.0]
    assert limiter.admit("a", 4.0) == 0.0
    assert limiter.admit("a", 4.0) == 4.0


def test_a_limiter_agrees_with_admit() -> None:
    """The limiter adds nothing to the rule but a name."""
    rate, limiter, full_at = Rate(3, 6.0), Limiter(Rate(3, 6.0)), 0.0
    for now in (0.0, 0.0, 0.5, 1.0, 2.0, 2.5, 9.0, 9.0, 9.0, 9.0):
        full_at, wait = admit(full_at, now, rate)
        assert limiter.admit("a", now) == wait


def test_a_limiter_remembers_at_most_names_max_and_drops_the_longest_unused() -> None:
    """A flood of made-up names cannot fill the memory; whoever keeps coming stays known."""
    limiter = Limiter(Rate(1, 60.0), names_max=3)
    assert limiter.admit("busy", 0.0) == 0.0
    for number in range(100):
        limiter.admit(f"made up {number}", 0.0)
        assert limiter.admit("busy", 0.0) == 60.0
        assert limiter.admit(f"made up {number}", 0.0) == 60.0
    assert len(limiter._full_at) == 3
    assert limiter.admit("made up 0", 0.0) == 0.0
