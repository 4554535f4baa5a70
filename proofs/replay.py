"""What real processes wrote down, held against the rule: `python -m proofs.replay FOLDER`.

The folder has the journals of all processes of one environment on one machine, whose clock they
share (`KEYHALT_LEASE_JOURNAL`). Each step is looked at twice: beside those of its own process, in
their order, and beside what others did before it began or after it ended. A step is done at some
moment between its two clock readings; only what is wrong at each of them is called wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyhalt.core.leases import EVERYTHING, GUARD_FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDING = 1e-6
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Step:
    """One line. `number`: of the line; `told`: what belongs to this kind of step."""

    file: str
    number: int
    name: str
    began: float
    ended: float
    told: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Unknown whether it was done, or will be."""
        return bool(self.told.get("failed"))

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.told.items())
        return f"{self.file}:{self.number} {self.name} {told}"


@dataclass
class Verdict:
    steps: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ("extend", "acknowledge", "fence", "return", "look", "unaffected")
        counts = ", ".join(f"{self.steps[name]:,} {name}" for name in names)
        steps = f"{self.steps.total():,} steps ({counts})"
        return f"{self.processes} journals, {steps}, {len(self.wrong)} wrong"


def read(folder: Path) -> list[list[Step]]:
    """Of each process, in its order. A last line that is not whole was cut off with its process."""
    return [steps_of(file.name, file.read_text()) for file in sorted(folder.glob("*.jsonl"))]


def steps_of(name: str, text: str) -> list[Step]:
    steps = []
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        told = json.loads(line)
        common = (told.pop(each) for each in ("step", "began", "ended"))
        steps.append(Step(name, number, *common, told))
    return steps


def check(journals: list[list[Step]]) -> Verdict:
    verdict = Verdict(processes=len(journals))
    for steps in journals:
        verdict.steps.update(step.name for step in steps)
        verdict.wrong += Process(steps).wrong
    verdict.wrong += Together(journals).wrong
    return verdict


class Process:
    """The steps of one process in their order: what its keeper may do next, and until when."""

    def __init__(self, steps: list[Step]) -> None:
        self.wrong: list[str] = []
        self._lease = float(steps[0].told["lease"]) if steps else 0.0
        self._life: str | None = None
        self._applied = -1
        self._deadline = 0.0
        self._last: Step | None = None
        for step in steps:
            rule = getattr(self, f"_{step.name.replace(' ', '_')}", None)
            if rule is not None:
                rule(step)

    def _require(self, true: object, step: Step, why: str) -> None:
        if not true:
            self.wrong.append(f"{step}: {why}")

    def _join(self, step: Step) -> None:
        self._require(not self._deadline, step, "joined while it held a lease")
        self._life = None if step.failed else step.told["life"]

    def _standing(self, step: Step) -> None:
        self._require(step.told["life"] == self._life, step, "asked about another life")
        self._last = step

    def _extend(self, step: Step) -> None:
        last, self._last = self._last, None
        self._deadline = step.told["deadline"]
        if last is None or last.name != "standing" or last.failed or "dead" in last.told:
            self.wrong.append(f"{step}: no look at the database proves it")
            return
        seen = last.told["epoch"]
        known = last.told["acknowledged"] == seen == self._applied
        self._require(known, step, f"{last} and {self._applied} applied do not prove it")
        late = self._deadline - self._lease - last.began
        self._require(late <= ROUNDING, step, f"{late:.6f} s longer than its look proves")

    def _changes(self, step: Step) -> None:
        self._require(step.told["after"] == self._applied, step, "not what comes next")
        self._last = step

    def _apply(self, step: Step) -> None:
        last, self._last = self._last, None
        asked = last is not None and last.name == "changes" and not last.failed
        good = asked and last is not None and last.told["upto"] == step.told["epoch"]
        self._require(good, step, "not what was read of the log")
        self._require(step.told["epoch"] >= self._applied, step, "backwards")
        self._applied = step.told["epoch"]

    def _acknowledge(self, step: Step) -> None:
        self._require(step.told["epoch"] <= self._applied, step, f"{self._applied} is applied")
        self._require(step.told["life"] == self._life, step, "for another life")

    def _give_up(self, _step: Step) -> None:
        self._deadline = 0.0

    def _leave(self, step: Step) -> None:
        self._require(not self._deadline, step, "left while it held a lease")
        self._life = None

    def _forget(self, _step: Step) -> None:
        self._applied, self._deadline = -1, 0.0


