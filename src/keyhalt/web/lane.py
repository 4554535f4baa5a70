"""Where passwords are checked: threads of their own, and a bounded queue in front of them.

A check costs some 20 ms of one core. In the worker threads that all other requests share, people
who wait for their turn would hold those; here they hold none, and who would wait too long is told
so at once. The event loop, which verifies keys, never hashes. No source has more than a part of the
places, so that it takes several to keep others out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from keyhalt.core.decisions import Cause, Denied, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

WAITING_MAX = 32
"""For each thread: nobody waits much longer than a second."""
SOURCE_MAX = 8
"""For each thread, of one source."""
RETRY_SECONDS = 1

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """Used from one event loop. `threads`: how many passwords this process checks at once."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="keyhalt-passwords")
        self._places = threads * (1 + WAITING_MAX)
        self._places_of_one = threads * SOURCE_MAX
        self._taken: Counter[str] = Counter()

    async def run(
        self, source: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | Denied:
        """What `work` returns, or that too many wait already; then it was not called."""
        taken = self._taken
        if taken.total() >= self._places or taken[source] >= self._places_of_one:
            return Denied(
                Reason.UNAVAILABLE, Cause.SIGN_INS_BUSY, retry_after_seconds=RETRY_SECONDS
            )
        taken[source] += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            taken[source] -= 1
            if not taken[source]:
                del taken[source]

    def close(self) -> None:
        self._threads.shutdown()
