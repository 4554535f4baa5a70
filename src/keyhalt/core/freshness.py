"""What may be answered from memory, and until when: the rule of docs/revocation.md.

An entry is remembered with the tag that was read *before* the data it was made from. It counts
only while the tag read now, after the request arrived, is that same tag, or what changed between
the two is known and was none of its business; and while its own time limit has not passed. Nothing
else keeps it alive and nothing remembered is ever written back.

Only permission is remembered. A refusal is asked for again each time, so that a new key or a
reactivated owner counts at once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.decisions import Allowed
    from keyhalt.core.principals import Principal


class Tag(NamedTuple):
    """The state of the store of rights at one moment, as one guard saw it.

    A guard's number means nothing to another guard, so its identity is part of the tag.
    """

    guard: int
    number: int


class Freshness(Protocol):
    """What proves that something remembered still holds. One per process, with its memory."""

    def tag(self) -> Tag | None:
        """The state now. None: it cannot be proved, so nothing counts from memory.

        May raise what the store raises when it cannot be asked.
        """

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        """Whether no change since `since`, up to a tag read just before, concerns `principal`."""


class NeverFresh:
    """Nothing counts from memory: every request asks the store."""

    def tag(self) -> None:
        return None

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        del since, principal
        return False


@dataclass(slots=True)
class Entry:
    """A remembered permission. `not_after`: seconds on the verifier's own clock, or no limit.

    `used` is set at each use and says who may stay when room is needed. `tag` only ever moves to
    a later state in which the permission was proved to hold.
    """

    allowed: Allowed
    tag: Tag
    not_after: float | None = None
    used: bool = False


def fresh(entry: Entry, tag: Tag, now: float) -> bool:
    """Whether `entry` counts. `tag` was read after the request arrived."""
    return entry.tag == tag and (entry.not_after is None or now < entry.not_after)


class Memory:
    """Remembered permissions by digest, at most `entries_max`.

    When it is full, the oldest that was not used since it was last passed over goes (CLOCK): a
    use costs setting one flag. Only texts whose MAC held and whose row agreed get in, so a flood
    of made-up keys evicts nothing. Not for use from two threads at once.
    """

    def __init__(self, entries_max: int) -> None:
        if entries_max < 1:
            raise ValueError("a memory holds at least one entry")
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._entries_max = entries_max

    def __len__(self) -> int:
        return len(self._entries)

    def recall(
        self, digest: bytes, freshness: Freshness, now: Callable[[], float]
    ) -> Allowed | None:
        """The permission remembered for `digest`, if it is fresh; a stale one is forgotten.

        The state is read only when there is something to compare it with; call this after the
        request arrived.
        """
        entry = self._entries.get(digest)
        if entry is None:
            return None
        tag = freshness.tag()
        if tag is None:
            return None
        if fresh(entry, tag, 0.0 if entry.not_after is None else now()):
            entry.used = True
            return entry.allowed
        return self._recheck(digest, entry, tag, freshness, now)

    def _recheck(
        self,
        digest: bytes,
        entry: Entry,
        tag: Tag,
        freshness: Freshness,
        now: Callable[[], float],
    ) -> Allowed | None:
        # `tag` was read before `unaffected` looks, so what it covers has been looked at.
        if entry.tag != tag and freshness.unaffected(entry.tag, entry.allowed.principal):
            entry.tag = tag
        if fresh(entry, tag, 0.0 if entry.not_after is None else now()):
            entry.used = True
            return entry.allowed
        del self._entries[digest]
        return None

    def keep(self, digest: bytes, entry: Entry) -> None:
        """Remember. `entry.tag` must have been read before the data of `entry.allowed`."""
        self._entries.pop(digest, None)
        while len(self._entries) >= self._entries_max:
            oldest, passed_over = self._entries.popitem(last=False)
            if passed_over.used:
                passed_over.used = False
                self._entries[oldest] = passed_over
        self._entries[digest] = entry

    def clear(self) -> None:
        self._entries.clear()
