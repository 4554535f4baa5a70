"""The model in docs/model, checked by Spin: the whole of it, and every fault."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parents[1] / "docs" / "model" / "barrier.pml"
MEMORY_MB = 7000
DEPTH_MAX = 2_000_000
BACKWARDS = ("-DREVERSE",)


@dataclass(frozen=True, slots=True)
class Case:
    """A model with these defines; `orders`: what Spin's checker is told of the order of search.

    `fault`: which one is seeded, and must be found.
    """

    defines: tuple[str, ...]
    fault: str = ""
    orders: tuple[str, ...] = ()


def _size(changes: int, ticks: int, restarts: int = 1, *more: str) -> tuple[str, ...]:
    return (f"CHANGES={changes}", f"TICKS={ticks}", f"RESTARTS={restarts}", *more)


SHORT = (Case(_size(1, 4)),)
LONG = (
    Case(_size(2, 3)),
    Case(_size(2, 4, 0)),
    Case(_size(1, 6, 2, "LATE=1")),
)
_ONE, _TWO = _size(1, 3), _size(2, 3)
FAULTY = (
    Case(_ONE, "1 no barrier"),
    Case(_ONE, "2 a change waits less than a lease"),
    Case(_ONE, "3 the wait is counted from before the commit"),
    Case(_ONE, "4 a repeated delete returns at once"),
    Case(_ONE, "5 the lease is extended before the change is applied"),
    Case(_TWO, "6 the lease is extended before the acknowledgement is stored", BACKWARDS),
    Case(_ONE, "7 the lease is counted from the answer"),
    Case(_ONE, "8 the lease is counted from when it is written"),
    Case(_ONE, "9 the number is read before the lease"),
    Case(_ONE, "10 the tag of an entry is read after its data"),
    Case(_ONE, "11 joining counts as having acknowledged"),
    Case(_TWO, "12 a new incarnation keeps the lease of the old one", BACKWARDS),
    Case(_ONE, "13 acknowledged before it is applied"),
    Case(_ONE, "14 the number is stored before what was touched"),
    Case(_ONE, "15 who stops says so first and gives up its lease then"),
    Case(_size(2, 4, 1, "LATE=1"), "16 a late join takes another's place", BACKWARDS),
    Case(_TWO, "17 an entry moves to a number that is read after the look"),
    Case(_size(2, 3, 0), "18 who has acknowledged meanwhile is fenced", BACKWARDS),
)


def check(*, long: bool) -> bool:
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        print(f"model: skipped, there is no {' and no '.join(missing)} here")
        return True
    good, states = True, 0
    for case in (*(LONG if long else SHORT), *FAULTY):
        errors, seen, seconds = run(case)
        states += seen
        good &= (errors > 0) == bool(case.fault) and errors >= 0
        name = f"fault {case.fault}" if case.fault else f"whole, {' '.join(case.defines)}"
        print(f"model, {name:66} {errors} errors, {seen:,} states, {seconds:.0f} s", flush=True)
    print(f"model: {states:,} states, {len(FAULTY)} faults" + ("" if good else ", NOT as expected"))
    return good


def run(case: Case) -> tuple[int, int, float]:
    """(errors, states, seconds). Errors are -1 where there is none in what could be searched."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MODEL, folder)
        seeded = (f"F{case.fault.partition(' ')[0]}",) if case.fault else ()
        defines = [f"-D{each}" for each in (*case.defines, *seeded)]
        _do(folder, "spin", "-a", *defines, MODEL.name)
        options = ["-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=1024", f"-DMEMLIM={MEMORY_MB}"]
        _do(folder, "gcc", "-O2", "-w", *options, *case.orders, "-o", "pan", "pan.c")
        # -E: time ends, so processes that wait for it are expected to be left over.
        said = _do(folder, "./pan", "-E", f"-m{DEPTH_MAX}")
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"([\d.e+]+) states, stored", said)
    found = int(errors[1]) if errors else -1
    whole = "Search not completed" not in said and "max search depth too small" not in said
    return (
        found if whole or found > 0 else -1,
        int(float(states[1])) if states else 0,
        time.monotonic() - began,
    )


def _do(folder: str, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
