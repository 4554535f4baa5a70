"""What a process does to keep its lease and to wait for others', line by line, for who checks it.

Off unless a folder is set for it (`KEYHALT_LEASE_JOURNAL`): then these stand around the page, the
ledger and the barrier, and write down each step with what it was told. `python -m proofs.replay`
holds the lines of all processes against docs/revocation.md, "Barrier". They change nothing.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

from keyhalt.core.freshness import Freshness, Tag
from keyhalt.core.leases import Page, subjects_of
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from keyhalt.core.principals import Principal
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.keep_lease import Holder, Ledger, Living, Standing

T = TypeVar("T")
_log = logging.getLogger("keyhalt")
_numbers = itertools.count(1)
LOOK_SECONDS = 0.02
"""Of looks that find the same number, one is written in this time."""


class Journal:
    """A file of this process. Each line is one write, so who is killed leaves whole ones.

    `clock`: the lease's own; all processes of a machine read the same. A disk that takes no more
    ends the journal and nothing else.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float], process: str, lease_seconds: float
    ) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        name = f"{process}.{os.getpid()}.{next(_numbers)}.jsonl"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(folder / name, flags, 0o600)
        except OSError as error:
            why = f"the journal of leases cannot be written to {folder}: {error.strerror}"
            raise StoreUnavailableError(why) from None
        self._open = True
        self._process_id = os.getpid()
        self.clock = clock
        self.write("begin", clock(), process=process, lease=lease_seconds)

    def write(self, step: str, began: float, **told: object) -> None:
        """`began`: read before the step, which is done by now."""
        if not self._open or os.getpid() != self._process_id:  # a fork has none
            return
        line = {"step": step, "began": began, "ended": self.clock()}
        try:
            os.write(self._file, json.dumps({**line, **told}).encode() + b"\n")
        except OSError as error:
            self._open = False
            _log.warning("the journal of leases ends here: %s", error.strerror)

    def close(self) -> None:
        self._open = False
        os.close(self._file)


class JournaledLooks(Freshness):
    """What verifiers see of a page, written down. They ask each time, so that none is missed."""

    def __init__(self, page: Page, journal: Journal) -> None:
        self._page = page
        self._journal = journal
        self._looked = (0, 0.0)

    def tag(self, now: float) -> Tag | None:
        tag = self._page.tag(now)
        if tag is not None:
            number, at = self._looked
            if tag.number != number or now - at > LOOK_SECONDS:
                self._looked = (tag.number, now)
                self._journal.write("look", now, epoch=tag.number)
        return tag

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        began = self._journal.clock()
        answer = self._page.unaffected(since, principal)
        if answer:
            subjects = subjects_of(principal)
            self._journal.write("unaffected", began, since=since.number, subjects=subjects)
        return answer


class JournaledPage(Page):
    """A page whose keeper's steps are written down."""

    def __init__(self, guard: int, journal: Journal) -> None:
        super().__init__(guard)
        self._journal = journal

    def apply(self, changes: Iterable[tuple[int, Iterable[int]]], upto: int) -> None:
        began = self._journal.clock()
        super().apply(changes, upto)
        self._journal.write("apply", began, epoch=upto)

    def extend(self, deadline: float) -> None:
        began = self._journal.clock()
        super().extend(deadline)
        self._journal.write("extend", began, deadline=deadline)

    def give_up(self) -> None:
        began = self._journal.clock()
        super().give_up()
        self._journal.write("give up", began)

    def forget(self) -> None:
        began = self._journal.clock()
        super().forget()
        self._journal.write("forget", began)


class JournaledLedger:
    """Implements Ledger: another one, written down."""

    def __init__(self, ledger: Ledger, journal: Journal) -> None:
        self._ledger = ledger
        self._journal = journal

    def join(self, process: str, lease_seconds: float) -> Holder:
        return self._done("join", lambda: self._ledger.join(process, lease_seconds), _life)

    def leave(self, holder: Holder) -> None:
        self._done("leave", lambda: self._ledger.leave(holder), **_life(holder))

    def standing(self, holder: Holder) -> Standing | None:
        ask = lambda: self._ledger.standing(holder)  # noqa: E731
        return self._done("standing", ask, _standing, **_life(holder))

    def changes(self, after: int, upto: int) -> Sequence[tuple[int, Sequence[int]]]:
        ask = lambda: self._ledger.changes(after, upto)  # noqa: E731
        return self._done("changes", ask, _changes, after=after, upto=upto)

    def acknowledge(self, holder: Holder, epoch: int) -> None:
        tell = lambda: self._ledger.acknowledge(holder, epoch)  # noqa: E731
        self._done("acknowledge", tell, **_life(holder), epoch=epoch)

    def living(self, epoch: int) -> Living:
        return self._done("living", lambda: self._ledger.living(epoch), _living, epoch=epoch)

    def fence(self, holders: Sequence[Holder], epoch: int) -> None:
        lives = [each.incarnation for each in holders]
        self._done("fence", lambda: self._ledger.fence(holders, epoch), epoch=epoch, lives=lives)

    def _done(
        self,
        step: str,
        call: Callable[[], T],
        describe: Callable[[T], dict[str, Any]] | None = None,
        **asked: object,
    ) -> T:
        began = self._journal.clock()
        try:
            answer = call()
        except StoreUnavailableError:
            self._journal.write(step, began, failed=True, **asked)
            raise
        told = {} if describe is None else describe(answer)
        self._journal.write(step, began, **asked, **told)
        return answer


class JournaledBarrier:
    """Implements Barrier: another one, with when it was asked to wait and when it let go."""

    def __init__(self, barrier: Barrier, journal: Journal) -> None:
        self._barrier = barrier
        self._journal = journal

    def wait(self, epoch: int) -> Receipt:
        began = self._journal.clock()
        self._journal.write("wait", began, epoch=epoch)
        receipt = self._barrier.wait(epoch)
        self._journal.write("return", began, epoch=epoch)
        return receipt


def _life(holder: Holder) -> dict[str, Any]:
    return {"life": holder.incarnation}


def _standing(standing: Standing | None) -> dict[str, Any]:
    if standing is None:
        return {"dead": True}
    return {
        "cluster": standing.cluster,
        "epoch": standing.epoch,
        "acknowledged": standing.acknowledged,
    }


def _changes(changes: Sequence[tuple[int, Sequence[int]]]) -> dict[str, Any]:
    return {"changes": [(epoch, list(subjects)) for epoch, subjects in changes]}


def _living(living: Living) -> dict[str, Any]:
    return {"behind": [each.incarnation for each in living.behind]}
