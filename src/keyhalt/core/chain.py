r"""The chain of changes: each row of the audit log holds its own hash and that of the row before.

    hash = SHA-256(previous ‖ JSON of [1, value of each of COLUMNS as it is stored])

Without spaces, in ASCII (`\uXXXX` for the rest), a time as `2026-11-24T12:00:00.123456Z`,
`details` as the text that is stored. The leading 1 is the form: another form gets another number,
and this one is kept (docs/audit.md). Whoever can write to the store can rebuild a chain, so
*anchors* are kept outside: lines that say how far it had come, with a MAC.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from keyhalt.core.secrets import GenerationState, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyhalt.core.secrets import Generation, MacKeys

FORM = 1
START = bytes(32)
"""What stands before the first row."""
COLUMNS = (
    "id", "version", "at", "event", "outcome", "reason", "actor", "user_id", "credential_kind",
    "credential_id", "datasource_id", "object_type", "object_id", "request_id", "source",
    "operation", "details", "epoch",
)  # fmt: skip

# What a hand put into a column that holds another type is only printed, and matches nothing.
_json = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=repr).encode


def row_hash(previous: bytes, values: Sequence[object]) -> bytes:
    """`values`: those of COLUMNS, in that order."""
    return sha256(previous + _json([FORM, *values]).encode("ascii")).digest()


class Flaw(enum.StrEnum):
    """What can be wrong with a row, or with what an anchor says of it."""

    EMPTY = "empty"
    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    REPLACED = "replaced"
    ANCHOR_MISSES = "anchor_misses"
    ANCHOR_DIFFERS = "anchor_differs"
    ANCHOR_FORGED = "anchor_forged"


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw, with the row (or the line of the anchors) where it is."""

    flaw: Flaw
    at: int
    says: str


class Walk:
    """Takes the rows in the order of their ids, one at a time; keeps only where it stands."""

    def __init__(self) -> None:
        self.rows = 0
        self.id = 0
        self.hash: object = START
        self._before: object = START
        self._good = True

    def step(self, values: Sequence[object], previous: object, stored: object) -> Finding | None:
        """`values`: those of COLUMNS. `previous` and `stored`: the hashes that the row holds."""
        row_id = values[0]
        assert isinstance(row_id, int)  # noqa: S101 - the primary key
        own = isinstance(previous, bytes) and row_hash(previous, values) == stored
        follows = previous == self.hash
        found = None if own and follows else self._finding(row_id, previous, own=own)
        self._before, self.hash = self.hash, stored
        self.id, self.rows, self._good = row_id, self.rows + 1, own
        return found

    def end(self) -> Finding | None:
        """An environment has at least the row of its own making."""
        return None if self.rows else Finding(Flaw.EMPTY, 0, "there is no row at all")

    def _finding(self, row_id: int, previous: object, *, own: bool) -> Finding | None:
        if not own:
            return Finding(Flaw.EDITED, row_id, f"row {row_id} is not as it was written")
        gap = row_id != self.id + 1
        if not (self._good or gap):
            return None  # what follows from the row before was said of it
        if self.rows and previous == self._before:
            return Finding(Flaw.INSERTED, self.id, f"row {self.id} was put in by hand")
        if gap or not self.rows:
            span = f"after row {self.id} and " if self.rows else ""
            return Finding(Flaw.REMOVED, row_id, f"rows {span}before row {row_id} are gone")
        return Finding(Flaw.REPLACED, self.id, f"row {self.id} is another than was written")


# ------------------------------------------------------------------ anchors

_WORD = "keyhalt-anchor-1"


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far the chain of a cluster had come: the id and hash of its last row. `at`: RFC 3339."""

    cluster: str
    row_id: int
    hash: bytes
    at: str

    @property
    def standing(self) -> str:
        """How its line begins: all but the time and the MAC."""
        return f"{_WORD} {self.cluster} {self.row_id} {self.hash.hex()}"

    def line(self, generation: Generation) -> str:
        """One line without its end: the anchor, the MAC key's generation, the MAC of all before."""
        said = f"{self.standing} {self.at} {generation.number}"
        return f"{said} {generation.mac(said.encode()).hex()}"


class Unproved(enum.Enum):
    """Why a line of the anchors proves nothing."""

    FORGED = enum.auto()
    KEY_IS_GONE = enum.auto()


def read_anchor(line: str, keys: MacKeys) -> Anchor | Unproved:
    said, _, mac = line.rpartition(" ")
    try:
        word, cluster, row_id, digest, at, number = said.split(" ")
        anchor = Anchor(cluster, int(row_id), bytes.fromhex(digest), at)
        generation = keys.get(int(number))
        given = bytes.fromhex(mac)
    except ValueError:
        return Unproved.FORGED
    if word != _WORD:
        return Unproved.FORGED
    if generation is None or generation.state is GenerationState.DIGEST_ONLY:
        return Unproved.KEY_IS_GONE
    return anchor if same(generation.mac(said.encode()), given) else Unproved.FORGED


def compared(anchors: Sequence[Anchor], hashes: Mapping[int, bytes]) -> Iterator[Finding]:
    """`hashes`: of the anchors' rows, as stored now."""
    for anchor in anchors:
        stored = hashes.get(anchor.row_id)
        if stored is None:
            says = f"row {anchor.row_id} was there at {anchor.at} and is gone"
            yield Finding(Flaw.ANCHOR_MISSES, anchor.row_id, says)
        elif stored != anchor.hash:
            says = f"row {anchor.row_id}, or one before it, was another at {anchor.at}"
            yield Finding(Flaw.ANCHOR_DIFFERS, anchor.row_id, says)
