"""What real processes write down is held against the rule, and what breaks it is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proofs.faults import Fault
from proofs.replay import Step, check, read

from keyhalt.core.leases import EVERYTHING
from keyhalt.storage.postgres import Database
from proofs import agents
from tests.postgres import Server
from tests.world import World, make_world

Journals = list[list[Step]]


@pytest.fixture(scope="module")
def world(any_postgres: Server | str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if isinstance(any_postgres, str):
        pytest.skip(any_postgres)
    url = any_postgres.create()
    made = make_world(tmp_path_factory.mktemp("replay") / "data", database=Database(url))
    yield made
    made.close()
    any_postgres.drop(url)


@pytest.fixture(scope="module")
def journals(world: World, tmp_path_factory: pytest.TempPathFactory) -> Journals:
    """Of two keepers, five changes, one that was held up and fenced, and one that stopped."""
    folder = tmp_path_factory.mktemp("journals")
    agents.run(world, folder)
    return read(folder)


def test_real_keepers_and_changes_follow_the_rule(journals: Journals) -> None:
    """Every step of them is what the document allows, and each kind of step was seen."""
    verdict = check(journals)
    assert verdict.wrong == []
    for step in ("join", "extend", "acknowledge", "fence", "return", "leave", "look"):
        assert verdict.steps[step] > 0, step


def test_there_are_broken_agents_of_each_kind() -> None:
    """A fault that was renamed would be run no more."""
    assert {fault.name for fault in agents.broken()} == agents.BROKEN


@pytest.mark.parametrize("fault", agents.broken(), ids=lambda fault: fault.name)
def test_a_broken_agent_is_seen_in_its_journal(world: World, fault: Fault, tmp_path: Path) -> None:
    """The same processes with one line of the rule wrong."""
    assert agents.run(world, tmp_path, fault).wrong


def edited(name: str, number: int = -1, **told: Any) -> Callable[[Journals], Journals]:
    """The last step of that name, or the one with that number, says something else."""

    def edit(journals: Journals) -> Journals:
        at, which = _find(journals, name)[number]
        step = journals[at][which]
        common = {key: told[key] for key in ("began", "ended") if key in told}
        rest = {key: value for key, value in told.items() if key not in common}
        rest = {key: value(step.told) if callable(value) else value for key, value in rest.items()}
        common = {key: value(step) if callable(value) else value for key, value in common.items()}
        journals[at][which] = replace(step, told={**step.told, **rest}, **common)
        return journals

    return edit


def without(name: str, number: int = 0) -> Callable[[Journals], Journals]:
    def remove(journals: Journals) -> Journals:
        at, which = _find(journals, name)[number]
        del journals[at][which]
        return journals

    return remove


def swapped(name: str, number: int = 0) -> Callable[[Journals], Journals]:
    """It stands before the step that it came after."""

    def swap(journals: Journals) -> Journals:
        at, which = _find(journals, name)[number]
        steps = journals[at]
        steps[which - 1], steps[which] = steps[which], steps[which - 1]
        return journals

    return swap


def nobody_behind(journals: Journals) -> Journals:
    return [
        [replace(s, told={**s.told, "behind": []}) if s.name == "living" else s for s in steps]
        for steps in journals
    ]


def remembering(**told: Any) -> Callable[[Journals], Journals]:
    """A verifier calls something unaffected at the end of a process's life."""

    def add(journals: Journals) -> Journals:
        last = journals[0][-1]
        journals[0].append(replace(last, number=last.number + 1, name="unaffected", told=told))
        return journals

    return add


def _find(journals: Journals, name: str) -> list[tuple[int, int]]:
    return [
        (at, which)
        for at, steps in enumerate(journals)
        for which, step in enumerate(steps)
        if step.name == name
    ]


WRONG = {
    "a lease that is longer than its look": edited("extend", deadline=lambda s: s["deadline"] + 1),
    "a lease without a look": without("standing", -1),
    "a lease on an acknowledgement that is not stored": edited("standing", acknowledged=-1),
    "an acknowledgement of what was not applied": without("apply"),
    "an acknowledgement before it is applied": swapped("acknowledge"),
    "a log that was read from elsewhere": edited("changes", after=lambda s: s["after"] + 1),
    "a page that goes back": edited("apply", epoch=0),
    "a life that left with a lease": without("give up", -1),
    "an epoch that goes back": edited("standing", epoch=lambda s: s["epoch"] - 1),
    "an acknowledgement that is lost": edited("standing", acknowledged=0),
    "an answer of before a change that had returned": edited("look", epoch=0),
    "a change that returns at once": edited("return", 1, ended=lambda s: s.began + 0.001),
    "a fence before its time": edited("fence", began=lambda s: s.began - 0.2),
    "somebody behind who is not named": nobody_behind,
    "one who is dead and asks on": edited("standing", 1, dead=True),
    "a memory that a change of everything does not concern": remembering(
        since=-1, subjects=[EVERYTHING]
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_journal_that_breaks_the_rule_is_refused(journals: Journals, name: str) -> None:
    """One line changed, taken out or put in: what is looked for is found."""
    changed = WRONG[name]([list(steps) for steps in journals])
    assert check(changed).wrong


def test_a_line_that_was_cut_off_with_its_process_is_no_step(tmp_path: Path) -> None:
    """Who is killed while it writes leaves half a line, and all before it counts."""
    line = '{"step": "begin", "began": 1.0, "ended": 1.0, "process": "p", "lease": 1.0}\n'
    (tmp_path / "p.jsonl").write_text(line + line[:20])
    (tmp_path / "q.jsonl").write_text("")
    first, second = read(tmp_path)
    assert [step.name for step in first] == ["begin"]
    assert second == []
    assert check([first, second]).wrong == []
