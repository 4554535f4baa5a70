"""What is kept of how a change took effect: one row in the audit log for every wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.usecases.ports import Barrier, Clock, Receipt


class Told:
    """A barrier that says in the audit log when it let go, and for whom it had waited.

    The change's own row has the same epoch and stands in the change's own transaction. Without
    this one, the process died between its commit and its return; the change stands all the same.
    """

    def __init__(
        self, barrier: Barrier, record: Callable[[AuditEvent], None], clock: Clock, boot: str
    ) -> None:
        """`boot`: which start of the machine the monotonic clock counts from."""
        self._barrier = barrier
        self._record = record
        self._clock = clock
        self._boot = boot

    def wait(self, epoch: int) -> Receipt:
        receipt = self._barrier.wait(epoch)
        # From here on the promise holds; whoever waits is told no earlier.
        clock = self._clock.monotonic()
        details: dict[str, object] = {"form": receipt.form, "waited_ms": receipt.waited_ms}
        details |= {"boot": self._boot, "clock": clock}
        if receipt.acknowledged is not None:
            details |= {"acknowledged": receipt.acknowledged, "timed_out": receipt.timed_out}
        self._record(
            AuditEvent(
                event=Event.EPOCH_DONE,
                at=self._clock.now(),
                actor=Actor(""),
                origin=Origin("", "", ""),
                outcome="done" if receipt.timed_out == 0 else "fenced",
                datasource_id=None,
                object_type="epoch",
                object_id=None,
                details=details,
                epoch=epoch,
            )
        )
        return receipt
