"""What may be answered from memory, and until when: the rule of docs/revocation.md.

An entry is remembered with the tag that was read *before* the data it was made from. It counts
only while the tag read now, after the request arrived, is that same tag, or what changed between
the two is known and was none of its business. Nothing else keeps it alive and nothing remembered
is ever written back.

Every `now` here is a moment after the request arrived, in seconds on the clock that leases are
counted on. It may be any such moment: a lease that reaches beyond it was extended by a look that
knows of every change that had returned before the request arrived (docs/revocation.md, "Barrier").

Of denials only those are remembered that the text itself gives again, or a store in which nothing
changed: that a text is none of ours, was not imported, or is a deleted key's. Any other is asked
for again each time, so that a new key or a reactivated owner counts at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyhalt.core.decisions import Denied
    from keyhalt.core.principals import Principal
    from keyhalt.core.secrets import MacKeys

BYTES_MAX = 256 * 1024 * 1024
ENTRY_BYTES = 900
"""An entry with its imprint, principal and a small owner that no other key shares."""
NODE_BYTES = 40
NO_EPOCH = -1


class Tag(NamedTuple):
    """The state of the store of rights at one moment, as one guard saw it.

    A guard's number means nothing to another guard, so its identity is part of the tag. `epoch`:
    the highest known in that state; evidence, and no more.
    """

    guard: int
    number: int
    epoch: int = NO_EPOCH


class Freshness(Protocol):
    """What proves that something remembered still holds. One per process, with its memory.

    Who derives from it and leaves the attributes as they are is asked for the tag each time.
    """

    deadline: float = 0.0
    """Before this moment `current` is the tag, without asking. Read it before `current`."""
    current: Tag = Tag(0, -1)

    def tag(self, now: float) -> Tag | None:
        """The state at `now` or later. None: it cannot be proved, so nothing counts from memory.

        May raise what the store raises when it cannot be asked.
        """

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        """Whether no change since `since`, up to a tag read just before, concerns `principal`."""


class NeverFresh(Freshness):
    """Nothing counts from memory: every request asks the store."""

    def tag(self, now: float) -> None:
        del now

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        del since, principal
        return False


@dataclass(slots=True)
class Entry:
    """A remembered permission: whoever `principal` is, the key acts as.

    `tag` only ever moves to a later state in which the permission was proved to hold. `at`: the
    `now` of its last use, or of the reading that made it. `used` is set at each use and says who
    may stay when room is needed.
    """

    principal: Principal
    tag: Tag
    at: float = 0.0
    used: bool = False


IMPRINT_BYTES = 31
"""Python's own part of it is 33: together they fill 64, and one more would take 80."""
begin_imprint = blake2b(digest_size=IMPRINT_BYTES).copy
"""Begins the hash of which a text's imprint is the digest. Twice as quick as beginning anew."""


def imprint_of(text: bytes) -> bytes:
    """What a text is remembered by, in this process only: BLAKE2b (RFC 7693), 248 bits.

    Not the digest that the store has (SHA-256): this costs every request, and two thirds as much.
    """
    hashing = begin_imprint()
    hashing.update(text)
    return hashing.digest()


def nobody(_entry: Entry) -> None:
    """Is told, and does nothing."""


