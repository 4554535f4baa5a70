"""The proofs themselves, in seconds: `make proofs-short` has every fault, `make proofs` a night."""

from __future__ import annotations

import pytest
from proofs.catch import catch, schedules
from proofs.faults import FAULTS, RECORD, Fault
from proofs.pairs import explore
from proofs.rule import FRESHNESS, LEASES, Change, NotExactlyOnceError, load

QUICK = {
    "no barrier",
    "a change waits less than a lease",
    "a database that cannot be asked counts as nobody behind",
    "an unknown commit is reported as done",
    "one process has a longer lease than the others",
}
LOOKED_AT_IN_EVERY_ORDER = [
    fault
    for fault in FAULTS
    if {change.module for change in fault.changes} & {LEASES, FRESHNESS}
    and "concerns no key" not in fault.name
    and fault.name not in RECORD
]


def test_the_rule_holds_in_every_order_of_a_verifier_and_a_keeper() -> None:
    """Whatever line either of them is held up at, no change that has returned is overlooked."""
    assert explore(load()) > 1_000


def test_the_rule_holds_whatever_befalls_the_processes() -> None:
    """Stops, crashes, cuts, lost answers, restores: no answer is from before what has returned."""
    counts = schedules(0, 40)
    assert counts.remembered > 100
    assert counts.changes > 80
    assert counts.restarts >= 40


@pytest.mark.parametrize("fault", LOOKED_AT_IN_EVERY_ORDER, ids=lambda fault: fault.name)
def test_a_fault_on_the_page_or_in_the_memory_is_caught(fault: Fault) -> None:
    """What is looked for is found, so that finding nothing means something."""
    assert catch(fault, 0, from_record=True).found


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.name in QUICK], ids=lambda fault: fault.name
)
def test_a_fault_in_waiting_is_caught(fault: Fault) -> None:
    """The same for what only several processes show."""
    assert catch(fault, 1_000, from_record=True).found


def test_every_fault_still_changes_what_it_means_to_change() -> None:
    """A fault whose place in the source has moved is an error, not a pass."""
    for fault in FAULTS:
        load(fault.changes)
    with pytest.raises(NotExactlyOnceError):
        load((Change(LEASES, "no such line", ""),))


def test_there_are_the_known_traps_and_many_of_our_own() -> None:
    """Twelve of the design, and at least ten others; every name says something else."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 22
    assert set(RECORD) <= {fault.name for fault in FAULTS}
