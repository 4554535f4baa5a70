"""Connections to PostgreSQL that give up on a peer that has gone silent.

The server ends a statement that takes too long, and the kernel a connection whose packets nobody
acknowledges. Neither helps against something between that goes on acknowledging and says nothing:
a proxy whose server is gone, a pooler that is stopped. Nobody but who waits can notice that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection, Connection, OperationalError, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.pq.abc import PGconn

PULSE_SECONDS = 0.1
"""Silence is counted in these: whoever waits looks up so often."""

_Result = TypeVar("_Result")


class SilentError(OperationalError):
    """Nothing was said for too long."""


class ImpatientConnection(Connection[Any]):
    """What it was in the middle of is unknown when it gives up, so it is closed then."""

    silence_seconds = float("inf")

    def wait(
        self,
        gen: Generator[Any, Any, _Result],
        interval: float = PULSE_SECONDS,
        timeout: float | None = None,
    ) -> _Result:
        """Raises OperationalError after `silence_seconds` in which nothing came or went."""
        del interval
        steps = _while_answered(gen, self.pgconn, self.silence_seconds)
        return super().wait(steps, PULSE_SECONDS, timeout)


class ImpatientAsyncConnection(AsyncConnection[Any]):
    """The same in an event loop.

    To cancel the task that waits would not do: the driver then first asks the server, for as long
    as ten seconds, to cancel the statement.
    """

    silence_seconds = float("inf")

    async def wait(
        self,
        gen: Generator[Any, Any, _Result],
        interval: float = PULSE_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's
    ) -> _Result:
        """As above."""
        del interval
        steps = _while_answered(gen, self.pgconn, self.silence_seconds)
        return await super().wait(steps, PULSE_SECONDS, timeout)


def _while_answered(
    steps: Generator[Any, Any, _Result], connection: PGconn, silence_seconds: float
) -> Generator[Any, Any, _Result]:
    # Who waits sends READY_NONE after each PULSE_SECONDS in which the socket was not ready.
    silent = 0.0
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            silent = 0.0 if ready else silent + PULSE_SECONDS
            if silent >= silence_seconds:
                connection.finish()
                raise SilentError(f"the database said nothing for {silent:.1f} s")
            wanted = steps.send(ready or waiting.READY_NONE)
    except StopIteration as done:
        result: _Result = done.value
        return result
