"""One schedule of everything: processes, changes, and what befalls them, from one seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING

from proofs.database import Database, LoopEvent
from proofs.people import CLAIMS
from proofs.processes import LEASE_SECONDS, Changer, Process, Violation
from proofs.schedule import Clock, Schedule

if TYPE_CHECKING:
    from greenlet import greenlet

    from proofs.rule import Rule

RATES = (0.9, 0.95, 1.0, 1.05, 1.1)
WILD_RATES = (0.6, 1.0, 1.4)
STEPS = 3000
SETTLE_STEPS = 60_000
JUMP = 2**32
LONGER = 3
"""How many times as long some leases are, where they are not alike."""
GUARD_SECONDS = 1.25 * LONGER * LEASE_SECONDS / 0.9


class StuckError(Exception):
    """With everything healed, a process still does not answer from memory, or a change hangs."""


@dataclass(slots=True)
class Counts:
    schedules: int = 0
    steps: int = 0
    remembered: int = 0
    allowed: int = 0
    refused: int = 0
    unavailable: int = 0
    changes: int = 0
    restarts: int = 0
    restores: int = 0

    def add(self, other: Counts) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


class Simulation:
    def __init__(self, rule: Rule, seed: int, wrong: str) -> None:
        self._rule = rule
        self._schedule = schedule = Schedule(seed, rule.sites)
        rule.step_with(schedule.step)
        draw = self._draw = schedule.random
        rule.leases.SUBJECTS_MAX = draw.choice((1, 2, 65_536))
        rule.keep_lease.POLL_LAST_SECONDS = draw.choice((0.02, 0.1, 0.4))
        rule.verify.asyncio = SimpleNamespace(Event=lambda: LoopEvent(schedule))
        rule.verify.examine = lambda presented, *_: CLAIMS[presented]
        self._database = Database(schedule, rule, wrong=wrong)
        self._database.narrow = draw.random() < 0.7
        self._database.loss = draw.choice((0.0, 0.0, 0.01, 0.05))
        self._unequal = wrong == "a longer lease" or draw.random() < 0.3
        self._pause = LEASE_SECONDS * draw.choice((0.1, 0.5, 2.0))
        self._names = 0
        self._processes: list[Process] = []
        self._ended: list[Process] = []
        self._threads: list[greenlet] = []
        self._all_changers: list[Changer] = []
        self.counts = Counts(schedules=1)
        self._processes_max = draw.choice((1, 1, 2, 3))
        for _ in range(self._processes_max):
            self._begin_process()
        self._changers = [self._begin_changer() for _ in range(draw.choice((1, 1, 2, 3)))]
        self._reopens_at: float | None = None
        self._restored = 0

    def run(self) -> Counts:
        """Raises Violation or StuckError."""
        schedule = self._schedule
        try:
            schedule.run(STEPS, self._befall, lambda: False)
            self._crash_one()
            schedule.run(STEPS // 4, self._befall, lambda: False)
            self._heal()
            schedule.run(SETTLE_STEPS, _nothing, self._settled)
            self._check_settled()
        finally:
            schedule.close(self._threads)
        for process in self._processes + self._ended:
            for name in ("remembered", "allowed", "refused", "unavailable"):
                setattr(self.counts, name, getattr(self.counts, name) + getattr(process, name))
        self.counts.steps = schedule.steps
        self.counts.changes = sum(changer.made for changer in self._all_changers)
        return self.counts

    # ------------------------------------------------------------ who is there

    def _clock(self) -> Clock:
        rates = WILD_RATES if self._database.wrong == "wild clocks" else RATES
        return Clock(self._schedule, self._draw.random() * 1000, self._draw.choice(rates))

    def _begin_process(self) -> None:
        self._names += 1
        longer = self._unequal and self._draw.random() < 0.5
        process = Process(
            self._rule,
            self._database,
            f"p{self._names}",
            self._clock(),
            lease_seconds=LEASE_SECONDS * (LONGER if longer else 1),
        )
        process.start(verifiers=self._draw.choice((1, 1, 2)))
        self._threads += [actor.thread for actor in process.actors]
        self._processes.append(process)

    def _begin_changer(self) -> Changer:
        self._names += 1
        changer = Changer(
            self._rule,
            self._database,
            f"p{self._names}",
            self._clock(),
            count=self._draw.randint(3, 12),
            pause=self._pause,
        )
        self._threads.append(changer.actor.thread)
        self._all_changers.append(changer)
        return changer

    # ------------------------------------------------------------ what befalls them

    def _befall(self) -> None:
        self._reopen()
        database, draw = self._database, self._draw
        what = draw.random()
        if what < 0.20:
            self._stop_process()
        elif what < 0.35:
            self._crash_one()
        elif what < 0.40:
            self._crash_changer(draw.randrange(len(self._changers)))
        elif what < 0.55:
            name = draw.choice(self._processes + self._changers).name
            database.cut_off.symmetric_difference_update({name})
        elif what < 0.80:
            database.run_late(draw)
        elif what < 0.88:
            database.prune(draw)
        elif what < 0.94:
            database.back_up()
        else:
            self._restore()

    def _stop_process(self) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        until = self._schedule.turns + self._draw.choice((20, 200, 1000))
        for actor in self._draw.choice(self._processes).actors:
            actor.stalled_until = until

    def _crash_one(self) -> None:
        """Killed, or asked to end; and another begins."""
        process = self._draw.choice(self._processes)
        if self._draw.random() < 0.7:
            for actor in process.actors:
                self._schedule.end(actor)
            self._processes.remove(process)
            self._ended.append(process)
        else:
            process.stopping = True
        if len(self._processes) < self._processes_max:
            self._begin_process()
        self.counts.restarts += 1

    def _crash_changer(self, number: int) -> None:
        """The change stands or does not; who asked for it is never told."""
        self._schedule.end(self._changers[number].actor)
        self._changers[number] = self._begin_changer()

    def _restore(self) -> None:
        """Closed for longer than any lease lasts, so that nobody answers from before.

        Either the epochs go on above all that there ever were, or no change is under way.
        """
        if self._reopens_at is not None:
            return
        draw, wrong = self._draw, self._database.wrong
        self.counts.restores += 1
        as_it_was = wrong == "restored as it was"
        jump = not as_it_was and draw.random() < 0.5
        self._restored = self._database.restore(
            draw.choice(self._database.backups),
            cluster="c0" if as_it_was else f"c{self.counts.restores}",
            replay=draw.random() < 0.7,
            jump=JUMP if jump else 0,
        )
        closed = 0.0 if wrong == "restored at once" else GUARD_SECONDS
        self._reopens_at = self._schedule.now + closed
        if not jump:
            for number in range(len(self._changers)):
                self._crash_changer(number)

    def _reopen(self) -> None:
        if self._reopens_at is not None and self._schedule.now >= self._reopens_at:
            self._reopens_at = None
            self._database.open = True
            self._database.returned = max(self._database.returned, self._restored)

    # ------------------------------------------------------------ and in the end

    def _heal(self) -> None:
        database = self._database
        if self._reopens_at is not None:
            self._schedule.now = max(self._schedule.now, self._reopens_at)
            self._reopen()
        database.loss = 0.0
        database.cut_off.clear()
        while database.late:
            database.run_late(self._draw)
        self._schedule.calm = True
        self._begin_process()
        for changer in self._changers:
            changer.left = min(changer.left, 1)
        self._seen = {process: process.remembered for process in self._processes}

    def _changed(self) -> bool:
        return not any(changer.left for changer in self._changers)

    def _settled(self) -> bool:
        return self._changed() and (
            all(self._database.state.answer(key) is None for key in self._database.asked)
            or all(p.remembered > seen or p.stopping for p, seen in self._seen.items())
        )

    def _check_settled(self) -> None:
        if not self._changed():
            raise StuckError("a change does not return")
        if not self._settled():
            raise StuckError("a process never answers from memory again")


def _nothing() -> None:
    return


def run(rule: Rule, seed: int, wrong: str = "") -> Counts:
    """Raises Violation or StuckError."""
    return Simulation(rule, seed, wrong).run()


__all__ = ["Counts", "StuckError", "Violation", "run"]
