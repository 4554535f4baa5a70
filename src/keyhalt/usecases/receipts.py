"""What is kept of how a change took effect: rows in the audit log, after every wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.usecases.barrier import HowEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyhalt.usecases.barrier import Barrier, Receipt, WaitedFor
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.rows import KeyRow

NAMED_MAX = 64
"""Processes that a row names; of more it says how many."""
_NOBODY = Actor("")
# Whoever did not answer is what is looked for, so a long list loses others.
_ORDER = (HowEnded.LEASE, HowEnded.LEFT, HowEnded.ACK)


class Rows(Protocol):
    """Where the rows go: part of Recorder."""

    def record(self, event: AuditEvent) -> None: ...
    def record_all(self, events: Sequence[AuditEvent]) -> None: ...


class Told:
    """A barrier that says in the audit log when it let go, and for whom it had waited.

    The change's own row has the same epoch and stands in the change's own transaction. Without
    this one, the process died between its commit and its return; the change stands all the same.
    These rows name no person: what was done by whom is in the change's own.
    """

    def __init__(self, barrier: Barrier, rows: Callable[[], Rows], clock: Clock, boot: str) -> None:
        """`boot`: which start of the machine the monotonic clock counts from."""
        self._barrier = barrier
        self._rows = rows
        self._clock = clock
        self._boot = boot

    def wait(self, epoch: int) -> Receipt:
        receipt = self._barrier.wait(epoch)
        self._rows().record(self._row(receipt, self._details(receipt)))
        return receipt

    def wait_for_end(
        self, epoch: int, keys: Sequence[KeyRow], origin: Origin, *, again: bool
    ) -> Receipt:
        """Implements KeyBarrier."""
        receipt = self._barrier.wait(epoch)
        details = self._details(receipt)
        told = [self._row(receipt, details, key, origin.request_id) for key in keys]
        if again:
            # Somebody may ask without end: as of any flood, what is too much is counted.
            for row in told:
                self._rows().record(row)
        else:
            self._rows().record_all(told)
        return receipt

    def _details(self, receipt: Receipt) -> Mapping[str, object]:
        # From here on the promise holds; whoever waits is told no earlier.
        clock = self._clock.monotonic()
        details: dict[str, object] = {"form": receipt.form, "waited_ms": receipt.waited_ms}
        details |= {"boot": self._boot, "clock": clock}
        if receipt.acknowledged is not None:
            details |= {"acknowledged": receipt.acknowledged, "timed_out": receipt.timed_out}
            details |= named(receipt.waited_for)
        return details

    def _row(
        self,
        receipt: Receipt,
        details: Mapping[str, object],
        key: KeyRow | None = None,
        request_id: str = "",
    ) -> AuditEvent:
        return AuditEvent(
            event=Event.EPOCH_DONE if key is None else Event.KEY_REVOKE_DONE,
            at=self._clock.now(),
            actor=_NOBODY,
            origin=Origin(request_id),
            outcome="done" if receipt.timed_out == 0 else "fenced",
            datasource_id=None if key is None else key.datasource_id,
            object_type="epoch" if key is None else "key",
            object_id=None if key is None else key.id,
            details=details,
            epoch=receipt.epoch,
        )


def named(waited_for: Sequence[WaitedFor]) -> Mapping[str, object]:
    """`waited_for`, at most NAMED_MAX of them, and how many more there were."""
    ordered = sorted(waited_for, key=lambda each: _ORDER.index(each.ended))
    said: dict[str, object] = {"waited_for": [_said(each) for each in ordered[:NAMED_MAX]]}
    more = len(ordered) - NAMED_MAX
    return said if more <= 0 else {**said, "waited_for_more": more}


def _said(one: WaitedFor) -> Mapping[str, object]:
    who = {"process": one.process} if one.pid is None else {"host": one.host, "pid": one.pid}
    return {**who, "ended": one.ended.value}
