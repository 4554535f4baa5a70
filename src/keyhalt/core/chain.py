r"""The chain of changes: each row of the audit log holds its own hash and that of the row before.

    hash = SHA-256(previous ‖ JSON of [2, value of each of PLAIN as it is stored, commitment])
    commitment = SHA-256(salt ‖ JSON of [value of each of PERSONAL as it is stored])

Without spaces, in ASCII (`\uXXXX` for the rest), a time as `2026-11-24T12:00:00.123456Z`,
`details` as the text that is stored, the commitment as hexadecimal. So what is personal can be
taken away, with its salt, and the rest still proves itself. The leading number is the form: another
form gets another number, and those that were written are kept (docs/audit.md). Whoever can write to
the store can rebuild a chain, so *anchors* are kept outside: lines that say how far it had come,
with a MAC. A *checkpoint* is such a line in the store: where a log begins whose older rows were let
go.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from keyhalt.core.secrets import GenerationState, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from keyhalt.core.secrets import Generation, MacKeys

START = bytes(32)
"""What stands before the first row."""
COLUMNS = (
    "id", "version", "at", "event", "outcome", "reason", "actor", "user_id", "credential_kind",
    "credential_id", "datasource_id", "object_type", "object_id", "request_id", "source",
    "operation", "details", "epoch",
)  # fmt: skip
PERSONAL = ("actor", "source", "details")
PLAIN = tuple(name for name in COLUMNS if name not in PERSONAL)
ERASED = ("", "", "{}")
"""What stands in the columns of PERSONAL when they were taken away."""
SALT_BYTES = 16
FORGET = "audit.forget"
_AT = {name: place for place, name in enumerate(COLUMNS)}
_ACTOR, _SOURCE, _DETAILS = (_AT[name] for name in PERSONAL)
_EVENT, _USER, _TYPE, _OBJECT = (
    _AT[name] for name in ("event", "user_id", "object_type", "object_id")
)


def _compact() -> Callable[[object], str]:
    """JSON without spaces, in ASCII.

    What a hand put into a column that holds another type is only printed, and matches nothing.
    """
    ascii_text = json.encoder.encode_basestring_ascii
    how = {"key_separator": ":", "item_separator": ","}
    flags = {"sort_keys": False, "skipkeys": False, "allow_nan": True}
    try:
        # JSONEncoder makes one of these for each text; a log of millions of rows needs two a row.
        # It is Python's own affair, so another Python may not have it, or have it otherwise.
        make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
        encode = make(markers=None, default=repr, encoder=ascii_text, indent=None, **how, **flags)
    except (AttributeError, TypeError):
        return json.JSONEncoder(separators=(",", ":"), check_circular=False, default=repr).encode
    return lambda value: "".join(encode(value, 0))


_json = _compact()


def commitment_of(salt: bytes, values: Sequence[object]) -> bytes:
    """To what is personal in `values`, those of COLUMNS."""
    personal = _json([values[_ACTOR], values[_SOURCE], values[_DETAILS]])
    return sha256(salt + personal.encode("ascii")).digest()


def row_hash(previous: bytes, values: Sequence[object], commitment: bytes | None = None) -> bytes:
    """`values`: those of COLUMNS, in that order. Without a commitment: form 1, of all of them."""
    if commitment is None:
        hashed: list[object] = [1, *values]
    else:
        hashed = [
            2, *values[:_ACTOR], *values[_ACTOR + 1 : _SOURCE], values[_SOURCE + 1],
            values[_DETAILS + 1], commitment.hex(),
        ]  # fmt: skip
    return sha256(previous + _json(hashed).encode("ascii")).digest()


class Link(NamedTuple):
    """What a row holds beside the values of COLUMNS. `salt` None: of form 1, or erased."""

    previous: object
    hash: object
    salt: object = None
    commitment: object = None


class Flaw(enum.StrEnum):
    """What can be wrong with a row, or with what an anchor says of it."""

    EMPTY = "empty"
    EDITED = "edited"
    REMOVED = "removed"
    INSERTED = "inserted"
    REPLACED = "replaced"
    ERASED = "erased"
    CHECKPOINT_FORGED = "checkpoint_forged"
    ANCHOR_MISSES = "anchor_misses"
    ANCHOR_DIFFERS = "anchor_differs"
    ANCHOR_FORGED = "anchor_forged"


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw, with the row (or the line of the anchors) where it is."""

    flaw: Flaw
    at: int
    says: str


class _Subject(NamedTuple):
    """Whom a row may tell of: who acted, and what it is about."""

    user_id: object
    object_type: object
    object_id: object