class Memory:
    """Remembered permissions by imprint: at most `entries_max`, and about `bytes_max` of memory.

    When it is full, the oldest that was not used since it was last passed over goes (CLOCK): a
    use costs setting one flag. Only texts whose MAC held and whose row agreed get in, so a flood
    of made-up keys evicts nothing. Not for use from two threads at once, but for `used_since`.

    `leaving` is told of each entry that goes.
    """

    def __init__(
        self,
        entries_max: int,
        bytes_max: int = BYTES_MAX,
        leaving: Callable[[Entry], None] = nobody,
    ) -> None:
        if entries_max < 1:
            raise ValueError("a memory holds at least one entry")
        self.leaving = leaving
        self._entries: dict[bytes, Entry | None] = {}
        self._order: deque[bytes] = deque()
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._live = 0

    def __len__(self) -> int:
        return self._live

    def find(self) -> Callable[[bytes], Entry | None]:
        """What finds an entry by its imprint, fresh or not: it is the caller who proves it."""
        return self._entries.get

    def recall(
        self, imprint: bytes, freshness: Freshness, now: float, tag: Tag | None = None
    ) -> Principal | None:
        """Whom the text with `imprint` acts as, if that is fresh; a stale entry is forgotten.

        The state is read only when there is something to compare it with. `tag`: it was read
        already, for this request.
        """
        entry = self._entries.get(imprint)
        if entry is None:
            return None
        if tag is None:
            tag = freshness.tag(now)
            if tag is None:
                return None
        # `tag` was read before `unaffected` looks, so what it covers has been looked at.
        if entry.tag is not tag and entry.tag != tag:
            if not freshness.unaffected(entry.tag, entry.principal):
                self._forget(imprint)
                return None
            entry.tag = tag
        entry.at, entry.used = now, True
        return entry.principal

    def keep(self, imprint: bytes, entry: Entry) -> None:
        """Remember. `entry.tag` must have been read before the data of `entry.principal`."""
        self._forget(imprint)
        size = weight(entry.principal)
        while self._is_full(imprint, size):
            self._pass_over()
        if imprint not in self._entries:
            self._order.append(imprint)
        self._entries[imprint] = entry
        self._live += 1
        self._bytes += size

    def used_since(self, moment: float) -> Iterator[tuple[Principal, float, int]]:
        """Whom keys acted as after `moment`, when last, under which epoch. Any thread may ask."""
        # All at once: the list is made without a step in which another thread could run.
        for entry in list(self._entries.values()):
            while entry is not None and entry.at > moment:
                tag, at = entry.tag, entry.at
                # Used once more meanwhile: then the two need not be of one use.
                if entry.tag is tag and entry.at is at:
                    yield entry.principal, at, tag.epoch
                    break

    def _is_full(self, imprint: bytes, size: int) -> bool:
        if self._live and self._bytes + size > self._bytes_max:
            return True
        return len(self._entries) >= self._entries_max + (imprint in self._entries)

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

    def _forget(self, imprint: bytes) -> None:
        # Its place in the order stays, so that asking again and again makes no second one.
        entry = self._entries.get(imprint)
        if entry is not None:
            self._entries[imprint] = None
            self._live -= 1
            self._bytes -= weight(entry.principal)
            self.leaving(entry)


class Denials:
    """Remembered denials by imprint, at most `entries_max`; the oldest goes first.

    Each holds exactly as long as what it was decided on: the MAC keys, for what the text alone
    decides, or the state of the store. No denial moves to a later state. A flood of made-up keys
    costs the others their places here, and then a question each.
    """

    def __init__(self, entries_max: int) -> None:
        self._kept: dict[bytes, tuple[Denied, Tag | MacKeys]] = {}
        self._entries_max = entries_max

    def keep(self, imprint: bytes, denied: Denied, basis: Tag | MacKeys) -> None:
        """Remember. `basis` must have been read before what `denied` was decided on."""
        if len(self._kept) >= self._entries_max:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[imprint] = (denied, basis)

    def recall(
        self,
        imprint: bytes,
        freshness: Freshness,
        now: float,
        mac_keys: Callable[[], MacKeys],
        tag: Tag | None = None,
    ) -> Denied | None:
        """What the text with `imprint` is refused for. `now` and `tag`: as in Memory."""
        kept = self._kept.get(imprint)
        if kept is None:
            return None
        denied, basis = kept
        if isinstance(basis, Tag):
            holds = basis == (freshness.tag(now) if tag is None else tag)
        else:
            holds = basis is mac_keys()
        if holds:
            return denied
        del self._kept[imprint]
        return None


def weight(principal: Principal) -> int:
    """About how many bytes remembering it takes, with an owner of its own."""
    texts = (principal.user_code, principal.full_name, principal.email, principal.role_name)
    nodes = sum(map(len, principal.topmosts.values()))
    return ENTRY_BYTES + sum(map(len, texts)) + NODE_BYTES * nodes
