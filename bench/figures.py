"""What is made of measurements: medians, spreads, ratios within one run, and their table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing's measurements, one a round. `spread`: (largest - smallest) / median."""

    median: float
    spread: float
    rounds: tuple[float, ...]


def figure(rounds: Sequence[float]) -> Figure:
    """Raises ValueError where nothing was measured."""
    if not rounds:
        raise ValueError("no round was measured")
    median = statistics.median(rounds)
    spread = (max(rounds) - min(rounds)) / median if median else 0.0
    return Figure(median, spread, tuple(rounds))


def ratio(found: Mapping[str, Figure], of: str, to: str) -> float | None:
    """The median of the ratios of each round: what disturbs the machine disturbs both.

    None when one of the two was not measured.
    """
    if of not in found or to not in found:
        return None
    pairs = zip(found[of].rounds, found[to].rounds, strict=True)
    return statistics.median(one / other for one, other in pairs)


def in_turn(names: Sequence[str], turn: int) -> list[str]:
    """All of them, beginning with another one in each round."""
    start = turn % len(names)
    return [*names[start:], *names[:start]]


def table(found: Mapping[str, Figure], unit: str, beside: Mapping[str, str]) -> list[str]:
    """Lines, the best first. `beside`: a further word on some of them."""
    ordered = sorted(found, key=lambda name: -found[name].median)
    return [
        f"{name:34} {found[name].median:10,.0f} {unit}   spread {found[name].spread:4.0%}"
        f"   {beside.get(name, '')}".rstrip()
        for name in ordered
    ]