class Together:
    """All steps on one clock: what somebody was told holds for whoever asks later."""

    def __init__(self, journals: list[list[Step]]) -> None:
        self.wrong: list[str] = []
        self._journals = [steps for steps in journals if steps]
        self._lease = max((float(each[0].told["lease"]) for each in self._journals), default=0.0)
        self._all = sorted((step for each in journals for step in each), key=lambda s: s.began)
        self._returned = Known((s.ended, s.told["epoch"]) for s in self._named("return"))
        self._told: dict[str, Known] = {}
        """What each life may have acknowledged, from when it was sent."""
        for life, steps in _by_life(s for s in self._all if s.name == "acknowledge").items():
            self._told[life] = Known((step.began, step.told["epoch"]) for step in steps)
        self._check_epochs()
        self._check_lives()
        self._check_who_is_behind()
        self._check_fences()
        for steps in self._journals:
            self._check_waits(steps)
            self._check_leases(steps)
            self._check_memory(steps)

    def _named(self, *names: str) -> list[Step]:
        return [step for step in self._all if step.name in names and not step.failed]

    def _require(self, true: object, step: Step, why: str) -> None:
        if not true:
            self.wrong.append(f"{step}: {why}")

    def _check_epochs(self) -> None:
        """The database's epoch never falls; nothing counts on one before what has returned."""
        looks = [step for step in self._named("standing") if "dead" not in step.told]
        known = Known(
            [(step.ended, step.told["epoch"]) for step in looks]
            + [(step.began, step.told["epoch"]) for step in self._named("wait")]
        )
        for step in looks:
            least = known.before(step.began)
            self._require(step.told["epoch"] >= least, step, f"it was {least} before")
        for step in self._named("look"):
            returned = self._returned.before(step.began)
            self._require(step.told["epoch"] >= returned, step, f"{returned} had returned")

    def _check_lives(self) -> None:
        """The dead stay dead; what was acknowledged stays so, and nothing else is."""
        stored = {
            life: Known((step.ended, step.told["epoch"]) for step in steps)
            for life, steps in _by_life(self._named("acknowledge")).items()
        }
        for life, steps in _by_life(self._named("standing")).items():
            died = min((s.ended for s in steps if "dead" in s.told), default=NEVER)
            for step in (each for each in steps if "dead" not in each.told):
                self._require(step.began <= died, step, "the dead live")
                least = stored.get(life, NOTHING).before(step.began)
                most = self._told.get(life, NOTHING).before(step.ended)
                found = step.told["acknowledged"]
                self._require(least <= found <= most, step, f"it told between {least} and {most}")

    def _check_who_is_behind(self) -> None:
        """Whoever has joined and neither acknowledged, left nor been fenced is among them."""
        gone: dict[str, float] = {}
        for step in self._all:
            lives = step.told["lives"] if step.name == "fence" else [step.told.get("life", "")]
            for life in lives if step.name in {"fence", "leave"} else ():
                gone.setdefault(life, step.began)
        names = {each[0].file: each[0].told["process"] for each in self._journals}
        buried = {step.told["process"]: step.began for step in self._named("bury")}
        joins = self._named("join")
        for step in self._named("living"):
            for join in (each for each in joins if each.ended < step.began):
                life, process = join.told["life"], names[join.file]
                told = self._told.get(life, NOTHING).before(step.ended)
                ended = min(gone.get(life, NEVER), buried.get(process, NEVER))
                behind = told < step.told["epoch"] and ended > step.ended
                listed = life in step.told["behind"]
                self._require(listed or not behind, step, f"{life} is behind, too")

    def _check_fences(self) -> None:
        """Nobody is declared dead who may hold a lease."""
        extended: dict[str, float] = {}
        for steps in self._journals:
            life = ""
            for step in steps:
                life = step.told["life"] if step.name == "standing" else life
                if step.name == "extend":
                    extended[life] = max(extended.get(life, 0.0), step.told["deadline"])
        for step in (each for each in self._all if each.name == "fence"):
            for life in step.told["lives"]:
                knew = self._told.get(life, NOTHING).before(step.ended) >= step.told["epoch"]
                over = extended.get(life, 0.0) <= step.ended
                self._require(knew or over, step, f"{life} holds a lease")

    def _check_waits(self, steps: list[Step]) -> None:
        """A change returns when nobody is behind, or when its time is over; a fence only then."""
        guard = GUARD_FACTOR * self._lease - ROUNDING
        last: dict[int, Step] = {}
        began: dict[int, float] = {}
        for step in steps:
            epoch = step.told.get("epoch", -1)
            if step.name == "wait":
                began.setdefault(epoch, step.began)
            elif step.name == "living":
                last[epoch] = step
            elif step.name == "fence":
                over = step.began - began.get(epoch, NEVER) >= guard
                self._require(over, step, "too early")
            elif step.name == "return":
                asked = last.get(epoch)
                nobody = asked is not None and not asked.failed and not asked.told["behind"]
                self._require(nobody or step.ended - step.began >= guard, step, "too early")

    def _check_leases(self, steps: list[Step]) -> None:
        """While a process may answer from memory, it has applied whatever has returned."""
        buried = min(
            (s.began for s in self._named("bury") if s.told["process"] == steps[0].told["process"]),
            default=NEVER,
        )
        deadline, applied, since = 0.0, -1, 0.0
        for at, step in enumerate(steps):
            if step.name == "extend":
                deadline = step.told["deadline"]
            elif step.name == "apply":
                applied = step.told["epoch"]
            elif step.name in {"give up", "forget"}:
                deadline = 0.0
            else:
                continue
            since = step.ended
            later = (
                s for s in steps[at + 1 :] if s.name in {"extend", "apply", "give up", "forget"}
            )
            until = min(deadline, buried, next((s.began for s in later), NEVER))
            returned = self._returned.before(until)
            if since < until:
                self._require(returned <= applied, step, f"{returned} returned while it counted")

    def _check_memory(self, steps: list[Step]) -> None:
        """What was called unaffected was concerned by nothing that had been applied since."""
        subjects = {
            epoch: set(concerned)
            for step in self._named("changes")
            for epoch, concerned in step.told["changes"]
        }
        applied = -1
        for step in steps:
            if step.name == "apply":
                applied = step.told["epoch"]
            elif step.name == "unaffected":
                mine = {EVERYTHING, *step.told["subjects"]}
                since = range(step.told["since"] + 1, applied + 1)
                concerned = [each for each in since if subjects.get(each, mine) & mine]
                self._require(not concerned, step, f"{concerned} concerned it")


class Known:
    """Numbers that became known one after another: the highest at each moment."""

    def __init__(self, known: Iterable[tuple[float, int]] = ()) -> None:
        ordered = sorted(known)
        self._times = [at for at, _ in ordered]
        self._highest = list(accumulate((number for _, number in ordered), max))

    def before(self, at: float) -> int:
        """-1 where there was none."""
        count = bisect_left(self._times, at)
        return self._highest[count - 1] if count else -1


NOTHING = Known()


def _by_life(steps: Iterable[Step]) -> dict[str, list[Step]]:
    lives: dict[str, list[Step]] = {}
    for step in steps:
        lives.setdefault(step.told["life"], []).append(step)
    return lives


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs.replay", description=__doc__)
    parser.add_argument("folder", type=Path)
    journals = read(parser.parse_args().folder)
    if not journals:
        print("there are no journals")
        return 2
    verdict = check(journals)
    print(verdict, *verdict.wrong[:20], sep="\n")
    return int(bool(verdict.wrong))


if __name__ == "__main__":
    sys.exit(main())
