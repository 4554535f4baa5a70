"""A flame graph of one way of a request in process, as a small SVG.

    python -m bench.flame "forward-auth, barrier, good" --out docs/pictures/NAME.svg [--title TEXT]

A timer interrupts the process every millisecond of its processor's time and notes which functions
of Python stand on the stack; a C function is its caller's. What is below a hundredth is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from bench.ways import ways

EVERY_SECONDS = 0.001
ROW, WIDTH, LEAST = 18, 960, 0.01
LETTER = 6.2
# What drives the request, from the outside in.
BELOW = "run"
COLOURS = {"client": "#f2b880", "core": "#8fc1a9", "usecases": "#9db8e0", "web": "#e39a9a"}
OTHER = "#d9d4c7"


@dataclass(slots=True)
class Part:
    """A function under those that called it. `count`: samples with it on the stack."""

    name: str
    ring: str = ""
    count: int = 0
    parts: dict[str, Part] = field(default_factory=dict)


def sampled(name: str, seconds: float) -> Counter[tuple[tuple[str, str], ...]]:
    """Stacks from the request inwards, as (function, ring), and how often each was seen."""
    seen: Counter[tuple[tuple[str, str], ...]] = Counter()

    def note(_number: int, frame: FrameType | None) -> None:
        seen[tuple(reversed(list(_stack(frame))))] += 1

    with ways() as found:
        way = found[name]
        asyncio.run(way.check())
        asyncio.run(way.run(1_000))
        signal.signal(signal.SIGPROF, note)
        signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
        try:
            while seen.total() < seconds / EVERY_SECONDS:
                asyncio.run(way.run(1_000))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return seen


def _stack(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    while frame is not None and frame.f_code.co_name != BELOW:
        path = Path(frame.f_code.co_filename)
        ring = path.parent.name if path.parent.parent.name == "keyhalt" else ""
        ring = "web" if "web" in path.parts else ring
        yield f"{path.stem}.{frame.f_code.co_qualname}", ring
        frame = frame.f_back


def tree_of(seen: Counter[tuple[tuple[str, str], ...]], title: str) -> Part:
    root = Part(title)
    for stack, count in seen.items():
        at = root
        at.count += count
        for name, ring in stack:
            at = at.parts.setdefault(name, Part(name, ring))
            at.count += count
    return root


def drawn(root: Part) -> str:
    boxes: list[str] = []

    def draw(part: Part, left: float, depth: int) -> int:
        width = WIDTH * part.count / root.count
        share = f"{part.count / root.count:.0%}"
        colour = COLOURS.get(part.ring, OTHER)
        text = html.escape(f"{part.name} {share}"[: int(width / LETTER)])
        box = f'width="{width:.1f}" height="{ROW - 1}" fill="{colour}"'
        boxes.append(
            f"<g><title>{html.escape(part.name)} {share}</title>"
            f'<rect x="{left:.1f}" y="{depth * ROW}" {box}/>'
            f'<text x="{left + 3:.1f}" y="{depth * ROW + 13}">{text}</text></g>'
        )
        deepest = depth
        for each in sorted(part.parts.values(), key=lambda each: -each.count):
            if each.count >= LEAST * root.count:
                deepest = max(deepest, draw(each, left, depth + 1))
                left += WIDTH * each.count / root.count
        return deepest

    height = (draw(root, 0.0, 0) + 1) * ROW
    style = "<style>text{font:11px monospace;fill:#222}</style>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">'
    return "\n".join((head, style, *boxes, "</svg>\n"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flame", description=__doc__)
    parser.add_argument("way", help="a name that bench.ways prints")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--title", default="")
    parser.add_argument("--seconds", type=float, default=5.0)
    said = parser.parse_args()
    seen = sampled(said.way, said.seconds)
    said.out.write_text(drawn(tree_of(seen, said.title or said.way)))


if __name__ == "__main__":
    main()
