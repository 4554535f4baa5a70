"""What is made of measurements: the arithmetic that every claim about speed goes through."""

from __future__ import annotations

import pytest
from bench.figures import figure, in_turn, ratio, table


def test_a_figure_is_the_median_with_its_spread() -> None:
    found = figure([90.0, 130.0, 100.0])
    assert found.median == 100.0
    assert found.spread == pytest.approx(0.4)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="no round"):
        figure([])


def test_a_ratio_is_of_the_same_round_so_a_slow_one_disturbs_nobody() -> None:
    """The machine was four times slower in the second round; both were."""
    found = {"one": figure([80.0, 20.0, 84.0]), "other": figure([100.0, 25.0, 100.0])}
    assert ratio(found, "one", "other") == pytest.approx(0.8)


def test_there_is_no_ratio_to_what_was_left_out() -> None:
    found = {"one": figure([80.0])}
    assert ratio(found, "one", "other") is None
    assert ratio(found, "other", "one") is None


def test_each_round_begins_with_another_and_measures_all() -> None:
    names = ["a", "b", "c"]
    orders = [in_turn(names, turn) for turn in range(4)]
    assert [order[0] for order in orders] == ["a", "b", "c", "a"]
    assert all(sorted(order) == names for order in orders)


def test_the_table_has_the_best_first_and_what_is_known_beside_it() -> None:
    found = {"slow": figure([10.0]), "fast": figure([1234.0])}
    first, second = table(found, "requests/s", {"slow": "1 statement"})
    assert first.startswith("fast")
    assert "1,234 requests/s" in first
    assert second.endswith("1 statement")
