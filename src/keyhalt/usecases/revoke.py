"""Revoke keys: when this returns, no process of the environment still accepts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.usecases.acting import check_again

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keyhalt.core.principals import Acting
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.barrier import KeyBarrier, Receipt
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.rows import KeyRow


@dataclass(frozen=True, slots=True)
class Ended:
    """The keys that ended just now, and how; no receipt when there never was one to end."""

    keys: Sequence[KeyRow]
    receipt: Receipt | None


class DeleteKey:
    """Final: a deleted key never counts again, and its row stays so that this is known.

    What is deleted again succeeds and waits for the epoch of the first time: "already deleted" is
    not yet "already unusable". It changes nothing, so it makes no verifier look again.
    """

    def __init__(self, *, rights: Rights, needs: Needs, barrier: KeyBarrier, clock: Clock) -> None:
        self._rights = rights
        self._needs = needs
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self, acting: Acting, *, datasource_id: int, key_id: int, origin: Origin
    ) -> Receipt | Denied:
        """Delete, commit, then wait until the change counts everywhere."""
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys)
            if no is not None:
                return no
            key = tx.keys.get(datasource_id, key_id)
            if key is None:
                return Denied(Reason.NOT_FOUND)
            ended, epoch = self._end(tx, acting, [key], origin, {})
        return self._wait(epoch, ended, [key], origin)

    def with_offspring(
        self, acting: Acting, *, datasource_id: int, key_id: int, origin: Origin
    ) -> Ended | Denied:
        """Delete a key with all that was made with it, and with that, in one epoch.

        A key that one of them is making meanwhile is either seen here, or not made.
        """
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys)
            if no is not None:
                return no
            keys = tx.keys.tree(datasource_id, key_id)
            if not keys:
                return Denied(Reason.NOT_FOUND)
            ended, epoch = self._end(tx, acting, keys, origin, {"with_offspring_of": key_id})
        return Ended(ended, self._wait(epoch, ended, keys, origin))

    def made_since(
        self, acting: Acting, *, datasource_id: int, user_id: int, since: datetime, origin: Origin
    ) -> Ended | Denied:
        """Delete the keys that a user has or made since then, with all that was made with them."""
        with self._rights.change() as tx:
            no = check_again(tx, acting, self._needs.manage_keys)
            if no is not None:
                return no
            user = tx.users.get(datasource_id, user_id)
            if user is None:
                return Denied(Reason.NOT_FOUND)
            keys = tx.keys.made_since(
                datasource_id, user_id=user_id, user_code=user.user_code, since=since
            )
            if not keys:
                return Ended((), None)
            # Their id: what is forgotten of a person must not stand in what tells of others' keys.
            details = {"made_by_user_id": user.user_id, "since": since.isoformat()}
            ended, epoch = self._end(tx, acting, keys, origin, details)
        return Ended(ended, self._wait(epoch, ended, keys, origin))

    def _wait(
        self, epoch: int, ended: Sequence[KeyRow], asked: Sequence[KeyRow], origin: Origin
    ) -> Receipt:
        """Where all had ended before, one of those that ended last tells of it."""
        if ended:
            return self._barrier.wait_for_end(epoch, ended, origin, again=False)
        last = next(key for key in asked if key.deleted_epoch == epoch)
        return self._barrier.wait_for_end(epoch, [last], origin, again=True)

    def _end(
        self,
        tx: RightsTransaction,
        acting: Acting,
        keys: Sequence[KeyRow],
        origin: Origin,
        details: Mapping[str, object],
    ) -> tuple[Sequence[KeyRow], int]:
        """Those that counted until now, and the epoch with which the last of all ended."""
        living = [key for key in keys if key.deleted_epoch is None]
        if not living:
            return living, max(key.deleted_epoch or 0 for key in keys)
        epoch = tx.raise_epoch(*(subject(Kind.KEY, key.id) for key in living))
        at = self._clock.now()
        for key in living:
            tx.keys.delete(key.datasource_id, key.id, at=at, epoch=epoch)
            said = {"name": key.name, "hint": key.hint, "owner": key.owner_code}
            tx.record(
                AuditEvent(
                    event=Event.KEY_REVOKE_BEGIN,
                    at=at,
                    actor=actor_of(acting),
                    origin=origin,
                    datasource_id=key.datasource_id,
                    object_type="key",
                    object_id=key.id,
                    details={**said, **details},
                    epoch=epoch,
                )
            )
        return living, epoch
