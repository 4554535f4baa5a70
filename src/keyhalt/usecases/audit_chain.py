"""The chain of changes: anchoring it outside the store, and verifying it (docs/audit.md)."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from keyhalt.core.chain import (
    Anchor,
    Finding,
    Flaw,
    Unproved,
    Walk,
    anchors_in,
    compared,
    read_anchor,
    read_checkpoint,
)
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from keyhalt.core.chain import Link
    from keyhalt.core.secrets import MacKeys
    from keyhalt.usecases.ports import Clock

FINDINGS_MAX = 1000
_ANCHORS_AT_ONCE = 500
_log = logging.getLogger("keyhalt")


class ChainReader(Protocol):
    """The chain of changes as it is stored. Any call may raise StoreUnavailableError."""

    def head(self) -> tuple[int, bytes] | None:
        """Id and hash of the last row."""

    def checkpoint(self) -> str | None:
        """The line that says where the chain begins; None where it begins with the first row."""

    def rows(self) -> Iterator[tuple[Sequence[Any], Link]]:
        """Oldest first: the values of core/chain.py's COLUMNS, and what chains them."""

    def hashes(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        """Of those of `ids` that are there."""


class AnchorStore(Protocol):
    """Where anchors are kept, outside the database. Any call may raise OSError."""

    def append(self, line: str, *, unless: str) -> None:
        """One more line, unless the last one begins with `unless`."""

    def lines(self) -> Iterator[str]: ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification saw. `unproved`: anchors whose MAC key is gone, so they say nothing.

    `erased`: rows of which what was personal is taken away. `begins`: the row behind which older
    ones were let go; 0 where none were.

    `findings` ends at FINDINGS_MAX; `more` says that there were others.
    """

    rows: int
    anchors: int
    unproved: int
    findings: tuple[Finding, ...]
    more: bool
    erased: int = 0
    begins: int = 0


class AuditChain:
    """`cluster`: the environment's. May be used by any thread."""

    def __init__(
        self,
        *,
        chain: ChainReader,
        anchors: AnchorStore,
        mac_keys: Callable[[], MacKeys],
        cluster: str,
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._anchors = anchors
        self._mac_keys = mac_keys
        self._cluster = cluster
        self._clock = clock

    def anchor(self) -> None:
        """Keep outside how far the chain has come. Never fails: what was changed stands."""
        try:
            head = self._chain.head()
            if head is None:
                return
            at = self._clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
            anchor = Anchor(self._cluster, head[0], head[1], at)
            self._anchors.append(anchor.line(self._mac_keys().minting), unless=anchor.standing)
        except (OSError, StoreUnavailableError) as error:
            _log.warning("the audit log cannot be anchored: %s", error)

    def verify(self, copies: Iterable[str] = ()) -> Verified:
        """Read every row and every anchor. Raises OSError and StoreUnavailableError.

        `copies`: lines of anchors that were kept elsewhere, with whatever else stands before or
        between them.
        """
        line = self._chain.checkpoint()
        begins = None if line is None else read_checkpoint(line, self._mac_keys())
        forged = []
        if begins is not None and not self._is_ours(begins):
            says = "the checkpoint that the log begins with is not what keyhalt wrote"
            forged, begins = [Finding(Flaw.CHECKPOINT_FORGED, 0, says)], None
        assert not isinstance(begins, Unproved)  # noqa: S101 - looked at just now
        walk, counts = Walk(begins), _Counts(begins.row_id if begins else 0)
        found = itertools.chain(forged, self._rows(walk), self._anchored(counts, copies))
        findings = tuple(itertools.islice(found, FINDINGS_MAX))
        more = next(found, None) is not None
        return Verified(
            rows=walk.rows,
            anchors=counts.anchors,
            unproved=counts.unproved,
            findings=findings,
            more=more,
            erased=walk.erased,
            begins=counts.begins,
        )

    def _is_ours(self, begins: Anchor | Unproved) -> bool:
        return isinstance(begins, Anchor) and begins.cluster == self._cluster

    def _rows(self, walk: Walk) -> Iterator[Finding]:
        for values, link in self._chain.rows():
            finding = walk.step(values, link)
            if finding is not None:
                yield finding
        yield from walk.end()

    def _anchored(self, counts: _Counts, copies: Iterable[str]) -> Iterator[Finding]:
        keys = self._mac_keys()
        batch: list[Anchor] = []
        lines = itertools.chain(self._anchors.lines(), anchors_in(copies))
        for number, line in enumerate(lines, start=1):
            anchor = read_anchor(line, keys)
            if anchor is Unproved.FORGED:
                says = f"line {number} of the anchors is not what keyhalt wrote"
                yield Finding(Flaw.ANCHOR_FORGED, number, says)
            elif anchor is Unproved.KEY_IS_GONE:
                counts.unproved += 1
            elif isinstance(anchor, Anchor) and anchor.cluster == self._cluster:
                counts.anchors += 1
                if anchor.row_id > counts.begins:
                    batch.append(anchor)
            if len(batch) == _ANCHORS_AT_ONCE:
                yield from self._compared(batch)
                batch.clear()
        yield from self._compared(batch)

    def _compared(self, anchors: list[Anchor]) -> Iterator[Finding]:
        yield from compared(anchors, self._chain.hashes([each.row_id for each in anchors]))


@dataclass(slots=True)
class _Counts:
    begins: int
    anchors: int = 0
    unproved: int = 0
