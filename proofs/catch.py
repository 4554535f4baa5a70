"""Run the rule as it is, and with each fault."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs.faults import RECORD
from proofs.pairs import Overlooked, explore
from proofs.rule import FRESHNESS, LEASES, VERIFY, load
from proofs.simulate import Counts, StuckError, Violation, run

if TYPE_CHECKING:
    from proofs.faults import Fault

VERDICTS = (Violation, StuckError, Overlooked)


@dataclass(frozen=True, slots=True)
class Catch:
    """How a fault was found; `seed` is None where every order was tried. Or it was not."""

    fault: Fault
    found: str
    seed: int | None
    seconds: float

    def __str__(self) -> str:
        where = "in every order" if self.seed is None else f"at seed {self.seed}"
        found = f"{where} after {self.seconds:.1f} s: {self.found}" if self.found else "NOT CAUGHT"
        return f"{self.fault.name:58} {found}"


def schedules(first: int, last: int) -> Counts:
    """The rule as it is, under the schedules of these seeds. Raises what it finds."""
    rule = load()
    counts = Counts()
    for seed in range(first, last):
        try:
            counts.add(run(rule, seed))
        except VERDICTS as found:
            raise AssertionError(f"seed {seed}: {found!r}") from found
    return counts


def catch(fault: Fault, seeds: int, *, from_record: bool) -> Catch:
    """Look for it in all orders of two, and then in at most `seeds` schedules."""
    began = time.monotonic()
    rule = load(fault.changes)
    found, at = "", None
    if {change.module for change in fault.changes} & {FRESHNESS, LEASES, VERIFY}:
        try:
            explore(rule)
        except VERDICTS as overlooked:
            found = str(overlooked)
    first = RECORD.get(fault.name, 0) if from_record else 0
    for seed in range(first, first + seeds):
        if found:
            break
        try:
            run(rule, seed, fault.wrong)
        except VERDICTS as violation:
            found, at = str(violation), seed
    return Catch(fault, found, at, time.monotonic() - began)
