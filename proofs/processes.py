"""What runs in a process: its keeper, its verifiers, and the changes that somebody makes there."""

from __future__ import annotations

import itertools
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from keyhalt.core.decisions import Allowed, Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.permissions import Catalogue
from keyhalt.usecases.ports import StoreUnavailableError
from proofs.database import Loop, SimLedger, SimReader
from proofs.people import DATASOURCE, HERE, KEYS, PRESENTED, USERS
from proofs.schedule import BEGAN, BETWEEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.principals import Principal
    from proofs.database import Answer, Database, State
    from proofs.rule import Rule
    from proofs.schedule import Actor, Clock

LEASE_SECONDS = 1.0
POLL_SECONDS = 0.25
AGAIN_SECONDS = 0.05


class Violation(Exception):  # noqa: N818 - a verdict
    """Something was answered that no moment since the last change that returned would answer."""


class _Monotonic:
    def __init__(self, clock: Clock) -> None:
        self.monotonic = clock


class Process:
    """One worker: a page, a memory, and the actors that use them."""

    def __init__(
        self, rule: Rule, database: Database, name: str, clock: Clock, lease_seconds: float
    ) -> None:
        schedule = database.schedule
        self.name = name
        self.clock = clock
        self._rule = rule
        self._database = database
        self._schedule = schedule
        self.ledger = SimLedger(database, name)
        self.page = rule.leases.Page(1)
        self.keep_lease = rule.keep_lease.KeepLease(
            page=self.page,
            ledger=self.ledger,
            clock=clock,
            process=name,
            lease_seconds=lease_seconds,
        )
        self._loop = Loop(schedule)
        no_use: Any = None
        self.verify = rule.verify.Verify(
            reader=SimReader(database, name, self._loop),
            memory=rule.freshness.Memory(schedule.random.choice((1, 2, 10))),
            freshness=self.page,
            catalogue=Catalogue(()),
            here=HERE,
            recorder=no_use,
            use=SimpleNamespace(allowed=None),
            clock=_Monotonic(clock),
            find_in_url=lambda _: None,
        )
        self.actors: list[Actor] = []
        self.stopping = False
        self.remembered = self.allowed = self.refused = self.unavailable = 0

    def start(self, *, verifiers: int = 2) -> None:
        self._start("keeper", self._keep)
        for number in range(verifiers):
            self._start(f"verifier {number}", self._verify_for_ever)

    def _start(self, what: str, work: Callable[[], None]) -> None:
        actor = self._schedule.start(f"{self.name} {what}", self.clock, work)
        actor.loop = self._loop
        self.actors.append(actor)

    # ------------------------------------------------------------ the keeper

    def _keep(self) -> None:
        while not self.stopping:
            try:
                if self.keep_lease.turn():
                    self._schedule.sleep(POLL_SECONDS * self._schedule.random.random())
            except StoreUnavailableError:
                self._schedule.sleep(AGAIN_SECONDS)
        with suppress(StoreUnavailableError):
            self.keep_lease.stop()

    # ------------------------------------------------------------ verifiers

    def _verify_for_ever(self) -> None:
        draw = self._schedule.random
        while True:
            self.look(draw.choice(self._database.asked))
            if self._schedule.calm or draw.random() < 0.6:
                self._schedule.sleep(draw.random() * POLL_SECONDS)

    def look(self, key: int) -> None:
        """One request, and the oracle: what had returned before it began is what it must know."""
        since = self._database.returned
        self._schedule.step(BEGAN)
        self._loop.enter()
        try:
            decision = self._decide(key)
        finally:
            self._loop.leave()
        if isinstance(decision, Denied) and decision.reason is Reason.UNAVAILABLE:
            self.unavailable += 1
            return
        answer: Answer = None
        if isinstance(decision, Allowed):
            self.allowed += 1
            answer = decision.principal.permissions
        else:
            self.refused += 1
        if not self._database.right(key, answer, since):
            raise Violation(
                f"{self.name}: key {key} answered {answer}, moment {since} had returned"
            )

    def _decide(self, key: int) -> Allowed | Denied:
        presented = PRESENTED[key]
        known: Principal | Denied | None = self.verify.remembered(
            presented.only_key, presented.over_https
        )
        if known is not None:
            self.remembered += 1
            return known if isinstance(known, Denied) else Allowed(known)
        asking = self.verify.verify(presented)
        try:
            asking.send(None)
        except StopIteration as done:
            decision: Allowed | Denied = done.value
            return decision
        raise AssertionError("the reader does not wait")


