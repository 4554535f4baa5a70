"""Measuring: what an installation did and where it stands, as whoever watches it asks for it.

Counters come from the store, so that any worker tells the whole; a request adds nothing to them
that it did not add before. Only what is said of "this process" is of the one that is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.usecases.timing import Source

FURTHER = "further"
"""Keys that ended with another, in one wait: each is an event, and the wait counts once."""


@dataclass(frozen=True, slots=True)
class EventTotal:
    """How often something happened since counting began.

    `waited_ms`: of changes that were waited for, together. Those with the reason FURTHER were
    waited for with another.
    """

    event: str
    outcome: str
    reason: str
    count: int
    waited_ms: int


@dataclass(frozen=True, slots=True)
class TimeTotal:
    """How many verifications took so long: up to `upto_us`, and longer than the bound before."""

    source: Source
    upto_us: int
    count: int
    spent_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the stores say. `verifiers` None: nobody holds a lease here, each asks its guard."""

    events: Sequence[EventTotal]
    allowed: int
    """Requests that keys were let through for."""
    changes: int
    """The number of the last row in the chain of changes."""
    epoch: int
    keys: Mapping[str, int]
    """By state: `active`, `deleted`."""
    verifiers: int | None
    times: Sequence[TimeTotal] = ()


@dataclass(frozen=True, slots=True)
class ThisProcess:
    """`lease_seconds`: how long its lease lasts yet; None where there is none to hold."""

    remembered_keys: int
    lease_seconds: float | None
    use_unwritten_seconds: float
    """Since it last wrote what keys do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`totals` None: the store cannot be asked now."""

    totals: Totals | None
    process: ThisProcess


class TotalsReader(Protocol):
    def totals(self) -> Totals:
        """In a few statements, whatever happened so far. Raises StoreUnavailableError."""


class Measure:
    """Called from any thread; never fails."""

    def __init__(self, *, reader: TotalsReader, process: Callable[[], ThisProcess]) -> None:
        self._reader = reader
        self._process = process

    def __call__(self) -> Measured:
        try:
            totals = self._reader.totals()
        except StoreUnavailableError:
            totals = None
        return Measured(totals, self._process())
