"""A database in memory with the behaviour of the SQL, and with everything that can go wrong.

Statements are atomic. Any of them may fail before it ran, or run and lose its answer, or lose its
answer first and run later. A restore brings back an earlier state under another cluster.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from keyhalt.core.leases import EVERYTHING, Kind, subject
from keyhalt.usecases.ports import StoreUnavailableError
from proofs.people import KEYS, USERS, facts_of
from proofs.schedule import SENT

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from keyhalt.core.principals import KeyFacts
    from proofs.rule import Rule
    from proofs.schedule import Schedule

T = TypeVar("T")
Answer = int | None
"""What asking for a key gives: what its owner's role grants, or None for a denial."""


@dataclass(slots=True)
class State:
    """Everything that is restored together. `deleted`: key to (epoch, moment) of its delete."""

    cluster: str = "c0"
    epoch: int = 1
    log: dict[int, tuple[int, ...]] = field(default_factory=dict)
    holders: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """(process, incarnation) to [alive, acknowledged, lease]."""
    deleted: dict[int, tuple[int, int]] = field(default_factory=dict)
    inactive: set[int] = field(default_factory=set)
    roles: dict[int, int] = field(default_factory=lambda: dict.fromkeys(USERS.values(), 1))
    datasource_active: bool = True

    def answer(self, key: int) -> Answer:
        user = KEYS[key]
        if key in self.deleted or user in self.inactive or not self.datasource_active:
            return None
        return self.roles[USERS[user]]


@dataclass
class Database:
    schedule: Schedule
    rule: Rule
    state: State = field(default_factory=State)
    wrong: str = ""
    """What is done wrong in this simulation (proofs/faults.py)."""
    narrow: bool = False
    """Everybody asks for the same key, and most changes concern it."""
    open: bool = True
    cut_off: set[str] = field(default_factory=set)
    """Processes that cannot reach it."""
    late: list[Callable[[], object]] = field(default_factory=list)
    """Statements that run later, though whoever sent them has given up on them."""
    moments: list[dict[int, Answer]] = field(default_factory=list)
    """What every key's answer was after each change: the oracle's history."""
    returned: int = 0
    """The newest moment whose change has returned to whoever made it."""
    incarnations: int = 0
    highest: int = 1
    """Of all epochs that there ever were."""
    backups: list[State] = field(default_factory=list)
    loss: float = 0.0

    def __post_init__(self) -> None:
        self.remember_moment()
        self.backups.append(copy.deepcopy(self.state))

    def remember_moment(self) -> int:
        self.moments.append({key: self.state.answer(key) for key in KEYS})
        return len(self.moments) - 1

    @property
    def asked(self) -> tuple[int, ...]:
        """The keys that verifiers ask for."""
        return (1,) if self.narrow else tuple(KEYS)

    def right(self, key: int, answer: Answer, since: int) -> bool:
        """Whether `answer` was right at some moment from `since` on."""
        return any(moment[key] == answer for moment in self.moments[since:])

    # ------------------------------------------------------------ one statement

    def ask(self, process: str, statement: Callable[[], T]) -> T:
        """On its way, done, and the answer on its way back."""
        step, draw = self.schedule.step, self.schedule.random
        step(SENT)
        if not self.reachable(process):
            if self.open and draw.random() < 0.2:
                self.late.append(statement)
            raise StoreUnavailableError("unreachable")
        if self.loss and draw.random() < self.loss:
            self.late.append(statement)
            raise StoreUnavailableError("gave up waiting")
        answer = statement()
        step(SENT)
        if not self.reachable(process) or (self.loss and draw.random() < self.loss):
            raise StoreUnavailableError("no answer")
        return answer

    def reachable(self, process: str) -> bool:
        return self.open and process not in self.cut_off

    def run_late(self, draw: random.Random) -> None:
        if self.late and self.open:
            self.late.pop(draw.randrange(len(self.late)))()

    # ------------------------------------------------------------ changes of rights

    def delete_key(self, key: int) -> tuple[int, int]:
        """(epoch, moment). A repeated delete gives those of the first."""
        state = self.state
        if key not in state.deleted:
            concerned = subject(Kind.KEY, key)
            state.deleted[key] = (self.raise_epoch(concerned), len(self.moments))
            self.remember_moment()
        return state.deleted[key]

    def change(self, make: Callable[[State], None], *subjects: int) -> tuple[int, int]:
        """(epoch, moment). No subjects: it concerns everybody."""
        make(self.state)
        return self.raise_epoch(*subjects), self.remember_moment()

    def raise_epoch(self, *subjects: int) -> int:
        self.state.epoch += 1
        self.highest = max(self.highest, self.state.epoch)
        self.state.log[self.state.epoch] = subjects or (EVERYTHING,)
        return self.state.epoch

    # ------------------------------------------------------------ what befalls it

    def prune(self, draw: random.Random) -> None:
        """All up to some epoch, as the product does; or any one, which it never should."""
        log = self.state.log
        if log and draw.random() < 0.5:
            last = draw.choice(list(log))
            for epoch in [each for each in log if each <= last]:
                del log[epoch]
        elif log:
            del log[draw.choice(list(log))]

    def back_up(self) -> None:
        self.backups.append(copy.deepcopy(self.state))

    def restore(self, backup: State, *, cluster: str, replay: bool, jump: int) -> int:
        """Bring `backup` back, closed. Returns the moment.

        `replay`: the deletes since, too. `jump`: how far above the highest epoch it begins.
        """
        since = self.state.deleted
        self.state = copy.deepcopy(backup)
        self.state.cluster = cluster
        # Above all that there ever were, in states that were restored away, too.
        self.state.epoch = self.highest + jump if jump else self.state.epoch
        self.open = False
        self.late.clear()
        for key in since if replay else ():
            if key not in self.state.deleted:
                self.state.deleted[key] = (self.raise_epoch(subject(Kind.KEY, key)), since[key][1])
        return self.remember_moment()

    def longest_lease(self) -> float:
        """What a change asks for within its transaction; nobody joins meanwhile."""
        if self.wrong == "a longer lease":
            return 0.0
        return max((row[2] for row in self.state.holders.values() if row[0]), default=0.0)


