"""Three ways to ask whether a meter lies under one of five topmosts, measured on one tree.

Run it from the checkout: `python -m bench.energy_reach`. docs/energy.md has its figures.
10,000 places, 8 levels deep, and 100,000 meters, in a file, as SQLite keeps them.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

PLACES, LEVELS, METERS, RUNS = 10_000, 8, 100_000, 15
WIDTHS = (1, 5, 20, 80, 400, 1_200, 3_000, PLACES - 4_706)

SCHEMA = """
create table place (id integer primary key, parent_id integer, path text not null);
create index place_parent on place (parent_id);
create index place_path on place (path);
create table above (node_id integer, above_id integer, primary key (node_id, above_id))
  without rowid;
create index above_above on above (above_id, node_id);
create table meter (id integer primary key, place_id integer not null, code text not null,
  padding text not null);
create index meter_place on meter (place_id);
"""

RECURSIVE = (
    "with recursive reached(id) as (select id from place where id in ({tops})"
    " union select p.id from place p join reached r on p.parent_id = r.id)"
)
WAYS = {
    "recursive query": (RECURSIVE, "m.place_id in (select id from reached)"),
    "path column": (
        "",
        "exists (select 1 from place p, place t where p.id = m.place_id and t.id in ({tops})"
        " and p.path >= t.path and p.path < t.path || '~')",
    ),
    "rows of above": (
        "",
        "exists (select 1 from above a where a.node_id = m.place_id and a.above_id in ({tops}))",
    ),
    "rows of above, collected": (
        "",
        "m.place_id in (select a.node_id from above a where a.above_id in ({tops}))",
    ),
}


def build(connection: sqlite3.Connection) -> list[list[int]]:
    """The places of each level. Meters lie anywhere in the tree."""
    connection.executescript(SCHEMA)
    levels: list[list[int]] = []
    above: dict[int, list[int]] = {}
    number = 0
    for width in WIDTHS:
        level = []
        for index in range(width):
            number += 1
            parent = levels[-1][index % len(levels[-1])] if levels else None
            above[number] = [*(above[parent] if parent else []), number]
            path = "".join(f"/{node:05}" for node in above[number])
            connection.execute("insert into place values (?, ?, ?)", (number, parent, path))
            level.append(number)
        levels.append(level)
    pairs = [(node, over) for node, nodes in above.items() for over in nodes]
    connection.executemany("insert into above values (?, ?)", pairs)
    meters = (
        (index, zlib.crc32(b"%d" % index) % number + 1, f"M{index}", "x" * 300)
        for index in range(1, METERS + 1)
    )
    connection.executemany("insert into meter values (?, ?, ?, ?)", meters)
    connection.commit()
    return levels


def milliseconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        call()
        times.append((perf_counter() - start) * 1000)
    return median(times)


def figures(connection: sqlite3.Connection, tops: Sequence[int]) -> dict[str, list[str]]:
    """For each way: the meters reached, the first page, the last read backwards, the count."""
    named = ", ".join(map(str, tops))
    found = {}
    for way, (start, condition) in WAYS.items():
        source = f"from meter m where {condition}"
        key = "m.id + 0" if "collected" in way else "m.id"

        def run(columns: str, rest: str, start: str = start, source: str = source) -> object:
            statement = f"{start} select {columns} {source} {rest}".format(tops=named)
            return connection.execute(statement).fetchall()

        rest = "limit 250"
        found[way] = [
            f"{milliseconds(lambda: run('m.*', f'order by {key} {rest}')):.2f}",
            f"{milliseconds(lambda: run('m.*', f'order by {key} desc {rest}')):.2f}",
            f"{milliseconds(lambda: run('count(*)', '')):.2f}",
        ]
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "measure.db")
        levels = build(connection)
        sys.stdout.write(f"SQLite {sqlite3.sqlite_version}; milliseconds, median of {RUNS} runs\n")
        for name, level in (("wide", 1), ("narrow", 4)):
            tops = levels[level][:5]
            counted = (
                "select count(*) from meter m where m.place_id in"
                f" (select node_id from above where above_id in ({', '.join(map(str, tops))}))"
            )
            reached = connection.execute(counted).fetchone()[0]
            sys.stdout.write(f"\n5 {name} topmosts, {reached} of {METERS} meters reached\n")
            sys.stdout.write(f"{'':28}{'first page':>12}{'last page':>12}{'count':>10}\n")
            for way, times in figures(connection, tops).items():
                first, last, count = times
                sys.stdout.write(f"{way:28}{first:>12}{last:>12}{count:>10}\n")
        connection.close()


if __name__ == "__main__":
    main()
