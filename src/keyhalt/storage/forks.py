"""What a forked process must not have of its parent's: a lease that nobody keeps, a connection.

The child has the parent's memory as of the fork and none of its threads: its lease would be kept by
nobody, and the parent would acknowledge what the child never hears of. Two processes on one
connection would read each other's answers, and the child's end would be told as the parent's. So
the child lets go of all of it, without a word to the store; it verifies nothing more, and whoever
forks opens a verifier afterwards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable


class Forked(Protocol):
    def abandon(self) -> None:
        """In the child, before anything else: say nothing to anybody, and count for nothing."""


_open: WeakSet[Forked] = WeakSet()


def abandon_in_children(what: Forked) -> None:
    _open.add(what)


def _abandon_all() -> None:
    for each in list(_open):
        each.abandon()


_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(after_in_child=_abandon_all)
