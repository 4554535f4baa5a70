"""A verifier for apps that wait: Django and Flask under WSGI, whose requests run in threads.

The verifier lives in one event loop in one thread of its own, because its guard and its memory
belong to one; requests hand it what was presented and wait. Made for each process anew, so a
server that forks its workers gets a verifier in each.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

from keyhalt.core.decisions import Allowed, Cause, Decision, Denied, Presented, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.middleware import Verifier
    from keyhalt.core.audit import Origin
    from keyhalt.core.permissions import Need
    from keyhalt.core.principals import Principal

WAIT_SECONDS = 10.0
_UNAVAILABLE = Denied(Reason.UNAVAILABLE, Cause.STORE_UNAVAILABLE, retry_after_seconds=1)


class BlockingVerifier:
    """`BlockingVerifier(open_verifier)`: from what makes a verifier, called once a process.

    May be used from any thread.
    """

    def __init__(self, make: Callable[[], Verifier]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._running: _Running | None = None

    @property
    def realm(self) -> str:
        return self._here().verifier.realm

    def need(self, name: str) -> Need:
        return self._here().verifier.need(name)

    def decide(self, presented: Presented) -> Decision:
        """Wait for the decision; one that does not come in time is a denial."""
        running = self._here()
        asked = asyncio.run_coroutine_threadsafe(running.decide(presented), running.loop)
        try:
            return asked.result(WAIT_SECONDS)
        except TimeoutError:
            asked.cancel()
            return _UNAVAILABLE

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        running = self._here()
        told = asyncio.run_coroutine_threadsafe(running.refused(denied, origin), running.loop)
        return told.result(WAIT_SECONDS)

    def used(self, principal: Principal, *how: Any) -> None:  # noqa: ANN401
        """As a Verifier's. Waits for nothing."""
        running = self._here()
        running.loop.call_soon_threadsafe(running.verifier.used, principal, *how)

    def close(self) -> None:
        """Stop the thread, and close the verifier if it can be closed."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None and running.process == os.getpid():
            running.stop()

    def _here(self) -> _Running:
        running = self._running
        if running is None or running.process != os.getpid():
            with self._lock:
                running = self._running
                if running is None or running.process != os.getpid():
                    self._running = running = _Running(self._make())
        return running


class _Running:
    """A verifier in the loop of its thread."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="keyhalt-verifier", daemon=True)
        self._thread.start()

    async def decide(self, presented: Presented) -> Decision:
        known = self.verifier.remembered(presented.only_key, presented.over_https)
        if known is None:
            return await self.verifier.verify(presented)
        return known if isinstance(known, Denied) else Allowed(known)

    async def refused(self, denied: Denied, origin: Origin) -> Denied:
        return self.verifier.refused(denied, origin)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            close = getattr(self.verifier, "close", None)
            if close is not None:
                close()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
