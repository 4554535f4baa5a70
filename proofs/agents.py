"""Real keepers and a real waiter on PostgreSQL, as the rule says or with a fault, for the replay.

Two keepers of one environment and somebody who makes changes, in one thread, so that what happens
is always the same: while a change waits, each keeper that is not held up takes its turns.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from keyhalt.core.leases import Kind, subject
from keyhalt.storage.journal import (
    Journal,
    JournaledBarrier,
    JournaledLedger,
    JournaledLooks,
    JournaledPage,
)
from keyhalt.storage.ledger import SqlLedger
from keyhalt.storage.postgres import open_direct
from keyhalt.system.clock import SystemClock, boottime
from keyhalt.system.place import place
from keyhalt.system.randomness import new_uuid
from proofs.faults import FAULTS, Fault
from proofs.replay import Verdict, check, read
from proofs.rule import KEEP_LEASE, LEASES, Rule, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World

LEASE_SECONDS = 0.2
TURNS_MAX = 20
BROKEN = frozenset({
    "no barrier",
    "a change waits less than a lease",
    "the lease is extended before the change is applied",
    "the lease is extended before the acknowledgement is stored",
    "the lease is counted from the answer",
    "the lease is counted from when it is written",
    "a new incarnation keeps the lease of the old one",
    "acknowledged before it is applied",
    "more is acknowledged than is applied",
    "the waiting has no margin for clocks that differ",
    "who stops says so first and gives up its lease then",
})  # fmt: skip
"""Those of the faults that a process can have and its journal shows, whatever the schedule."""


class Agent:
    """One process: its journal, its page, its keeper."""

    def __init__(self, rule: Rule, world: World, folder: Path, name: str, stack: ExitStack) -> None:
        database = world.options.database
        assert database is not None
        self.journal = Journal(folder, boottime, name, LEASE_SECONDS)
        stack.callback(self.journal.close)
        engine = open_direct(database)
        stack.callback(engine.dispose)
        ledger: Any = JournaledLedger(
            SqlLedger(engine, new_uuid, SystemClock().now, place), self.journal
        )
        self.page = JournaledPage(1, self.journal)
        self.looks = JournaledLooks(self.page, self.journal)
        self.keep_lease = rule.keep_lease.KeepLease(
            page=self.page,
            ledger=ledger,
            clock=boottime,
            process=name,
            lease_seconds=LEASE_SECONDS,
        )
        self.ledger = ledger
        self.held_up = False

    def turn(self) -> None:
        if not self.held_up:
            self.keep_lease.turn()
            self.looks.tag(boottime())

    def settle(self) -> None:
        for _ in range(TURNS_MAX):
            if self.keep_lease.turn():
                break
        self.looks.tag(boottime())


def broken() -> list[Fault]:
    return [fault for fault in FAULTS if fault.name in BROKEN]


def run(world: World, folder: Path, fault: Fault | None = None) -> Verdict:
    """What the replay says of a run with this fault."""
    changes = () if fault is None else fault.changes
    rule = load(tuple(each for each in changes if each.module in {KEEP_LEASE, LEASES}))
    with ExitStack() as stack:
        _play(rule, world, folder, stack)
    return check(read(folder))


def _play(rule: Rule, world: World, folder: Path, stack: ExitStack) -> None:
    first, second = (Agent(rule, world, folder, name, stack) for name in ("first", "second"))

    def meanwhile(seconds: float) -> None:
        first.turn()
        second.turn()
        time.sleep(seconds)

    wait = rule.keep_lease.WaitForAll(
        ledger=first.ledger, clock=boottime, sleep=meanwhile, longest=lambda: LEASE_SECONDS
    )
    barrier = JournaledBarrier(wait, first.journal)

    def change() -> None:
        with world.engine.rights.change() as tx:
            epoch = tx.raise_epoch(subject(Kind.KEY, 1))
        barrier.wait(epoch)

    first.settle()
    second.settle()
    change()
    second.held_up = True
    change()  # waits, and fences the second
    change()  # does not
    second.held_up = False
    second.settle()
    change()
    first.settle()
    first.keep_lease.stop()
    second.settle()
    change()
    second.settle()
    second.keep_lease.stop()
    second.settle()  # a new life, that has acknowledged nothing of what it knows
    second.keep_lease.stop()
