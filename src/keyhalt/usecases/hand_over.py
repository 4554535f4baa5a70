"""A new key's text on its way from the request that made it to the page that shows it once.

A page that shows it as the answer to a form would make another key when it is loaded again. So the
form's answer leads to a page of its own, and the text travels in two halves: the browser keeps the
text under a one-time pad, the store keeps the pad. Either alone is random bytes, whoever reads a
cookie jar, a backup or a disk. Asking takes the pad away: there is no second time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from keyhalt.core.secrets import masked, unmasked

if TYPE_CHECKING:
    from datetime import datetime

    from keyhalt.core.principals import Principal
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.ports import Clock, Randomness

WAITS = timedelta(minutes=2)
_PAD_BYTES = 1024
"""As long as the longest key (core/keytext.py)."""


class PadStore(Protocol):
    """Random bytes over a key's text, each to be taken once."""

    def keep(
        self,
        datasource_id: int,
        session_id: int,
        key_id: int,
        *,
        pad: bytes,
        at: datetime,
        expires_at: datetime,
    ) -> None: ...
    def take(self, datasource_id: int, session_id: int, key_id: int, at: datetime) -> bytes | None:
        """Gone with this call, also when it comes too late."""


class HandOver:
    def __init__(self, *, pads: PadStore, clock: Clock, randomness: Randomness) -> None:
        self._pads = pads
        self._clock = clock
        self._randomness = randomness

    def put(self, principal: Principal, key_id: int, text: Secret) -> bytes:
        """The browser's half, good for `WAITS` in the same session."""
        pad, now = self._randomness.bytes(_PAD_BYTES), self._clock.now()
        self._pads.keep(
            principal.datasource_id,
            principal.credential.id,
            key_id,
            pad=pad,
            at=now,
            expires_at=now + WAITS,
        )
        return masked(text, pad)

    def take(self, principal: Principal, key_id: int, half: bytes) -> Secret | None:
        """None for the second time, for another session, and when it took too long."""
        pad = self._pads.take(
            principal.datasource_id, principal.credential.id, key_id, self._clock.now()
        )
        return None if pad is None else unmasked(half, pad)
