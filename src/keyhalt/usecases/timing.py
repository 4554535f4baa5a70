"""How long verifications take, without work in each of them (docs/watching.md).

Each question to the store is timed. Of answers from memory one is timed every so often: whoever
asks has the function `remembered` as an attribute, and another is in its place for one answer.
"""

from __future__ import annotations

import enum
import threading
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from keyhalt.core.principals import KeyFacts, Principal, SessionFacts, TokenFacts
    from keyhalt.usecases.ports import CredentialReader


class Source(enum.StrEnum):
    """Where what a decision is made from was found."""

    MEMORY = "memory"
    STORE = "store"


BOUNDS_US = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))[:-2]
"""Microseconds, from 1 to 1,000,000, that times are counted up to."""
MORE = 0
"""In the place of a bound: longer than all of them."""
Taken = dict[tuple[Source, int], tuple[int, int]]
"""Of each source and bound: how often, and how many nanoseconds together."""


class Asker(Protocol):
    """Whoever asks what is remembered: by this attribute, each time."""

    remembered: Any


class Timing:
    """Of one process. Any thread may call."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: dict[tuple[Source, int], list[int]] = defaultdict(lambda: [0, 0])
        self._armed: list[tuple[Asker, Callable[..., object]]] = []

    def sample(self, asker: Asker) -> None:
        """Time an answer that `asker` gets from memory, after each `arm`."""
        self._armed.append((asker, self._once(asker, asker.remembered)))

    def arm(self) -> None:
        for asker, timed in self._armed:
            asker.remembered = timed

    def reader(self, reader: CredentialReader) -> CredentialReader:
        """The same, with each question timed."""
        return _TimedReader(reader, self)

    def took(self, source: Source, began: float) -> None:
        nanoseconds = max(0, round((self._monotonic() - began) * 1e9))
        place = bisect_left(BOUNDS_US, nanoseconds / 1000)
        bound = BOUNDS_US[place] if place < len(BOUNDS_US) else MORE
        with self._lock:
            count = self._counts[source, bound]
            count[0] += 1
            count[1] += nanoseconds

    def take(self) -> Taken:
        """All that was counted since the last time."""
        with self._lock:
            taken = {key: (times, spent) for key, (times, spent) in self._counts.items()}
            self._counts.clear()
        return taken

    def put_back(self, taken: Mapping[tuple[Source, int], tuple[int, int]]) -> None:
        """What could not be written."""
        with self._lock:
            for key, (times, spent) in taken.items():
                self._counts[key][0] += times
                self._counts[key][1] += spent

    async def question(self, asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - what was asked for
        began = self._monotonic()
        try:
            return await asked
        finally:
            self.took(Source.STORE, began)

    def _once(self, asker: Asker, remembered: Callable[..., Any]) -> Callable[..., Any]:
        monotonic, took = self._monotonic, self.took

        def timed(*asked: object) -> Principal | None:
            began = monotonic()
            answer: Principal | None = remembered(*asked)
            if answer is not None:
                took(Source.MEMORY, began)
                asker.remembered = remembered
            return answer

        return timed


class _TimedReader:
    """Implements CredentialReader."""

    def __init__(self, reader: CredentialReader, timing: Timing) -> None:
        self._reader = reader
        self._timing = timing

    async def key(self, key_id: int) -> KeyFacts | None:
        found: KeyFacts | None = await self._timing.question(self._reader.key(key_id))
        return found

    async def imported_key(self, digest: bytes) -> KeyFacts | None:
        found: KeyFacts | None = await self._timing.question(self._reader.imported_key(digest))
        return found

    async def token(self, digest: bytes) -> TokenFacts | None:
        found: TokenFacts | None = await self._timing.question(self._reader.token(digest))
        return found

    async def session(self, digest: bytes) -> SessionFacts | None:
        found: SessionFacts | None = await self._timing.question(self._reader.session(digest))
        return found
