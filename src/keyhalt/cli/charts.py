"""Charts as numbers for SVG: what stands where. Texts are escaped by whoever writes them out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

WIDTH, HEIGHT, LEFT, BOTTOM = 960, 220, 64, 24
ROW = 200
STEP, LINE = 4, 24
TICKS = 6


@dataclass(frozen=True, slots=True)
class Bar:
    kind: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    anchor: str
    says: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the chart, and the number that it stands for."""

    y: float
    says: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A column for each day: allowed, and on top of it denied."""

    says: str
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    marks: Sequence[Mark]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    number: str
    width: float


def columns(first: date, allowed: Sequence[int], denied: Sequence[int]) -> Columns:
    """`allowed` and `denied`: of each day from `first` on."""
    top = _round_up(max(map(sum, zip(allowed, denied, strict=True))))
    room, floor = (WIDTH - LEFT) / len(allowed), HEIGHT - BOTTOM
    width = round(max(1.0, room - min(3.0, room / 4)), 1)
    bars = []
    for place, (yes, no) in enumerate(zip(allowed, denied, strict=True)):
        day, y = first + timedelta(days=place), float(floor)
        for kind, count in (("allowed", yes), ("denied", no)):
            # One request in a million is still seen.
            height = max(1.0, round((floor - 8) * count / top, 1)) if count else 0.0
            y = round(y - height, 1)
            if count:
                says = f"{day.isoformat()}: {count:,} {kind}"
                bars.append(Bar(kind, round(LEFT + place * room, 1), y, width, height, says))
    says = f"{sum(allowed):,} allowed and {sum(denied):,} denied since {first.isoformat()}"
    marks = [
        Mark(round(floor - (floor - 8) * part / 4, 1), f"{top * part // 4:,}") for part in (0, 2, 4)
    ]
    return Columns(says, bars, _ticks(first, len(allowed), room), marks)


def _ticks(first: date, count: int, room: float) -> list[Tick]:
    places = sorted({round(part * (count - 1) / (TICKS - 1)) for part in range(TICKS)})
    anchors = {places[-1]: "end", places[0]: "start"}
    return [
        Tick(
            round(LEFT + (place + {"start": 0, "middle": 0.5, "end": 1}[anchor]) * room, 1),
            anchor,
            f"{first + timedelta(days=place):%-d %b}",
        )
        for place in places
        for anchor in [anchors.get(place, "middle")]
    ]


def rows(counts: Mapping[str, int], most: int) -> list[Row]:
    """The highest, each as wide as it is high."""
    highest = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:most]
    top = max((count for _, count in highest), default=1)
    return [
        Row(name, f"{count:,}", max(1.0, round(ROW * count / top, 1))) for name, count in highest
    ]


def line(counts: Sequence[int], top: int) -> str:
    """The outline of a step for each day; empty for none."""
    if not any(counts):
        return ""
    path, before = [f"M0 {LINE}"], 0
    for day, count in enumerate(counts):
        height = -(-LINE * count // top)
        if height != before:
            path.append(f"H{day * STEP}V{LINE - height}")
        before = height
    return "".join([*path, f"H{len(counts) * STEP}V{LINE}z"])


def _round_up(count: int) -> int:
    """The next of 4, 8, 20, 40, 80, 200 and so on: a quarter of it is a round number."""
    size = 1
    while True:
        for step in (4, 8, 20):
            if count <= step * size:
                return step * size
        size *= 10
