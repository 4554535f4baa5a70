"""A user edits how they are called, and their own settings. It gives and takes no right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.leases import Kind, subject
from keyhalt.core.principals import Principal
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.acting import check_again
from keyhalt.usecases.people import fault_of_details

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.decisions import Denied
    from keyhalt.usecases.barrier import Barrier
    from keyhalt.usecases.ports import Clock, Rights

PREFERENCE_MAX = 16_384


class EditMe:
    def __init__(self, *, rights: Rights, barrier: Barrier, clock: Clock) -> None:
        self._rights = rights
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self,
        acting: Principal,
        *,
        said: Mapping[str, Any],
        preference: Mapping[str, object] | None,
        origin: Origin,
    ) -> Principal | Denied | Refused:
        """`said`: `full_name` and `email`, those that change; `preference` None leaves that.

        Names are remembered with what a key may do, so it is a change as those of rights are.
        """
        if preference is not None and len(json.dumps(preference)) > PREFERENCE_MAX:
            detail = f"A preference has at most {PREFERENCE_MAX:,} characters."
            return Refused(Fault.INVALID_BODY, detail, "preference")
        where = acting.datasource_id, acting.user_id
        with self._rights.change() as tx:
            no = check_again(tx, acting, None)
            row = tx.users.row(*where)
            if no is not None or row is None:
                return no or Refused(Fault.INVALID_STATE, "This user is no more.")
            details = replace(row.details, **said)
            refused = fault_of_details(details, service=row.facts.service)
            if refused is not None:
                return refused
            tx.users.set_details(*where, details)
            if preference is not None:
                tx.users.set_preference(*where, preference)
            epoch = tx.raise_epoch(subject(Kind.USER, acting.user_id))
            after = tx.users.get(*where)
            assert after is not None  # noqa: S101 - users are never removed
            tx.record(
                AuditEvent(
                    event=Event.USER_EDIT,
                    at=self._clock.now(),
                    actor=actor_of(acting),
                    origin=origin,
                    datasource_id=acting.datasource_id,
                    object_type="user",
                    object_id=acting.user_id,
                    details={"code": after.user_code, **said},
                    epoch=epoch,
                )
            )
        self._barrier.wait(epoch)
        return Principal(acting.environment, after, acting.credential)
