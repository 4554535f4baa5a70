"""The thread that keeps a process's lease: turns, and sleeps until the database says something."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.exc import DBAPIError

from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from keyhalt.usecases.keep_lease import KeepLease

POLL_SECONDS = 0.25
JITTER = 0.2
AGAIN_FIRST_SECONDS = 0.05
AGAIN_LAST_SECONDS = 0.5
AGAIN_LAST_LEASES = 0.1
"""Of a lease: a short one must not run out because its keeper sleeps when the database is back."""


def longest_pause(failures: int, lease_seconds: float) -> float:
    """The most that a keeper sleeps after so many failures in a row, 1 or more; half the least.

    It is short enough that a lease is held within a second of the database's return.
    """
    doubled = AGAIN_FIRST_SECONDS * 2.0 ** min(failures - 1, 10)
    return min(doubled, AGAIN_LAST_SECONDS, AGAIN_LAST_LEASES * lease_seconds)


class Keeper:
    """Runs from `start` to `stop`. The thread is its own, so a busy event loop delays no lease.

    `engine` has one connection, which hears the channel. `uniform(low, high)`: a random number.
    """

    def __init__(
        self,
        keep_lease: KeepLease,
        engine: Engine,
        uniform: Callable[[float, float], float],
        *,
        lease_seconds: float,
    ) -> None:
        self._keep_lease = keep_lease
        self._engine = engine
        self._uniform = uniform
        self._lease_seconds = lease_seconds
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="keyhalt-lease", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the lease is given up and, if the database can be told, its row is gone."""
        if self._stopping:
            return
        self._stopping = True
        os.write(self._wake_write, b".")
        self._thread.join()
        try:
            self._keep_lease.stop()
        except StoreUnavailableError:
            pass  # A change waits for the lease to end, once.
        finally:
            self._engine.dispose()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def abandon(self) -> None:
        """In a forked process: the lease is its parent's, and so is the row of it."""
        self._stopping = True
        self._engine.dispose(close=False)

    def _run(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                if self._keep_lease.turn():
                    self._listen(POLL_SECONDS * self._uniform(1 - JITTER, 1 + JITTER))
                failures = 0
            except (StoreUnavailableError, DBAPIError):
                failures += 1
                most = longest_pause(failures, self._lease_seconds)
                self._sleep(most * self._uniform(0.5, 1.0))

    def _listen(self, seconds: float) -> None:
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                # What came with the answer to a statement is not on the wire any more.
                if any(True for _ in driver.notifies(timeout=0)):
                    return
                self._sleep(seconds, driver.fileno())
                list(driver.notifies(timeout=0))
            except psycopg.Error as error:
                # Its connection ended without a word. The driver's own error ends no turn.
                connection.invalidate()
                raise StoreUnavailableError(str(error)) from error

    def _sleep(self, seconds: float, *also: int) -> None:
        select.select([self._wake_read, *also], [], [], seconds)
