"""What keys do on its way to the store of use: counted in memory, written every 20 seconds.

A request only adds to a row in memory: no lock, no wait, no write. What was counted is held back
for one more turn, so that whoever was adding to it has finished; so it is written at most 40
seconds late, and all of it at a clean stop. A crash loses what was not written.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.core.principals import CredentialKind
from keyhalt.core.uses import agent_family, network_of
from keyhalt.storage.measures import close_days
from keyhalt.storage.uses import ALLOWED, Used, add_uses, first_kept, forget
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.usecases.uses import LastUse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    from sqlalchemy import Engine

    from keyhalt.core.principals import Credential, Principal
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.uses import Headers

KEYS_MAX = 100_000
"""Keys in memory at once. Beyond, use is not counted until the next turn."""
# Looked up once: asking an enumeration for a member costs as much as the counting.
_KEY = CredentialKind.KEY
_log = logging.getLogger("keyhalt")


class _Counting:
    """What is known of a key since the last turn. `at`: monotonic seconds, of whatever was last."""

    __slots__ = (
        "agent", "allowed", "at", "bits", "client", "datasource_id", "denied", "method", "path",
    )  # fmt: skip

    def __init__(self, datasource_id: int) -> None:
        self.datasource_id = datasource_id
        self.allowed = 0
        self.at = 0.0
        self.bits: int = NOTHING
        self.denied: Counter[str] | None = None
        self.method = self.path = ""
        self.client: Sequence[object] | None = None
        self.agent = b""


class UseRecorder:
    """One per process. `allowed` and `denied` are called from one thread at a time.

    `shown`: makes of a path what may be kept of it.
    """

    def __init__(self, use: Engine, clock: Clock, shown: Callable[[str], str]) -> None:
        self._engine = use
        self._clock = clock
        self._monotonic = clock.monotonic
        self._shown = shown
        self._now: dict[int, _Counting] = {}
        self._before: dict[int, _Counting] = {}
        self._unwritten: dict[int, Used] = {}
        self._forgot: date | None = None
        self._turn = threading.Lock()
        self._written_at = clock.monotonic()

    def allowed(
        self,
        principal: Principal,
        bits: PermissionSet,
        method: str,
        path: str,
        client: Sequence[object] | None,
        headers: Headers,
    ) -> None:
        credential = principal.credential
        if credential.kind is not _KEY:
            return
        counting = self._now.get(credential.id)
        if counting is None:
            counting = self._begin(credential.id, principal.datasource_id)
            if counting is None:
                return
        counting.allowed += 1
        counting.at = self._monotonic()
        if bits is not counting.bits:
            counting.bits = bits if counting.bits == NOTHING else counting.bits | bits
        counting.method = method
        counting.path = path
        # Who has the same client has the same agent, so it is looked for once for each.
        if client is None or (client is not counting.client and client != counting.client):
            counting.client = client
            counting.agent = _agent(headers)

    def denied(self, credential: Credential, datasource_id: int, reason: str) -> None:
        if credential.kind is not _KEY:
            return
        counting = self._now.get(credential.id) or self._begin(credential.id, datasource_id)
        if counting is not None:
            counting.denied = counting.denied or Counter()
            counting.denied[reason] += 1
            counting.at = self._monotonic()

    def turn(self) -> None:
        """Write what was counted up to the turn before. What cannot be written is kept."""
        with self._turn:
            counted, self._before, self._now = self._before, self._now, {}
            self._keep(counted)
            self._write()

    def flush(self) -> None:
        """Write all of it."""
        self.turn()
        self.turn()

    def unwritten_seconds(self) -> float:
        """Since this process last wrote what it had to write."""
        return self._monotonic() - self._written_at

    def _begin(self, key_id: int, datasource_id: int) -> _Counting | None:
        if len(self._now) >= KEYS_MAX:
            return None
        counting = self._now[key_id] = _Counting(datasource_id)
        return counting

    def _keep(self, counted: dict[int, _Counting]) -> None:
        now, monotonic = self._clock.now(), self._monotonic()
        for key_id, counting in counted.items():
            new = self._used(key_id, counting, now - timedelta(seconds=monotonic - counting.at))
            old = self._unwritten.get(key_id)
            if old is not None:
                new = _both(old, new)
            elif len(self._unwritten) >= KEYS_MAX:
                continue
            self._unwritten[key_id] = new

    def _used(self, key_id: int, counting: _Counting, at: datetime) -> Used:
        counts = {str(reason): count for reason, count in (counting.denied or {}).items()}
        last = None
        if counting.allowed:
            counts[ALLOWED] = counting.allowed
            source = str(counting.client[0]) if counting.client else ""
            operation = f"{counting.method} {self._shown(counting.path)}".strip()[:300]
            agent = agent_family(counting.agent)
            last = LastUse(at, network_of(source), agent, operation)
        permissions = PermissionSet(counting.bits)
        return Used(counting.datasource_id, key_id, at, last, counts, permissions)

    def _write(self) -> None:
        try:
            if self._unwritten:
                add_uses(self._engine, list(self._unwritten.values()))
                self._unwritten.clear()
            self._written_at = self._monotonic()
            today = self._clock.now().date()
            if self._forgot != today:
                close_days(self._engine, today)
                forget(self._engine, first_kept(today))
                self._forgot = today
        except StoreUnavailableError as error:
            _log.warning("what keys do cannot be written now: %s", error)


def _agent(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"user-agent":
            return value
    return b""


def _both(old: Used, new: Used) -> Used:
    counts = dict(Counter(old.counts) + Counter(new.counts))
    permissions = PermissionSet(old.permissions | new.permissions)
    last = new.last or old.last
    return Used(old.datasource_id, old.key_id, new.at, last, counts, permissions)
