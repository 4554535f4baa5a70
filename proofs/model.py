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
MEMORY_MB = 6000
DEPTH_MAX = 2_000_000
ONE = ("CHANGES=1", "TICKS=4", "RESTARTS=1")
TWO = ("CHANGES=2", "TICKS=4", "RESTARTS=1")


@dataclass(frozen=True, slots=True)
class Case:
    """A model with these defines; `orders`: what Spin's checker is told of the order of search."""

    defines: tuple[str, ...]
    faulty: bool = False
    orders: tuple[str, ...] = ()


SHORT = (Case(("CHANGES=1", "TICKS=4", "RESTARTS=1")),)
LONG = (
    Case(("CHANGES=2", "TICKS=4", "RESTARTS=1")),
    Case(("CHANGES=2", "TICKS=4", "RESTARTS=1", "LATE=1")),
    Case(("CHANGES=1", "TICKS=6", "RESTARTS=2", "LATE=1")),
)
FAULTY: tuple[Case, ...] = ()


def check(*, long: bool) -> bool:
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        print(f"model: skipped, there is no {' and no '.join(missing)} here")
        return True
    good, states = True, 0
    for case in (*(LONG if long else SHORT), *FAULTY):
        errors, seen, seconds = run(case)
        states += seen
        good &= (errors > 0) == case.faulty and errors >= 0
        print(
            f"model {' '.join(case.defines):48} {errors} errors, {seen:,} states, {seconds:.0f} s"
        )
    print(f"model: {states:,} states" + ("" if good else ", NOT as expected"))
    return good


def run(case: Case) -> tuple[int, int, float]:
    """(errors, states, seconds). Errors are -1 where the checker did not come to an end."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MODEL, folder)
        defines = [f"-D{each}" for each in case.defines]
        _do(folder, "spin", "-a", *defines, MODEL.name)
        options = ["-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=1024", f"-DMEMLIM={MEMORY_MB}"]
        _do(folder, "gcc", "-O2", "-w", *options, *case.orders, "-o", "pan", "pan.c")
        # -E: time ends, so processes that wait for it are expected to be left over.
        said = _do(folder, "./pan", "-E", f"-m{DEPTH_MAX}")
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\d+) states, stored", said)
    whole = "out of memory" not in said and "max search depth too small" not in said
    return (
        int(errors[1]) if errors and whole else -1,
        int(states[1]) if states else 0,
        time.monotonic() - began,
    )


def _do(folder: str, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