class SimLedger:
    """Implements Ledger for one process."""

    def __init__(self, database: Database, process: str) -> None:
        self._database = database
        self._process = process

    def _ask(self, statement: Callable[[], T]) -> T:
        return self._database.ask(self._process, statement)

    @property
    def _state(self) -> State:
        return self._database.state

    def join(self, process: str, lease_seconds: float) -> object:
        database = self._database

        def statement() -> object:
            database.incarnations += 1
            incarnation = f"i{database.incarnations}"
            if database.wrong == "join replaces":
                for other in [each for each in self._state.holders if each[0] == process]:
                    del self._state.holders[other]
            early = database.wrong == "join acknowledges"
            known = self._state.epoch if early else -1
            self._state.holders[process, incarnation] = [True, known, lease_seconds]
            return database.rule.keep_lease.Holder(process, incarnation)

        return self._ask(statement)

    def leave(self, holder: object) -> None:
        self._ask(lambda: self._state.holders.pop(_id(holder), None))

    def standing(self, holder: object) -> object:
        def statement() -> object:
            row = self._state.holders.get(_id(holder))
            if row is None or not (row[0] or self._database.wrong == "the dead live"):
                return None
            standing = self._database.rule.keep_lease.Standing
            return standing(self._state.cluster, self._state.epoch, row[1])

        return self._ask(statement)

    def changes(self, after: int, upto: int) -> Sequence[tuple[int, Sequence[int]]]:
        return self._ask(
            lambda: [(n, s) for n, s in sorted(self._state.log.items()) if after < n <= upto]
        )

    def acknowledge(self, holder: object, epoch: int) -> None:
        def statement() -> None:
            row = self._state.holders.get(_id(holder))
            alive = row is not None and (row[0] or self._database.wrong == "the dead live")
            if row is not None and alive and row[1] < epoch:
                row[1] = epoch

        self._ask(statement)

    def living(self, epoch: int) -> object:
        names = self._database.rule.keep_lease

        def statement() -> object:
            alive = {who: row[1] for who, row in self._state.holders.items() if row[0]}
            behind = [names.Holder(*who) for who, known in alive.items() if known < epoch]
            return names.Living(len(alive), behind)

        return self._ask(statement)

    def fence(self, holders: Sequence[object], epoch: int) -> None:
        def statement() -> None:
            for holder in holders:
                row = self._state.holders.get(_id(holder))
                always = self._database.wrong == "fence whoever was behind"
                if row is not None and (row[1] < epoch or always):
                    row[0] = False

        self._ask(statement)


def _id(holder: object) -> tuple[str, str]:
    return holder.process, holder.incarnation  # type: ignore[attr-defined]


class SimReader:
    """Implements CredentialReader: while a statement is under way, others use the event loop."""

    def __init__(self, database: Database, process: str, loop: Loop) -> None:
        self._database = database
        self._process = process
        self._loop = loop

    async def key(self, key_id: int) -> KeyFacts | None:
        self._loop.leave()
        try:
            return self._database.ask(self._process, lambda: facts_of(key_id, self._database.state))
        finally:
            self._loop.enter()


class Loop:
    """An event loop: one request at a time is in it, except while it waits for the database."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._busy = False

    def enter(self) -> None:
        self._schedule.wait_until(lambda: not self._busy)
        self._busy = True

    def leave(self) -> None:
        self._busy = False


class LoopEvent:
    """asyncio.Event for the tasks of one Loop."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._loop: Loop = schedule.current.loop
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    async def wait(self) -> None:
        self._loop.leave()
        try:
            self._schedule.wait_until(lambda: self._is_set)
        finally:
            self._loop.enter()
