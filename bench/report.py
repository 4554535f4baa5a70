"""Write the tables of figures in docs/ anew, from what the last runs wrote down.

python -m bench.report
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.loads import ROOT
from bench.peers.contenders import ALL, BARE, FORWARD, MIDDLEWARE, TELLING
from bench.peers.keys import KINDS

RESULTS, DOCS = ROOT / "bench" / "results", ROOT / "docs"
PICTURES = DOCS / "pictures"
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


def drawn(name: str) -> str | None:
    """The table, from what the last run wrote; None where there was none."""
    kind, table = TABLES[name]
    file = RESULTS / f"{kind}.json"
    return table(json.loads(file.read_text())) if file.exists() else None


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


def polling(told: dict[str, dict[str, float]]) -> str:
    return markdown(
        ["an idle server", "of a core", "of the database's, for each"],
        ([name, f"{row['worker']:.2%}", f"{row['database']:.2%}"] for name, row in told.items()),
    )


def first_seen(told: dict[str, Any]) -> str:
    smallest = "of that with the fewest"
    return markdown(
        ["stored", "a first-seen key", smallest, "the driver's read", smallest],
        (
            [
                name,
                f"{row['first_seen']:,.0f} µs",
                f"{row['of_smallest']:.2f}",
                f"{row['bare']:,.0f} µs",
                f"{row['bare_of_smallest']:.2f}",
            ]
            for name, row in told.items()
        ),
    )


def workers(told: dict[str, Any]) -> str:
    bare = told[BARE]["gain"]
    return markdown(
        ["", "two workers / one", "of the bare app's gain", "processor time a request, two / one"],
        (
            [name, f"{row['gain']:.2f}", f"{row['gain'] / bare:.2f}", f"{row['cost']:.2f}"]
            for name, row in told.items()
        ),
    )


def startup(told: dict[str, Any]) -> str:
    names = {
        "python": "an interpreter that does nothing",
        "help": "`keyhalt --help`",
        "ready": "`keyhalt serve` on an existing store, until ready",
    }
    return markdown(["", "time"], ([names[row], f"{told[row]:,.0f} ms"] for row in names))


def remembered(told: list[dict[str, Any]]) -> str:
    return markdown(
        ["keys", "bare", "under a lease", "ratio", "bytes a key", "guarded", "a bare `PRAGMA`"],
        (
            [
                f"{row['keys']:,}",
                f"{row['bare_us']:.2f} µs",
                f"{row['us']:.2f} µs",
                f"{row['ratio']:.2f}",
                f"{row['bytes']:.0f}",
                f"{row['guarded_us']:.2f} µs",
                f"{row['pragma_us']:.2f} µs",
            ]
            for row in told
        ),
    )


def instructions(told: dict[str, Any]) -> str:
    rows = ([name, f"{count:,.0f}"] for name, count in told["counts"].items())
    return markdown([told["build"], "instructions"], rows)


def outage(told: list[dict[str, Any]]) -> str:
    heads = [
        "L",
        "the database away for 0.7 L: answers 503, of all",
        "away for good: a remembered key was answered for",
        "after its return, again within",
        "a delete with one process stopped",
        "the next delete",
    ]
    spans = ("answered_for", "back_after", "delete_waited", "next_delete_waited")
    return markdown(
        heads,
        (
            [
                f"{row['lease']:g} s",
                f"{row['ridden_out'].get('503', 0):,} of {sum(row['ridden_out'].values()):,}",
                *(f"{row[span]:.2f} s" for span in spans),
            ]
            for row in told
        ),
    )


def burst(told: dict[str, float]) -> str:
    return markdown(["", "median"], ([what, f"{figure:,.0f}"] for what, figure in told.items()))


def counting(told: dict[str, float]) -> str:
    rows = ([what, f"{ratio:.3f}"] for what, ratio in told.items())
    return markdown(["", "throughput with it on / off"], rows)


def audit_rows(told: list[dict[str, Any]]) -> str:
    heads = ["changes", "one more, ms", "a page, ms", "a request id, ms", "verified a second"]
    names = ("append_ms", "page_ms", "look_up_ms")
    return markdown(
        heads,
        (
            [
                f"{row['store']}, {row['rows']:,}",
                *(f"{row[name]:.2f}" for name in names),
                f"{row['verified_a_second']:,.0f}",
            ]
            for row in told
        ),
    )


def energy(told: dict[str, Any]) -> str:
    rows = []
    for row in told["rows"]:
        small, large = row["small_ms"], row["large_ms"]
        rows.append([row["what"], f"{small:.1f}", f"{large:.1f}", f"{large / small:.2f}"])
    return markdown(["", "small", "large", "ratio"], rows)


def advice(told: list[dict[str, Any]]) -> str:
    """Of all seeds together; each false alarm by what it is taken for, and what it is."""
    planted, found = (sum(row[name] for row in told) for name in ("planted", "found"))
    false = Counter(line for row in told for line in row["false"])
    wrong = sum(false.values())
    rows = [
        ["planted", f"{planted}"],
        ["found", f"{found}"],
        *([f"false alarm: {line}", f"{count}"] for line, count in sorted(false.items())),
        ["precision", f"{found / (found + wrong):.2f}"],
        ["recall", f"{found / planted:.2f}"],
    ]
    return markdown([f"{len(told)} seeds", ""], rows)


def making(told: dict[str, Any]) -> str:
    names = ("made_p50_ms", "made_p99_ms", "ended_p50_ms", "ended_p99_ms")
    rows = (
        [who, *(f"{row[name]:.1f}" if name in row else "" for name in names)]
        for who, row in told["contenders"].items()
    )
    return markdown(["", "made, p50 ms", "p99", "ended, p50 ms", "p99"], rows)


def lists(told: dict[str, Any]) -> str:
    rows = (
        [f"{int(count):,}", f"{took:.1f} ms", f"{took / int(count) * 1000:,.0f} µs"]
        for count, took in told["list_ms"].items()
    )
    return markdown(["keys", "a list", "each"], rows)


def open_loop(told: dict[str, dict[str, float]]) -> str:
    rows = (
        [
            who,
            f"{row['asked_a_second']:,.0f}",
            f"{row['p50_us'] / 1000:.2f}",
            f"{row['p99_us'] / 1000:.2f}",
            f"{row['ratio']:.2f}",
        ]
        for who, row in told.items()
    )
    return markdown(["", "asked a second", "p50, ms", "p99, ms", "of the bare app's p99"], rows)


def pages(told: dict[str, dict[str, Any]]) -> str:
    heads = ["page", "server, ms", "of 100, ms", "bytes", "statements", "of 100"]
    return markdown(
        heads,
        (
            [
                f"`{address.replace('{last}', 'last')}`",
                f"{each['ms']:.1f}",
                f"{each['small_ms']:.1f}",
                f"{each['bytes']:,}",
                f"{each['statements']}",
                f"{each['small_statements']}",
            ]
            for address, each in told.items()
        ),
    )


def storm(told: dict[str, Any]) -> str:
    rows = []
    for way, row in told["rows"].items():
        digits = 2 if way == "ratio" else 0
        figures = (row[name] for name in ("a_second", "p50_us", "p99_us"))
        rows.append([way, *(f"{each:,.{digits}f}" for each in figures)])
    return markdown(["a remembered key", "requests/s", "p50, µs", "p99, µs"], rows)


TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    **{kind: (f"peers-{kind}", peers) for kind in KINDS},
    "ratios": ("peers-good", ratios),
    "bounds": ("bounds", bounds),
    "deletes": ("deletes", deletes),
    "polling": ("polling", polling),
    "first-seen": ("first-seen", first_seen),
    "workers": ("workers", workers),
    "startup": ("startup", startup),
    "remembered": ("remembered", remembered),
    "instructions": ("instructions", instructions),
    "outage": ("outage", outage),
    "burst": ("burst", burst),
    "counting": ("counting", counting),
    "audit-rows": ("audit-rows", audit_rows),
    "energy": ("energy-scope", energy),
    "advice": ("advice", advice),
    "making": ("making", making),
    "lists": ("making", lists),
    "open-loop": ("open-loop", open_loop),
    "pages": ("pages", pages),
    "storm": ("storm", storm),
    "users": ("users", energy),
}
_TABLE = re.compile(r"(<!-- table ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """A document with its tables as the runs wrote them. Raises KeyError for an unknown table."""

    def table(at: re.Match[str]) -> str:
        new = drawn(at[2])
        return at[0] if new is None else f"{at[1]}\n{new}\n\n{at[3]}"

    return _TABLE.sub(table, text)


def main() -> int:
    for document in sorted(DOCS.glob("*.md")):
        document.write_text(written(document.read_text()))
    PICTURES.mkdir(exist_ok=True)
    for file in RESULTS.glob("peers-*.svg"):
        shutil.copy(file, PICTURES / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
