"""A simulated year: advice finds what was planted, and what else it finds is known."""

from __future__ import annotations

from pathlib import Path

from proofs.advice import simulate


def test_a_years_traffic_is_advised_exactly_as_planted(tmp_path: Path) -> None:
    """Three of three, twice; what is advised besides are the traits that cannot be told apart.

    One of these seeds has none of them, the other has both.
    """
    plain, hard = simulate(tmp_path, (2, 3))
    assert (plain.planted, plain.found, plain.missed, plain.false) == (3, 3, [], [])
    assert (hard.found, hard.missed, hard.false_of_traits) == (3, [], len(hard.false))
