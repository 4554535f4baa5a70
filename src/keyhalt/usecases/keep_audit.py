"""Letting old events go, and taking away what is personal, so that the rest still proves itself.

Both for an operator only. A change removes at most CHUNK rows, with the checkpoint that the chain
then begins with, so that nobody waits for long and the log verifies at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, actor_of
from keyhalt.core.chain import checkpoint
from keyhalt.usecases.keeping import Person

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.core.secrets import MacKeys
    from keyhalt.usecases.keeping import EventKeeping
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction

CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class LetGo:
    changes: int
    others: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Of how many changes and other events what was personal is gone.

    `left`: changes from before that was possible; they go when they are let go.
    """

    changes: int
    others: int
    left: int


class KeepAudit:
    """May raise StoreUnavailableError; what was done by then stays done."""

    def __init__(
        self,
        *,
        rights: Rights,
        events: EventKeeping,
        mac_keys: Callable[[], MacKeys],
        cluster: str,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._events = events
        self._mac_keys = mac_keys
        self._cluster = cluster
        self._clock = clock

    def let_go(
        self, acting: Operator, *, changes: datetime | None, others: datetime | None, origin: Origin
    ) -> LetGo:
        """What is older: of changes, and of other events. None: none of them."""
        gone = others_gone = 0
        before = {"changes": changes, "others": others}
        said = {name: at.isoformat() for name, at in before.items() if at is not None}
        self._tell(acting, origin, Event.AUDIT_RETAIN, said)
        while changes is not None and (some := self._let_go_some(changes)):
            gone += some
        while others is not None and (some := self._events.let_go(others, CHUNK)):
            others_gone += some
        return LetGo(gone, others_gone)

    def forget(
        self, acting: Operator, *, datasource_id: int, user_id: int, origin: Origin
    ) -> Forgotten:
        """Take away what the log has of a person; that somebody did so stays in it."""
        with self._rights.change() as tx:
            keys = tx.audit.keys_of(datasource_id, user_id)
            person = Person(datasource_id, user_id, keys)
            changes, left = tx.audit.erase(person)
            said = {"user_id": user_id, "keys": list(keys), "rows": changes}
            self._record(tx, acting, origin, Event.AUDIT_FORGET, said, datasource_id)
        return Forgotten(changes, self._events.erase(person), left)

    def _let_go_some(self, before: datetime) -> int:
        with self._rights.change() as tx:
            last = tx.audit.old(before, CHUNK)
            if last is None:
                return 0
            at = self._clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
            begins = checkpoint(self._cluster, *last, at)
            return tx.audit.let_go(last[0], begins.line(self._mac_keys().minting))

    def _tell(
        self, acting: Operator, origin: Origin, event: Event, said: Mapping[str, object]
    ) -> None:
        with self._rights.change() as tx:
            self._record(tx, acting, origin, event, said, None)

    def _record(
        self,
        tx: RightsTransaction,
        acting: Operator,
        origin: Origin,
        event: Event,
        said: Mapping[str, object],
        datasource_id: int | None,
    ) -> None:
        tx.record(
            AuditEvent(
                event=event,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                datasource_id=datasource_id,
                object_type="audit",
                details=said,
            )
        )
