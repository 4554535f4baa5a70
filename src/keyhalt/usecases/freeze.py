"""Break glass: a whole set of keys stops in one epoch, with one receipt, and can be thawed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import EVERYTHING, Kind, subject
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.rows import FreezeRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from keyhalt.core.principals import Operator
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze, the receipt of its beginning or end, and how many keys it concerns now."""

    row: FreezeRow
    receipt: Receipt
    keys: int


class FreezeKeys:
    """For operators. Frozen keys are refused while a freeze that takes them in lasts."""

    def __init__(self, *, rights: Rights, barrier: Barrier, clock: Clock) -> None:
        self._rights = rights
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self,
        acting: Operator,
        *,
        datasource_id: int | None,
        issued_before: datetime | None,
        generation: int | None,
        origin: Origin,
    ) -> Frozen | Refused:
        """Freeze the keys that all of what is said is true of; keys made later are not meant.

        None says nothing about that. With nothing said, nothing is frozen.
        """
        if datasource_id is None and issued_before is None and generation is None:
            detail = "Say which keys: of a datasource, issued before a time, of a generation."
            return Refused(Fault.INVALID_BODY, detail)
        now = self._clock.now()
        new = FreezeRow(
            0,
            datasource_id=datasource_id,
            issued_before=min(now, issued_before or now),
            generation=generation,
            frozen_at=now,
        )
        with self._rights.change() as tx:
            freeze_id = tx.freezes.add(new)
            row = tx.freezes.get(freeze_id)
            assert row is not None  # noqa: S101 - this transaction wrote it
            keys = tx.freezes.keys(row)
            epoch = self._raise(tx, acting, row, Event.KEYS_FREEZE, origin, keys)
        return Frozen(row, self._barrier.wait(epoch), keys)

    def thaw(self, acting: Operator, freeze_id: int, origin: Origin) -> Frozen | Denied:
        """End a freeze. Its keys count again, unless another one or anything else is against it."""
        with self._rights.change() as tx:
            row = tx.freezes.get(freeze_id)
            if row is None or row.thawed_at is not None:
                return Denied(Reason.NOT_FOUND)
            keys = tx.freezes.keys(row)
            tx.freezes.end(freeze_id, self._clock.now())
            epoch = self._raise(tx, acting, row, Event.KEYS_THAW, origin, keys)
        return Frozen(row, self._barrier.wait(epoch), keys)

    def list(self) -> Sequence[FreezeRow]:
        """All there ever were, in the order they began."""
        with self._rights.look() as tx:
            return tx.freezes.list()

    def _raise(
        self,
        tx: RightsTransaction,
        acting: Operator,
        row: FreezeRow,
        event: Event,
        origin: Origin,
        keys: int,
    ) -> int:
        whole = row.datasource_id is None
        epoch = tx.raise_epoch(
            EVERYTHING if whole else subject(Kind.DATASOURCE, row.datasource_id or 0)
        )
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=row.datasource_id,
                object_type="freeze",
                object_id=row.id,
                details={
                    "issued_before": row.issued_before.isoformat(),
                    "generation": row.generation,
                    "keys": keys,
                },
                epoch=epoch,
            )
        )
        return epoch
