"""What keys do on its way to the store of use: counted in memory, written every 20 seconds.

A request only adds to a row in memory: no lock, no wait, no write. What was counted is held back
for one more turn, so that whoever was adding to it has finished; so it is written at most 40
seconds late, and all of it at a clean stop. A crash loses what was not written.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.core.principals import CredentialKind
from keyhalt.core.uses import agent_family, network_of
from keyhalt.storage.exposures import Exposed
from keyhalt.storage.measures import close_days
from keyhalt.storage.uses import ALLOWED, Used, add_uses, forget
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
CALLERS_MAX = 16
"""Callers of a key in memory at once; beyond, it is not counted who it was."""
_AGENT_BYTES = 32
# Looked up once: asking an enumeration for a member costs as much as the counting.
_KEY = CredentialKind.KEY
_TOKEN = CredentialKind.TOKEN
_log = logging.getLogger("keyhalt")


class _Counting:
    """What is known of a key since the last turn. `at`: monotonic seconds, of whatever was last."""

    __slots__ = (
        "allowed", "at", "bits", "caller", "callers", "client", "datasource_id", "denied", "method",
        "path",
    )  # fmt: skip

    def __init__(self, datasource_id: int) -> None:
        self.datasource_id = datasource_id
        self.allowed = 0
        self.at = 0.0
        self.denied: Counter[str] | None = None
        self.method = self.path = ""
        self.client: Sequence[object] | None = None
        self.bits: int | None = None
        self.caller = ("", b"")
        self.callers: dict[tuple[str, bytes], int] = {}

    def change(self, client: Sequence[object] | None, headers: Headers, bits: int) -> None:
        """It comes from another connection than the request before, or for something else."""
        if client is None or client != self.client or self.bits is None:
            self.client = client
            source = str(client[0]) if client else ""
            self.caller = (source, _agent(headers)[:_AGENT_BYTES])
        self.bits = bits
        before = self.callers.get(self.caller)
        if before is None and len(self.callers) >= CALLERS_MAX:
            # What it did still counts as used, by somebody who is not known.
            self.caller, before = ("", b""), self.callers.get(("", b""))
        self.callers[self.caller] = (before or NOTHING) | bits


@dataclass(slots=True)
class _Turn:
    """By key; by user, of tokens; by key and place."""

    keys: dict[int, _Counting] = field(default_factory=dict)
    tokens: dict[int, _Counting] = field(default_factory=dict)
    exposed: dict[tuple[int, str], tuple[int, float, str]] = field(default_factory=dict)
    """How often, when last, from where."""


class UseRecorder:
    """One per process. It is called from one thread at a time.

    `shown`: makes of a path what may be kept of it.
    """

    def __init__(self, use: Engine, clock: Clock, shown: Callable[[str], str]) -> None:
        self._engine = use
        self._clock = clock
        self._monotonic = clock.monotonic
        self._shown = shown
        self._now = _Turn()
        self._before = _Turn()
        self._unwritten: dict[int, Used] = {}
        self._unwritten_tokens: dict[int, Used] = {}
        self._unwritten_exposed: dict[tuple[int, str], Exposed] = {}
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
        if credential.kind is _KEY:
            counts, number = self._now.keys, credential.id
        elif credential.kind is _TOKEN:
            counts, number = self._now.tokens, principal.user_id
        else:
            return
        counting = counts.get(number)
        if counting is None:
            counting = _begin(counts, number, principal.datasource_id)
            if counting is None:
                return
        counting.allowed += 1
        counting.at = self._monotonic()
        counting.method = method
        counting.path = path
        # Who has the same client has the same agent, and mostly asks for the same permission: both
        # are looked at where one of them changes.
        if (
            bits is not counting.bits
            or client is None
            or (client is not counting.client and client != counting.client)
        ):
            counting.change(client, headers, bits)

    def denied(self, credential: Credential, datasource_id: int, reason: str) -> None:
        if credential.kind is not _KEY:
            return
        keys = self._now.keys
        counting = keys.get(credential.id) or _begin(keys, credential.id, datasource_id)
        if counting is not None:
            counting.denied = counting.denied or Counter()
            counting.denied[reason] += 1
            counting.at = self._monotonic()

    def exposed(self, key_id: int, place: str, source: str) -> None:
        exposed, what = self._now.exposed, (key_id, place)
        if what in exposed or len(exposed) < KEYS_MAX:
            times = exposed[what][0] if what in exposed else 0
            exposed[what] = (times + 1, self._monotonic(), source)

    def turn(self) -> None:
        """Write what was counted up to the turn before. What cannot be written is kept."""
        with self._turn:
            counted, self._before, self._now = self._before, self._now, _Turn()
            self._keep(counted.keys, self._unwritten)
            self._keep(counted.tokens, self._unwritten_tokens)
            self._keep_exposed(counted)
            self._write()

    def flush(self) -> None:
        """Write all of it."""
        self.turn()
        self.turn()

    def unwritten_seconds(self) -> float:
        """Since this process last wrote what it had to write."""
        return self._monotonic() - self._written_at

    def _keep(self, counted: dict[int, _Counting], unwritten: dict[int, Used]) -> None:
        for number, counting in counted.items():
            new = self._used(number, counting)
            old = unwritten.get(number)
            if old is not None:
                new = _both(old, new)
            elif len(unwritten) >= KEYS_MAX:
                continue
            unwritten[number] = new

    def _used(self, number: int, counting: _Counting) -> Used:
        at = self._time_of(counting.at)
        counts = {str(reason): count for reason, count in (counting.denied or {}).items()}
        last, callers = None, _callers(counting)
        if counting.allowed:
            counts[ALLOWED] = counting.allowed
            source, agent = counting.caller
            operation = f"{counting.method} {self._shown(counting.path)}".strip()[:300]
            last = LastUse(at, network_of(source), agent_family(agent), operation)
        permissions: int = NOTHING
        for bits in callers.values():
            permissions |= bits
        return Used(
            counting.datasource_id,
            number,
            at,
            last,
            counts,
            PermissionSet(permissions),
            callers,
        )

    def _keep_exposed(self, counted: _Turn) -> None:
        for (key_id, place), (times, monotonic, source) in counted.exposed.items():
            at = self._time_of(monotonic)
            new = Exposed(key_id, place, at, times, network_of(source))
            old = self._unwritten_exposed.get((key_id, place))
            if old is not None:
                new = replace(new, times=old.times + times)
            self._unwritten_exposed[key_id, place] = new

    def _time_of(self, monotonic: float) -> datetime:
        return self._clock.now() - timedelta(seconds=self._monotonic() - monotonic)

    def _write(self) -> None:
        unwritten = (self._unwritten, self._unwritten_tokens, self._unwritten_exposed)
        try:
            if any(unwritten):
                keys, tokens, exposed = unwritten
                add_uses(
                    self._engine,
                    list(keys.values()),
                    list(tokens.values()),
                    list(exposed.values()),
                )
                for each in unwritten:
                    each.clear()
            self._written_at = self._monotonic()
            today = self._clock.now().date()
            if self._forgot != today:
                close_days(self._engine, today)
                forget(self._engine, today)
                self._forgot = today
        except StoreUnavailableError as error:
            _log.warning("what keys do cannot be written now: %s", error)


def _begin(counts: dict[int, _Counting], number: int, datasource_id: int) -> _Counting | None:
    if len(counts) >= KEYS_MAX:
        return None
    counting = counts[number] = _Counting(datasource_id)
    return counting


def _agent(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"user-agent":
            return value
    return b""


def _callers(counting: _Counting) -> dict[tuple[str, str], PermissionSet]:
    found: dict[tuple[str, str], PermissionSet] = {}
    for (source, agent), bits in counting.callers.items():
        who = (network_of(source), agent_family(agent))
        found[who] = PermissionSet(found.get(who, NOTHING) | bits)
    return found


def _both(old: Used, new: Used) -> Used:
    counts = dict(Counter(old.counts) + Counter(new.counts))
    permissions = PermissionSet(old.permissions | new.permissions)
    callers = dict(old.callers)
    for who, bits in new.callers.items():
        known = who in callers or len(callers) < CALLERS_MAX
        kept = who if known else ("", "")
        callers[kept] = PermissionSet(callers.get(kept, NOTHING) | bits)
    last = new.last or old.last
    return Used(old.datasource_id, old.key_id, new.at, last, counts, permissions, callers)
