"""Write the tables of docs/performance.md anew, from what the last runs wrote down.

python -m bench.report
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.loads import ROOT
from bench.peers.contenders import ALL, BARE, FORWARD, MIDDLEWARE, TELLING
from bench.peers.keys import KINDS

RESULTS, DOCUMENT = ROOT / "bench" / "results", ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
RATIOS = (
    *((MIDDLEWARE[kind], BARE) for kind in MIDDLEWARE),
    *((FORWARD[kind], TELLING) for kind in FORWARD),
    *(
        (MIDDLEWARE["PostgreSQL"], other)
        for other in (
            "djangorestframework-api-key",
            "Better Auth, api-key plugin",
            "django-rest-knox",
            "keyshield",
            "opaque token, one PostgreSQL read",
        )
    ),
)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def result(name: str) -> dict[str, Any] | None:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def peers(told: dict[str, Any]) -> str:
    found = sorted(
        told["contenders"].items(), key=lambda each: -each[1]["requests_a_second"]["median"]
    )
    return markdown(
        ["", "requests/s", "spread", "its core, µs each", "p99, ms", "statements each"],
        (
            [
                name,
                f"{each['requests_a_second']['median']:,.0f}",
                f"{each['requests_a_second']['spread']:.0%}",
                f"{each['core_microseconds']['median']:,.0f}",
                f"{each['p99_microseconds'] / 1000:,.1f}",
                _count(each["statements_a_request"]),
            ]
            for name, each in found
        ),
    )


def _count(statements: float | None) -> str:
    return "" if statements is None else f"{statements:.2f}"


def ratios(told: dict[str, Any]) -> str:
    """By requests a second, and by what a request takes of the server's core."""
    costs = {name: each["core_microseconds"]["median"] for name, each in told["contenders"].items()}
    rows = []
    for one, other in RATIOS:
        share = told["ratios"].get(f"{one} / {other}")
        if share is not None:
            by_core = costs[other] / costs[one]
            rows.append([f"{one} / {other}", f"{share:,.2f}", f"{by_core:,.2f}"])
    return markdown(["good keys", "by requests/s", "by the core's time"], rows)


def bounds(told: dict[str, Any]) -> str:
    said = {each.name: each.bound for each in ALL}
    rows = []
    for name, each in told.items():
        if each is not None:
            least = "" if each["ended"] else "more than "
            measured = f"{least}{each['bound_seconds']:.2f} s"
            deletes = f"{each['delete_ms']['median']:.1f} ms"
            rows.append([name, said.get(name, ""), deletes, measured])
    return markdown(
        ["", "bound, by its documents or source", "a delete", "accepted afterwards"], rows
    )


def deletes(told: dict[str, Any]) -> str:
    heads = ["", "p50", "p99", "one stopped: first", "at most", "later, at most"]
    words = ("p50_ms", "p99_ms", "first_ms", "first_at_most_ms", "later_max_ms")
    return markdown(
        heads,
        (
            [name, *(f"{row[word]:,.0f} ms" if word in row else "" for word in words)]
            for name, row in told.items()
        ),
    )


def first_seen(told: dict[str, Any]) -> str:
    return markdown(
        ["stored", "a first-seen key", "the driver's read", "ratio"],
        (
            [name, f"{row['first_seen']:,.0f} µs", f"{row['bare']:,.0f} µs", f"{row['ratio']:.2f}"]
            for name, row in told.items()
        ),
    )


def workers(told: dict[str, Any]) -> str:
    return markdown(
        ["", "two workers / one", "of the bare app's gain"],
        ([name, f"{gain:.2f}", f"{gain / told[BARE]:.2f}"] for name, gain in told.items()),
    )


def startup(told: dict[str, Any]) -> str:
    names = {
        "python": "an interpreter that does nothing",
        "help": "`keyhalt --help`",
        "ready": "`keyhalt serve` on an existing store, until ready",
    }
    return markdown(["", "time"], ([names[row], f"{told[row]:,.0f} ms"] for row in names))


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    **{kind: (f"peers-{kind}", peers) for kind in KINDS},
    "ratios": ("peers-good", ratios),
    "bounds": ("bounds", bounds),
    "deletes": ("deletes", deletes),
    "first-seen": ("first-seen", first_seen),
    "workers": ("workers", workers),
    "startup": ("startup", startup),
}


def main() -> int:
    text = DOCUMENT.read_text()
    for name, (file, table) in TABLES.items():
        told = result(file)
        if told is None:
            print(f"no run has written {file}.json; its table stays")
            continue
        found = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        written = table(told)
        text, count = found.subn(lambda at, new=written: f"{at[1]}\n{new}\n\n{at[2]}", text)
        if not count:
            print(f"{DOCUMENT.name} has no place for the table {name}")
    DOCUMENT.write_text(text)
    PICTURES.mkdir(exist_ok=True)
    for file in RESULTS.glob("peers-*.svg"):
        shutil.copy(file, PICTURES / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
