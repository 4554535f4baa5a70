"""The barrier: waiting until a change of rights counts everywhere, and what is told of the wait."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.audit import Origin
    from keyhalt.usecases.rows import KeyRow


class HowEnded(enum.StrEnum):
    """How the wait for one process ended."""

    ACK = "ack"
    """It said that it knows."""
    LEASE = "lease"
    """Its lease ran out: it can answer from memory no more."""
    LEFT = "left"
    """It gave its lease up, or was known to have ended."""


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """A process that was waited for. `host`, `pid`: as it said; the version before says neither."""

    process: str
    host: str | None
    pid: int | None
    ended: HowEnded


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a change of rights took effect everywhere (docs/revocation.md)."""

    epoch: int
    form: str
    waited_ms: int = 0
    acknowledged: int | None = None
    """How many processes said that they know. None where nobody is asked."""
    timed_out: int = 0
    """How many were waited for in vain, until they could no longer answer from memory."""
    waited_for: Sequence[WaitedFor] = ()
    """Each of them, as far as the store could be asked."""

    def __str__(self) -> str:
        text = f"epoch={self.epoch}, form={self.form}, waited-ms={self.waited_ms}"
        if self.acknowledged is None:
            return text
        return f"{text}, acknowledged={self.acknowledged}, timed-out={self.timed_out}"


class Barrier(Protocol):
    """Returns only when no process of the environment can still answer from before `epoch`."""

    def wait(self, epoch: int) -> Receipt: ...


class KeyBarrier(Protocol):
    """The same wait, for keys that ended with `epoch`; each key's history then tells of it."""

    def wait_for_end(
        self, epoch: int, keys: Sequence[KeyRow], origin: Origin, *, again: bool
    ) -> Receipt:
        """`again`: they had ended before, and somebody asked once more."""
