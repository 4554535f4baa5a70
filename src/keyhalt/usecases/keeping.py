"""Letting go of what the audit log has: ports of the two stores that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Of whom rows tell: what they did, what was done to them, and to the keys they own."""

    datasource_id: int
    user_id: int
    keys: Sequence[int]


class ChainKeeping(Protocol):
    """The chain of changes, in a transaction of the store of rights."""

    def old(self, before: datetime, at_most: int) -> tuple[int, bytes] | None:
        """The last of the oldest rows, so many at most, that are all older; never the newest."""

    def let_go(self, upto: int, checkpoint: str) -> int:
        """Remove the rows up to that one; the chain begins with `checkpoint`. How many they were.

        `checkpoint`: a line with a MAC (core/chain.py).
        """

    def erase(self, person: Person) -> tuple[int, int]:
        """Take away what is personal: of how many rows, and of how many it cannot be."""

    def keys_of(self, datasource_id: int, user_id: int) -> Sequence[int]:
        """Also deleted ones."""


class EventKeeping(Protocol):
    """Denials, sign-ins and readings. Any call may raise StoreUnavailableError."""

    def let_go(self, before: datetime, at_most: int) -> int:
        """Remove so many at most; how many they were."""

    def erase(self, person: Person) -> int: ...
