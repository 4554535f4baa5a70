"""A verifier against the keeper of its page: every order of their steps with one interruption.

The simulation draws orders; here, where the windows are a line wide, all of them are tried. After
each the verifier asks once more, when everything is done and the change has returned.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from keyhalt.core.decisions import Allowed, decide_key
from keyhalt.core.freshness import imprint_of
from keyhalt.core.leases import EVERYTHING, Kind, subject
from proofs.database import State
from proofs.people import CLAIMS, HERE, PRESENTED, TEXTS, facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.rule import Rule

MINE, OTHER = subject(Kind.KEY, 1), subject(Kind.KEY, 2)
LEASE_SECONDS = 10.0


class Overlooked(Exception):  # noqa: N818 - a verdict
    """A change that had returned did not count."""


class Stage:
    """A page that has applied epoch 5, a memory that holds key 1 as of then, and a clock."""

    def __init__(self, rule: Rule) -> None:
        self.now = 100.0
        self.rule = rule
        self.page: Any = rule.leases.Page(1)
        self.memory = rule.freshness.Memory(10)
        self.page.apply([], 5)
        self.page.extend(self.now + LEASE_SECONDS)
        decision = decide_key(CLAIMS[PRESENTED[1]], facts_of(1, State()), HERE)  # type: ignore[arg-type]
        assert isinstance(decision, Allowed)
        entry = rule.freshness.Entry(decision.principal, self.page.current)
        self.memory.keep(imprint_of(TEXTS[1]), entry)
        nothing: Any = None
        self.verify = rule.verify.Verify(
            reader=nothing,
            memory=self.memory,
            freshness=self.page,
            catalogue=nothing,
            here=HERE,
            recorder=nothing,
            use=SimpleNamespace(allowed=None),
            clock=SimpleNamespace(monotonic=lambda: self.now),
            find_in_url=lambda _: None,
        )

    def recall(self) -> object:
        key = PRESENTED[1]
        return self.verify.remembered(key.only_key, key.over_https)

    def catch_up(self, changes: list[tuple[int, tuple[int, ...]]], upto: int) -> None:
        self.page.apply(changes, upto)
        self.page.extend(self.now + LEASE_SECONDS)


@dataclass(frozen=True, slots=True)
class Scene:
    """`before` happens first; `keeper` runs beside the verifier.

    `returned`: my change has returned before the verifier begins, so it must not accept.
    """

    name: str
    keeper: Callable[[Stage], None]
    before: Callable[[Stage], None] | None = None
    returned: bool = True


def _lease_ran_out(stage: Stage) -> None:
    stage.now += 2 * LEASE_SECONDS


def _mine_applied(stage: Stage) -> None:
    stage.catch_up([(6, (MINE,))], 6)


def _other_applied(stage: Stage) -> None:
    stage.catch_up([(6, (OTHER,))], 6)


def _mine_next(stage: Stage) -> None:
    stage.catch_up([(7, (MINE,))], 7)


def _begin_anew(stage: Stage) -> None:
    stage.page.forget()
    stage.catch_up([], 6)


SCENES = (
    Scene("my change", _mine_applied, returned=False),
    Scene("everybody's", lambda stage: stage.catch_up([(6, (EVERYTHING,))], 6), returned=False),
    Scene("a gap at the end", lambda stage: stage.catch_up([], 6), returned=False),
    Scene("a gap before", lambda stage: stage.catch_up([(7, (OTHER,))], 7), returned=False),
    Scene("mine after another's", _mine_next, _other_applied, returned=False),
    Scene("my change, after a lease that ran out", _mine_applied, _lease_ran_out),
    Scene("anew after my change", _begin_anew, _mine_applied),
    Scene("another's after mine", lambda stage: stage.catch_up([(7, (OTHER,))], 7), _mine_applied),
    Scene("a gap after mine", lambda stage: stage.catch_up([], 8), _mine_applied),
)


def explore(rule: Rule, interruptions: int = 1) -> int:
    """Every order with as many interruptions of the verifier. Returns how many; or Overlooked."""
    orders = 0
    for scene in SCENES:
        for subjects_max in (1, 100):
            rule.leases.SUBJECTS_MAX = subjects_max
            for cuts in _cuts(rule, scene, interruptions):
                orders += 1
                _play(rule, scene, cuts)
    return orders


def _cuts(rule: Rule, scene: Scene, interruptions: int) -> Iterator[tuple[int, ...]]:
    """(steps of the verifier, steps of the keeper, ...), each once, all that differ."""
    verifier, keeper = _play(rule, scene, ())

    def extend(first: tuple[int, ...], left: int) -> Iterator[tuple[int, ...]]:
        yield first
        if left:
            for mine in range(1 if first else 0, verifier + 1 - sum(first[::2])):
                for its in range(1, keeper + 1 - sum(first[1::2])):
                    yield from extend((*first, mine, its), left - 1)

    yield from extend((), interruptions)


def _play(rule: Rule, scene: Scene, cuts: tuple[int, ...]) -> tuple[int, int]:
    """Returns how many steps each of the two made."""
    rule.step_with(_nowhere)
    stage = Stage(rule)
    if scene.before is not None:
        scene.before(stage)
    answers: list[object] = []
    hub = getcurrent()
    two = [
        greenlet(lambda: answers.append(stage.recall()), parent=hub),
        greenlet(lambda: scene.keeper(stage), parent=hub),
    ]
    steps = [0, 0]
    rule.step_with(lambda _: hub.switch())

    def run(who: int, count: int | None) -> None:
        while not two[who].dead and count != 0:
            two[who].switch()
            steps[who] += 1
            count = None if count is None else count - 1

    for number, count in enumerate(cuts):
        run(number % 2, count)
    run(0, None)
    run(1, None)
    rule.step_with(_nowhere)
    if scene.returned and answers[0] is not None:
        raise Overlooked(f"{scene.name}: in the order {cuts}")
    if stage.recall() is not None:
        raise Overlooked(f"{scene.name}: at the next request, after the order {cuts}")
    return steps[0], steps[1]


def _nowhere(_: int) -> None:
    return
