"""Watch that the store is not an older one than was served before, nor another's.

Looked at when a process starts, when its guard or lease says that the store changed, and in every
change of rights. Always in this order: the mark, then the store. A mark is raised only after what
it says was committed, so a store that is read later has reached it. On PostgreSQL a restore may
come between two looks, so what reads a key asks in the same statement where the store stands.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from keyhalt.core.marks import Mark, why_closed
from keyhalt.usecases.ports import StoreClosedError

if TYPE_CHECKING:
    from keyhalt.usecases.ports import MarkStore

_log = logging.getLogger("keyhalt")


class Watch:
    """One per process; may be shared by threads."""

    def __init__(self, marks: MarkStore) -> None:
        self._marks = marks
        self._last: Mark | None = None
        self._why: str | None = None
        self._told = False

    def before(self) -> Mark | None:
        """The mark. Call before the store is asked where it stands."""
        try:
            return self._marks.read()
        except OSError as error:
            self._warn(error)
            return self._last

    def judge(self, before: Mark | None, cluster: str, epoch: int) -> None:
        """Where the store stands, read after `before`. Raises StoreClosedError."""
        self._why = why_closed(before, cluster, epoch)
        self.check()
        self.reached(cluster, epoch)

    @property
    def known(self) -> Mark | None:
        """The furthest that this process has seen. Read it before asking `stands`' question."""
        return self._last

    def stands(self, known: Mark | None, cluster: str, epoch: int) -> None:
        """Where the store stood in the statement that was asked after `known` was read.

        Without the mark, so without a file: what this process saw is enough for what it is asked.
        Raises StoreClosedError.
        """
        why = why_closed(known, cluster, epoch)
        if why is not None:
            raise StoreClosedError(why)

    def check(self) -> None:
        """Raises StoreClosedError if the last judgement said so. Reads nothing."""
        if self._why is not None:
            raise StoreClosedError(self._why)

    def reached(self, cluster: str, epoch: int) -> None:
        """`epoch` is committed: raise the mark. Never fails: the change stands in any case."""
        last = self._last
        if last is not None and last.cluster == cluster and last.epoch >= epoch:
            return
        self._last = Mark(cluster, epoch)
        try:
            self._marks.raise_to(self._last)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            _log.warning("the mark of the store cannot be kept: %s", error.strerror)