class _Watch:
    """A clock that can be made to say, once, what it said before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.early: float | None = None

    def __call__(self) -> float:
        now = self._clock()
        early, self.early = self.early, None
        return now if early is None else early


class Changer:
    """Somebody who makes changes, one after another, in a process without a page of its own."""

    def __init__(
        self, rule: Rule, database: Database, name: str, clock: Clock, *, count: int, pause: float
    ) -> None:
        self.name = name
        self.left = count
        self._pause = pause
        self.made = 0
        self._database = database
        self._schedule = database.schedule
        self._longest = LEASE_SECONDS
        self._watch = _Watch(clock)
        self._wait = rule.keep_lease.WaitForAll(
            ledger=SimLedger(database, name),
            clock=self._watch,
            sleep=database.schedule.sleep,
            longest=lambda: self._longest,
        )
        self.actor = database.schedule.start(name, clock, self.work)

    def work(self) -> None:
        draw = self._schedule.random
        while self.left:
            self._schedule.sleep(draw.random() * self._pause)
            change = self._draw_change()
            for _ in range(draw.choice((1, 1, 1, 2))):  # a repeated call promises the same
                self._change(change)
            self.left -= 1

    def _change(self, change: Callable[[], tuple[int, int]]) -> None:
        database, wrong = self._database, self._database.wrong
        done: list[tuple[int, int, bool]] = []

        def statement() -> None:
            before = len(database.moments)
            self._longest = max(LEASE_SECONDS, database.longest_lease())
            done.append((*change(), len(database.moments) == before))

        if wrong == "wait from before the commit":
            self._watch.early = self._watch()
        try:
            database.ask(self.name, statement)
        except StoreUnavailableError:
            self._watch.early = None
            if done and wrong == "unknown commit is done":
                self._return(done[0][1])
            return  # 503: nothing was promised
        epoch, moment, repeated = done[0]
        if not (repeated and wrong == "repeat returns at once"):
            self._wait.wait(epoch)
        self._return(moment)

    def _epoch_first(self, make: Callable[[State], None], subjects: list[int]) -> tuple[int, int]:
        epoch = self._database.raise_epoch(*subjects)
        self._schedule.step(BETWEEN)
        make(self._database.state)
        return epoch, self._database.remember_moment()

    def _return(self, moment: int) -> None:
        self._database.returned = max(self._database.returned, moment)
        self.made += 1

    def _draw_change(self) -> Callable[[], tuple[int, int]]:
        draw, database = self._schedule.random, self._database
        if draw.random() < 0.15:
            key = draw.choice(tuple(KEYS))
            return lambda: database.delete_key(key)
        narrow = database.narrow and draw.random() < 0.8
        make, *subjects = CHANGES[0] if narrow else draw.choice(CHANGES)
        if database.wrong == "epoch before the change":
            return lambda: self._epoch_first(make, subjects)
        return lambda: database.change(make, *subjects)


def _activate(user: int) -> Callable[[State], None]:
    return lambda state: state.inactive.discard(user)


def _deactivate(user: int) -> Callable[[State], None]:
    return lambda state: state.inactive.add(user)


def _regrant(*roles: int) -> Callable[[State], None]:
    """Another set than any before, so that an answer tells how old it is."""

    def make(state: State) -> None:
        for role in roles:
            state.roles[role] = next(_SETS)

    return make


def _set_datasource(*, active: bool) -> Callable[[State], None]:
    def make(state: State) -> None:
        state.datasource_active = active

    return make


_SETS = itertools.count(2)
_DATASOURCE = subject(Kind.DATASOURCE, DATASOURCE)
CHANGES: list[tuple[Callable[[State], None], *tuple[int, ...]]] = [
    (_regrant(USERS[KEYS[1]]), subject(Kind.ROLE, USERS[KEYS[1]])),
    *[(_activate(user), subject(Kind.USER, user)) for user in USERS] * 2,
    *[(_deactivate(user), subject(Kind.USER, user)) for user in USERS],
    *[(_regrant(role), subject(Kind.ROLE, role)) for role in USERS.values()] * 2,
    (_set_datasource(active=True), _DATASOURCE),
    (_set_datasource(active=True), _DATASOURCE),
    (_set_datasource(active=False), _DATASOURCE),
    (_regrant(*USERS.values()),),
]
"""How each changes the state, and whom it concerns."""
