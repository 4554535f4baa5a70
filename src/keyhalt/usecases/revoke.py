"""Revoke a key: when this returns, no process of the environment still accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.usecases.acting import check_again

if TYPE_CHECKING:
    from keyhalt.core.principals import Acting
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.ports import Barrier, Clock, KeyRow, Receipt, Rights, RightsTransaction


class DeleteKey:
    """Final: a deleted key never counts again, and its row stays so that this is known."""

    def __init__(self, *, rights: Rights, needs: Needs, barrier: Barrier, clock: Clock) -> None:
        self._rights = rights
        self._needs = needs
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self, acting: Acting, *, datasource_id: int, key_id: int, origin: Origin
    ) -> Receipt | Denied:
        """Delete, commit, then wait until the change counts everywhere.

        A repeated delete succeeds too and waits for the epoch of the first: "already deleted" is
        not yet "already unusable". It changes nothing, so it makes no verifier look again.
        """
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys)
            if no is not None:
                return no
            key = tx.keys.get(datasource_id, key_id)
            if key is None:
                return Denied(Reason.NOT_FOUND)
            epoch = key.deleted_epoch
            if epoch is None:
                epoch = self._delete(tx, acting, key, origin)
        return self._barrier.wait(epoch)

    def _delete(self, tx: RightsTransaction, acting: Acting, key: KeyRow, origin: Origin) -> int:
        epoch = tx.raise_epoch(subject(Kind.KEY, key.id))
        at = self._clock.now()
        tx.keys.delete(key.datasource_id, key.id, at=at, epoch=epoch)
        tx.record(
            AuditEvent(
                event=Event.KEY_DELETE,
                at=at,
                actor=actor_of(acting),
                origin=origin,
                datasource_id=key.datasource_id,
                object_type="key",
                object_id=key.id,
                details={"name": key.name, "hint": key.hint, "owner": key.owner_code},
                epoch=epoch,
            )
        )
        return epoch
