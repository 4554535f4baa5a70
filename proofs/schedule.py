"""Actors that run one at a time, in an order drawn from a seed, on clocks that run unevenly."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICKS = (0.0005, 0.005, 0.02, 0.1, 0.3, 1.0)
STALLS = (5, 30, 150, 600)
HOLD_UPS = ((30, 0.0), (100, 0.0), (300, 0.0), (30, 0.3), (30, 1.5), (100, 1.5), (30, 3.0))
"""For how many steps, and for how long."""
RUSH = 0.15
TRAPS = (0, 1, 2, 2, 4)
SENT, ANSWERED, ASKED_CLOCK, BEGAN, BETWEEN = -1, -2, -3, -4, -5
"""Places that are not in the rule: a statement on its way, its answer, a look at the clock."""


@dataclass(slots=True, eq=False)
class Clock:
    """A process's own: another zero and another rate than the others'."""

    schedule: Schedule
    zero: float
    rate: float

    def __call__(self) -> float:
        self.schedule.step(ASKED_CLOCK)
        return self.peek()

    def peek(self) -> float:
        return self.zero + self.schedule.now * self.rate


@dataclass(slots=True, eq=False)
class Actor:
    """One thread of a process. `wakes_at` is on the schedule's own clock."""

    name: str
    clock: Clock
    thread: greenlet
    wakes_at: float = 0.0
    stalled_until: int = 0
    blocked: Callable[[], bool] | None = None
    gone: bool = False
    loop: Any = None
    """The event loop that it is a task of, if it is one."""


@dataclass(eq=False)
class Schedule:
    """`step` is called by actors wherever another may run; `run` by nobody else."""

    seed: int
    sites: Sequence[range]
    """The places in each module of the rule."""
    actors: list[Actor] = field(default_factory=list)
    now: float = 0.0
    steps: int = 0
    turns: int = 0
    calm: bool = False
    """No stalls any more, and time passes only when all wait for it."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        draw = self.random
        self._stay = draw.choice((0.0, 0.4, 0.8, 0.95))
        # How often something happens, in a step; a turn has 1 / (1 - stay) of them.
        turn = 1 / (1 - self._stay)
        self._tick = turn * draw.choice((0.0007, 0.002, 0.006))
        self._stall = turn * draw.choice((0.0, 0.0005, 0.002))
        self._event = turn * draw.choice((0.0, 0.001, 0.004))
        self._rush_until = 0.0
        self._traps: dict[int, int] = {}
        # Some look at all of it, some only at what keepers and changes do, or at what verifiers do.
        self._skipped = {site for sites in draw.choice(self._views()) for site in sites}
        places = [site for site in range(BETWEEN, self.sites[-1].stop) if site not in self._skipped]
        for _ in range(draw.choice(TRAPS)):
            # Rare places are as likely as those that are passed all the time.
            self._set_trap(draw.choice(places))
        self._hub = getcurrent()
        self._current: Actor | None = None

    def _views(self) -> Sequence[Sequence[range]]:
        memory, page, keeping, verifying = self.sites
        return ((), (memory, page, verifying), (memory, page, verifying), (keeping, verifying))

    def start(self, name: str, clock: Clock, work: Callable[[], None]) -> Actor:
        actor = Actor(name, clock, greenlet(work, parent=self._hub))
        self.actors.append(actor)
        return actor

    def end(self, actor: Actor) -> None:
        """Never resume it: a crash, or the end of its work."""
        actor.gone = True

    @property
    def current(self) -> Actor:
        assert self._current is not None
        return self._current

    def step(self, site: int) -> None:
        if self._current is None or site in self._skipped:
            return
        self.steps += 1
        if site in self._traps:
            self._spring(site)
        elif self._stay and self.random.random() < self._stay:
            return
        self._hub.switch()

    def _set_trap(self, site: int) -> None:
        self._traps[site] = int(2 ** (self.random.random() * 6))

    def _spring(self, site: int) -> None:
        """Whoever comes by for the n-th time is held up there, for long."""
        self._traps[site] -= 1
        if self.calm or self._traps[site] > 0:
            return
        self._set_trap(site)
        steps, seconds = self.random.choice(HOLD_UPS)
        self.current.stalled_until = self.turns + int(steps * (1 - self._stay))
        self.current.wakes_at = self._rush_until = self.now + seconds

    def sleep(self, seconds: float) -> None:
        actor = self.current
        actor.wakes_at = self.now + seconds / actor.clock.rate
        self._hub.switch()

    def wait_until(self, free: Callable[[], bool]) -> None:
        """Until `free` says so; it is asked before each turn of this actor."""
        actor = self._current
        if actor is None:
            return  # it is being ended
        while not free():
            actor.blocked = free
            self._hub.switch()
        actor.blocked = None

    def run(self, steps: int, events: Callable[[], None], until: Callable[[], bool]) -> None:
        """Until `until` or for `steps` more steps. `events` happen now and then, unless calm."""
        draw = self.random.random
        last = self.steps + steps
        stall = self._tick + self._stall
        event = stall + self._event
        while self.steps < last:
            self.turns += 1
            if not self.turns & 63 and until():
                return
            x = 1.0 if self.calm else draw()
            if x < self._tick or (x < RUSH and self.now < self._rush_until):
                self.now += self.random.choice(TICKS)
            elif x < stall:
                actor = self.random.choice(self.actors)
                actor.stalled_until = self.turns + self.random.choice(STALLS)
            elif x < event:
                events()
            self._turn(draw)

    def _turn(self, draw: Callable[[], float]) -> None:
        actors = self.actors
        count = len(actors)
        at = int(draw() * count)
        turns = -1 if self.calm else self.turns
        for _ in range(count):
            at = at + 1 if at + 1 < count else 0
            actor = actors[at]
            if (
                actor.wakes_at <= self.now
                and (actor.stalled_until <= turns or turns < 0)
                and not actor.gone
                and (actor.blocked is None or actor.blocked())
            ):
                self._current = actor
                try:
                    actor.thread.switch()
                finally:
                    self._current = None
                if actor.gone or actor.thread.dead:
                    del actors[at]
                return
        self._pass_time()

    def _pass_time(self) -> None:
        self.steps += 1
        self.actors[:] = [actor for actor in self.actors if not actor.gone]
        waits = [actor.wakes_at for actor in self.actors if actor.wakes_at > self.now]
        self.now = min(waits, default=self.now)

    def close(self, threads: list[greenlet]) -> None:
        """End what still stands somewhere in the middle."""
        for thread in threads:
            if thread and not thread.dead:
                thread.throw(GreenletExit)
