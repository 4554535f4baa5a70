"""What may be answered from memory, and until when: the rule of docs/revocation.md.

An entry is remembered with the tag that was read *before* the data it was made from. It counts
only while the tag read now, after the request arrived, is that same tag, or what changed between
the two is known and was none of its business; and while its own time limit has not passed. Nothing
else keeps it alive and nothing remembered is ever written back.

Of denials only those are remembered that the text itself gives again, or a store in which nothing
changed: that a text is none of ours, was not imported, or is a deleted key's. Any other is asked
for again each time, so that a new key or a reactivated owner counts at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.decisions import Denied
    from keyhalt.core.principals import Principal, UserFacts
    from keyhalt.core.secrets import MacKeys

BYTES_MAX = 256 * 1024 * 1024
ENTRY_BYTES = 900
"""An entry with its digest, principal and a small owner that no other key shares."""
NODE_BYTES = 40


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
    """A remembered permission: whoever `principal` is, the key acts as.

    `not_after`: seconds on the verifier's own clock, or no limit. `used` is set at each use and
    says who may stay when room is needed. `tag` only ever moves to a later state in which the
    permission was proved to hold.
    """

    principal: Principal
    tag: Tag
    not_after: float | None = None
    used: bool = False


def fresh(entry: Entry, tag: Tag, now: float) -> bool:
    """Whether `entry` counts. `tag` was read after the request arrived."""
    return entry.tag == tag and (entry.not_after is None or now < entry.not_after)


class Memory:
    """Remembered permissions by digest: at most `entries_max`, and about `bytes_max` of memory.

    When it is full, the oldest that was not used since it was last passed over goes (CLOCK): a
    use costs setting one flag. Only texts whose MAC held and whose row agreed get in, so a flood
    of made-up keys evicts nothing. Not for use from two threads at once.
    """

    def __init__(self, entries_max: int, bytes_max: int = BYTES_MAX) -> None:
        if entries_max < 1:
            raise ValueError("a memory holds at least one entry")
        self._entries: dict[bytes, Entry | None] = {}
        self._order: deque[bytes] = deque()
        self._owners: dict[int, UserFacts] = {}
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._live = 0

    def __len__(self) -> int:
        return self._live

    def recall(
        self,
        digest: bytes,
        freshness: Freshness,
        now: Callable[[], float],
        tag: Tag | None = None,
    ) -> Principal | None:
        """Whom the text with `digest` acts as, if that is fresh; a stale entry is forgotten.

        The state is read only when there is something to compare it with; call this after the
        request arrived. `tag`: it was read already, for this request.
        """
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if tag is None:
            tag = freshness.tag()
            if tag is None:
                return None
        if entry.tag is tag and entry.not_after is None:
            entry.used = True
            return entry.principal
        return self._recheck(digest, entry, tag, freshness, now)

    def _recheck(
        self,
        digest: bytes,
        entry: Entry,
        tag: Tag,
        freshness: Freshness,
        now: Callable[[], float],
    ) -> Principal | None:
        # `tag` was read before `unaffected` looks, so what it covers has been looked at.
        if entry.tag == tag or freshness.unaffected(entry.tag, entry.principal):
            entry.tag = tag
        if fresh(entry, tag, 0.0 if entry.not_after is None else now()):
            entry.used = True
            return entry.principal
        self._forget(digest)
        return None

    def keep(self, digest: bytes, entry: Entry) -> None:
        """Remember. `entry.tag` must have been read before the data of `entry.principal`."""
        self._forget(digest)
        size = weight(entry.principal)
        while self._is_full(digest, size):
            self._pass_over()
        if digest not in self._entries:
            self._order.append(digest)
        self._entries[digest] = entry
        self._live += 1
        self._bytes += size

    def shared(self, owner: UserFacts) -> UserFacts:
        """`owner`, or what is known of the same user when it is equal: one copy for many keys."""
        known = self._owners.get(owner.user_id)
        if known == owner:
            return known
        if len(self._owners) >= self._entries_max:
            self._owners.clear()
        self._owners[owner.user_id] = owner
        return owner

    def _is_full(self, digest: bytes, size: int) -> bool:
        if self._live and self._bytes + size > self._bytes_max:
            return True
        return len(self._entries) >= self._entries_max + (digest in self._entries)

    def _pass_over(self) -> None:
        """Give the oldest its second chance, or let it go."""
        oldest = self._order.popleft()
        entry = self._entries[oldest]
        if entry is not None and entry.used:
            entry.used = False
            self._order.append(oldest)
            return
        self._forget(oldest)
        del self._entries[oldest]

    def _forget(self, digest: bytes) -> None:
        # Its place in the order stays, so that asking again and again makes no second one.
        entry = self._entries.get(digest)
        if entry is not None:
            self._entries[digest] = None
            self._live -= 1
            self._bytes -= weight(entry.principal)


class Denials:
    """Remembered denials by digest, at most `entries_max`; the oldest goes first.

    Each holds exactly as long as what it was decided on: the MAC keys, for what the text alone
    decides, or the state of the store. No denial moves to a later state. A flood of made-up keys
    costs the others their places here, and then a question each.
    """

    def __init__(self, entries_max: int) -> None:
        self._kept: dict[bytes, tuple[Denied, Tag | MacKeys]] = {}
        self._entries_max = entries_max

    def keep(self, digest: bytes, denied: Denied, basis: Tag | MacKeys) -> None:
        """Remember. `basis` must have been read before what `denied` was decided on."""
        if len(self._kept) >= self._entries_max:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[digest] = (denied, basis)

    def recall(
        self,
        digest: bytes,
        freshness: Freshness,
        mac_keys: Callable[[], MacKeys],
        tag: Tag | None = None,
    ) -> Denied | None:
        """What the text with `digest` is refused for. When, and what `tag` is: as in Memory."""
        kept = self._kept.get(digest)
        if kept is None:
            return None
        denied, basis = kept
        if isinstance(basis, Tag):
            holds = basis == (freshness.tag() if tag is None else tag)
        else:
            holds = basis is mac_keys()
        if holds:
            return denied
        del self._kept[digest]
        return None


def weight(principal: Principal) -> int:
    """About how many bytes remembering it takes, with an owner of its own."""
    texts = (principal.user_code, principal.full_name, principal.email, principal.role_name)
    nodes = sum(map(len, principal.topmosts.values()))
    return ENTRY_BYTES + sum(map(len, texts)) + NODE_BYTES * nodes
