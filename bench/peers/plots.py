"""One row as a picture: requests a second of each contender, on a logarithmic scale."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(result: dict[str, Any], file: Path) -> None:
    """Without matplotlib, says so and draws nothing."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - the figures are written down without it, too
    except ImportError:
        print(f"{file.name} is not drawn: matplotlib is not installed")
        return
    mpl.use("svg")
    # The same measurements make the same file; text stays text.
    mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    told = result["contenders"]
    names = sorted(told, key=lambda name: told[name]["requests_a_second"]["median"])
    rates = [told[name]["requests_a_second"] for name in names]
    picture, axes = plt.subplots(figsize=(8, 0.4 * len(names) + 1))
    below = [each["median"] - min(each["rounds"]) for each in rates]
    above = [max(each["rounds"]) - each["median"] for each in rates]
    colours = ["#1b6e53" if name.startswith("Keyhalt") else "#9aa5b1" for name in names]
    axes.barh(
        names, [each["median"] for each in rates], xerr=[below, above], color=colours, capsize=2
    )
    axes.set_xscale("log")
    axes.set_xlabel(f"requests a second, {result['row']} keys, one worker on one core")
    picture.savefig(file, bbox_inches="tight", metadata={"Date": None})
    plt.close(picture)
