"""A change that waits is over in its time, whatever holds up who asks the database for it.

A statement that is not answered is given up on (storage/silence.py), a connection that cannot be
made too; but a wait must not take longer for either.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from keyhalt.usecases.barrier import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE_SECONDS = 0.25
"""More than the end of a wait takes: its last look, and declaring dead who is behind."""


class Bounded(Protocol):
    """A barrier that knows by when it should be over."""

    def guard_seconds(self) -> float: ...
    def wait(self, epoch: int) -> Receipt: ...


class Punctual:
    """Implements Barrier: that one, and whatever holds it up, over when no lease can last.

    `clock`: the lease's own. The other goes on in its thread until it is done with the database.
    """

    def __init__(self, barrier: Bounded, clock: Callable[[], float]) -> None:
        self._barrier = barrier
        self._clock = clock
        self._never = threading.Event()

    def wait(self, epoch: int) -> Receipt:
        began = self._clock()
        done: list[Receipt] = []

        def work() -> None:
            done.append(self._barrier.wait(epoch))

        thread = threading.Thread(target=work, name="keyhalt-wait", daemon=True)
        thread.start()
        thread.join(self._left(began) + GRACE_SECONDS)
        with suppress(IndexError):
            return done[0]
        # Nobody could be asked; whoever did not hear of the change holds no lease any more.
        while self._left(began) > 0:
            self._never.wait(0.05)
        waited_ms = round((self._clock() - began) * 1000)
        return Receipt(epoch, form="barrier", waited_ms=waited_ms, acknowledged=0)

    def _left(self, began: float) -> float:
        return began + self._barrier.guard_seconds() - self._clock()
