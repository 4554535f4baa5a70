"""Keep this process's lease, and wait for everybody else's: docs/revocation.md, "Barrier".

Both halves speak with the database through `Ledger` and with nobody else. Every statement of it
commits by itself. The order of the lines is the proof: read the document before changing one.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from keyhalt.core.leases import GUARD_FACTOR
from keyhalt.usecases.barrier import Receipt
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyhalt.core.leases import Page

POLL_FIRST_SECONDS = 0.002
POLL_LAST_SECONDS = 0.020
POLL_GROWTH = 1.1
"""Of the pauses of who waits: a healthy wait is over within the first few."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that may hold a lease. `incarnation`: one life of it, from joining to fencing."""

    process: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at the database: where it stands, and what it has of this holder."""

    cluster: str
    epoch: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Living:
    """Who is alive: how many, and those of them that have not acknowledged an epoch."""

    count: int
    behind: Sequence[Holder]


class Ledger(Protocol):
    """The database's side. Any call may raise StoreUnavailableError, its outcome then unknown.

    It may even take effect later, when another call has been made since: so no call may touch an
    incarnation that it does not name.
    """

    def join(self, process: str, lease_seconds: float) -> Holder:
        """A new incarnation, alive, that has acknowledged nothing, beside any others.

        Not while a change is under way: it asks for the longest lease, and then commits.
        """

    def leave(self, holder: Holder) -> None: ...
    def standing(self, holder: Holder) -> Standing | None:
        """In one statement. None: this incarnation is dead or unknown."""

    def changes(self, after: int, upto: int) -> Sequence[tuple[int, Sequence[int]]]:
        """(epoch, subjects) in the order of epochs; some may be missing."""

    def acknowledge(self, holder: Holder, epoch: int) -> None:
        """Only while it is alive, and never backwards."""

    def living(self, epoch: int) -> Living:
        """Who is alive, and who of them has not acknowledged `epoch`. In one statement."""

    def fence(self, holders: Sequence[Holder], epoch: int) -> None:
        """Declare dead those of them that have still not acknowledged `epoch`."""


class KeepLease:
    """One per process, called from one thread, which alone writes `page`."""

    def __init__(
        self,
        *,
        page: Page,
        ledger: Ledger,
        clock: Callable[[], float],
        process: str,
        lease_seconds: float,
    ) -> None:
        self._page = page
        self._ledger = ledger
        self._clock = clock
        self._process = process
        self._lease_seconds = lease_seconds
        self._holder: Holder | None = None
        self._cluster = ""

    def turn(self) -> bool:
        """One step. Returns whether all is done until something changes; else call again at once.

        Raises StoreUnavailableError; the lease then lasts as long as it was given.
        """
        if self._holder is None:
            self._join()
            return False
        # Before the question leaves: what the answer proves was so at this moment or later.
        asked_at = self._clock()
        standing = self._ledger.standing(self._holder)
        if standing is None:
            self._holder = None
            return False
        if standing.cluster != self._cluster or standing.epoch < self._page.applied:
            self._begin_anew(standing.cluster)
            return False
        if standing.acknowledged == standing.epoch == self._page.applied:
            self._page.extend(asked_at + self._lease_seconds)
            return True
        self._catch_up(self._holder, standing.epoch)
        return False

    def stop(self) -> None:
        """Give the lease up first, then say so."""
        self._page.give_up()
        holder, self._holder = self._holder, None
        if holder is not None:
            self._ledger.leave(holder)

    def _join(self) -> None:
        # A new incarnation looks as if it held nothing: so it must hold nothing.
        self._page.give_up()
        self._holder = self._ledger.join(self._process, self._lease_seconds)

    def _begin_anew(self, cluster: str) -> None:
        self._page.forget()
        self._cluster = cluster
        self.stop()

    def _catch_up(self, holder: Holder, epoch: int) -> None:
        # Applied, then acknowledged, and only a later look extends the lease: a change that finds
        # this acknowledgement missing may still fence, and one that finds it must not be misled.
        applied = self._page.applied
        if applied < epoch:
            self._page.apply(self._ledger.changes(applied, epoch), epoch)
        self._ledger.acknowledge(holder, epoch)


class WaitForAll:
    """The barrier on PostgreSQL: everybody has acknowledged, or nobody else can hold a lease."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        longest: Callable[[], float],
    ) -> None:
        """`longest`: the longest lease that anybody had at the last change here, in seconds."""
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._longest = longest

    def guard_seconds(self) -> float:
        """After how long nobody holds a lease from before the last change here."""
        return GUARD_FACTOR * self._longest()

    def wait(self, epoch: int) -> Receipt:
        """Call after the commit of `epoch`.

        Ends within 1.25 of the longest lease, whatever fails, and the time of one call to the
        ledger that is given up on.
        """
        began = self._clock()
        limit = began + self.guard_seconds()
        pause = POLL_FIRST_SECONDS
        timed_out = 0
        while True:
            # Nobody can have acknowledged at once what was committed only now.
            self._sleep(min(pause, max(0.0, limit - self._clock())))
            pause = min(pause * POLL_GROWTH, POLL_LAST_SECONDS)
            living = self._living(epoch)
            if living is not None and not living.behind:
                break
            if self._clock() >= limit:
                timed_out = self._fence(living, epoch)
                break
        waited_ms = round((self._clock() - began) * 1000)
        alive = 0 if living is None else living.count
        return Receipt(
            epoch,
            form="barrier",
            waited_ms=waited_ms,
            acknowledged=alive - timed_out,
            timed_out=timed_out,
        )

    def _living(self, epoch: int) -> Living | None:
        """None: unknown, so the time has to pass."""
        try:
            return self._ledger.living(epoch)
        except StoreUnavailableError:
            return None

    def _fence(self, living: Living | None, epoch: int) -> int:
        # Their leases are over already. Being dead spares the next change from waiting for them.
        if living is None:
            return 0
        with suppress(StoreUnavailableError):
            self._ledger.fence(living.behind, epoch)
        return len(living.behind)