class Walk:
    """Takes the rows in the order of their ids, one at a time; keeps only where it stands.

    `begins`: the checkpoint behind which older rows were let go.
    """

    def __init__(self, begins: Anchor | None = None) -> None:
        self.rows = 0
        self.erased = 0
        self.id = 0 if begins is None else begins.row_id
        self.hash: object = START if begins is None else begins.hash
        self._begins = begins is not None
        self._before: object = START
        self._good = True
        self._last_erased: dict[_Subject, int] = {}
        self._forgotten: list[tuple[int, Mapping[str, object]]] = []

    def step(self, values: Sequence[object], link: Link) -> Finding | None:
        """`values`: those of COLUMNS."""
        row_id = values[0]
        assert isinstance(row_id, int)  # noqa: S101 - the primary key
        own = self._is_own(values, link)
        follows = link.previous == self.hash
        if values[_EVENT] == FORGET and own:
            self._forgotten.append((row_id, _details(values[_DETAILS])))
        found = None if own and follows else self._finding(row_id, link.previous, own=own)
        self._before, self.hash = self.hash, link.hash
        self.id, self.rows, self._good = row_id, self.rows + 1, own
        return found

    def end(self) -> Iterator[Finding]:
        """An environment has at least the row of its own making; nothing is erased untold."""
        if not self.rows:
            yield Finding(Flaw.EMPTY, 0, "there is no row at all")
        for subject, row_id in sorted(self._last_erased.items(), key=lambda each: each[1]):
            if not any(at > row_id and _names(told, subject) for at, told in self._forgotten):
                says = f"what is personal in row {row_id} was taken away, and no event tells of it"
                yield Finding(Flaw.ERASED, row_id, says)

    def _is_own(self, values: Sequence[object], link: Link) -> bool:
        """Whether the row is what its hash was made of, or all that is left of that."""
        previous, commitment = link.previous, link.commitment
        if not isinstance(previous, bytes):
            return False
        if commitment is None:
            return link.salt is None and row_hash(previous, values) == link.hash
        if not isinstance(commitment, bytes):
            return False
        if row_hash(previous, values, commitment) != link.hash:
            return False
        if isinstance(link.salt, bytes):
            return commitment_of(link.salt, values) == commitment
        if (values[_ACTOR], values[_SOURCE], values[_DETAILS]) != ERASED:
            return False
        self.erased += 1
        subject = _Subject(values[_USER], values[_TYPE], values[_OBJECT])
        self._last_erased[subject] = values[0]  # type: ignore[assignment]
        return True

    def _finding(self, row_id: int, previous: object, *, own: bool) -> Finding | None:
        if not own:
            return Finding(Flaw.EDITED, row_id, f"row {row_id} is not as it was written")
        gap = row_id != self.id + 1
        if not (self._good or gap):
            return None  # what follows from the row before was said of it
        if self.rows and previous == self._before:
            return Finding(Flaw.INSERTED, self.id, f"row {self.id} was put in by hand")
        if gap or not self.rows:
            span = f"after row {self.id} and " if self.rows or self._begins else ""
            return Finding(Flaw.REMOVED, row_id, f"rows {span}before row {row_id} are gone")
        return Finding(Flaw.REPLACED, self.id, f"row {self.id} is another than was written")


def _details(text: object) -> Mapping[str, object]:
    try:
        told = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _names(told: Mapping[str, object], subject: _Subject) -> bool:
    """Whether an event of forgetting tells of that subject."""
    user_id, keys = told.get("user_id"), told.get("keys")
    if user_id is None:
        return False
    of_key = subject.object_type == "key" and isinstance(keys, list) and subject.object_id in keys
    of_user = subject.object_type == "user" and subject.object_id == user_id
    return subject.user_id == user_id or of_user or of_key


# ------------------------------------------------------------------ anchors

_WORD = "keyhalt-anchor-1"
_CHECKPOINT = "keyhalt-checkpoint-1"


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far the chain of a cluster had come: the id and hash of its last row. `at`: RFC 3339."""

    cluster: str
    row_id: int
    hash: bytes
    at: str
    word: str = _WORD

    @property
    def standing(self) -> str:
        """How its line begins: all but the time and the MAC."""
        return f"{self.word} {self.cluster} {self.row_id} {self.hash.hex()}"

    def line(self, generation: Generation) -> str:
        """One line without its end: the anchor, the MAC key's generation, the MAC of all before."""
        said = f"{self.standing} {self.at} {generation.number}"
        return f"{said} {generation.mac(said.encode()).hex()}"


class Unproved(enum.Enum):
    """Why a line of the anchors proves nothing."""

    FORGED = enum.auto()
    KEY_IS_GONE = enum.auto()


def checkpoint(cluster: str, row_id: int, row_hash: bytes, at: str) -> Anchor:
    """That a log may begin after that row. An anchor does not say so, and is none."""
    return Anchor(cluster, row_id, row_hash, at, _CHECKPOINT)


def anchors_in(lines: Iterable[str]) -> Iterator[str]:
    """The anchors in the lines of a log, without what the log writes before them."""
    for line in lines:
        _, word, rest = line.rstrip().partition(_WORD)
        if word:
            yield word + rest


def read_checkpoint(line: str, keys: MacKeys) -> Anchor | Unproved:
    return _read(_CHECKPOINT, line, keys)


def read_anchor(line: str, keys: MacKeys) -> Anchor | Unproved:
    return _read(_WORD, line, keys)


def _read(wanted: str, line: str, keys: MacKeys) -> Anchor | Unproved:
    said, _, mac = line.rpartition(" ")
    try:
        word, cluster, row_id, digest, at, number = said.split(" ")
        anchor = Anchor(cluster, int(row_id), bytes.fromhex(digest), at, word)
        generation = keys.get(int(number))
        given = bytes.fromhex(mac)
    except ValueError:
        return Unproved.FORGED
    if word != wanted:
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
