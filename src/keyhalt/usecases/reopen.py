"""Open a store again that is closed: replay what was revoked since, or accept that it was not.

Every epoch that the store lacks has to be answered for: it is replayed from the exported audit
log, or somebody accepts by its number that it is lost (docs/storage.md, "A restored store").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keyhalt.core.audit import IN_EFFECT, AuditEvent, Event, Origin, actor_of
from keyhalt.core.marks import Mark, why_closed
from keyhalt.usecases.replaying import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import Operator
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, MarkStore, Rights, TokenStore
    from keyhalt.usecases.replaying import LogLine


@dataclass(frozen=True, slots=True)
class Lost:
    """Epochs that were not replayed, and why. `first` 0: whatever came after what is known."""

    why: str
    first: int = 0
    last: int = 0
    event: str = ""
    at: str = ""
    actor: str = ""

    @property
    def name(self) -> str:
        """What to say to accept it."""
        if not self.first:
            return "rest"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What somebody said to take as it is. `cluster`: that another's store is meant."""

    epochs: Sequence[range] = ()
    rest: bool = False
    cluster: str = ""

    def has(self, lost: Lost) -> bool:
        if not lost.first:
            return self.rest
        wanted = range(lost.first, lost.last + 1)
        return all(any(n in each for each in self.epochs) for n in wanted)


@dataclass(frozen=True, slots=True)
class Closed:
    """Still closed, and nothing was changed. `lost` and `cluster`: what is left to accept."""

    why: str
    lost: Sequence[Lost]
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """`receipt` None: it was open, and nothing was changed. `tokens`: how many were ended."""

    receipt: Receipt | None
    replayed: int = 0
    accepted: int = 0
    tokens: int = 0


class _StillClosedError(Exception):
    """Rolls the transaction back."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(closed.why)
        self.closed = closed


@dataclass(slots=True)
class _Found:
    """How far the log went, from the store's epoch on."""

    upto: int
    done: int = 0
    lost: list[Lost] = field(default_factory=list)


class Reopen:
    """`rights` is unwatched: its changes are not refused."""

    def __init__(
        self,
        *,
        rights: Rights,
        tokens: TokenStore,
        marks: MarkStore,
        catalogue: Catalogue,
        barrier: Barrier,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._tokens = tokens
        self._marks = marks
        self._catalogue = catalogue
        self._barrier = barrier
        self._clock = clock

    def __call__(
        self, acting: Operator, log: Iterable[LogLine], accepted: Accepted, origin: Origin
    ) -> Opened | Closed:
        """All or nothing. `log`: in the order of epochs. Raises ValueError for another's log.

        Bearer tokens all end: which of them were ended since is not known.
        """
        mark = self._marks.read()
        try:
            with self._rights.change() as tx:
                there = tx.datasources.environment()
                if mark is None or there is None:
                    return Opened(None)
                stood = Mark(there.cluster, tx.epoch())
                why = why_closed(mark, stood.cluster, stood.epoch)
                if why is None:
                    return Opened(None)
                # Above all that may have been served, so that no process takes it for the old one.
                known = mark.epoch if mark.cluster == stood.cluster else 0
                tx.skip_epochs(known)
                epoch = tx.raise_epoch()
                replay = Replay(tx, self._catalogue, at=self._clock.now(), epoch=epoch)
                found = _follow(replay, log, stood)
                if found.upto >= epoch:
                    tx.skip_epochs(found.upto)
                    epoch = tx.raise_epoch()
                _account(found, known, rest=mark.restored)
                self._refuse(why, found, mark, stood, accepted)
                details = {
                    "from": stood.epoch,
                    "upto": epoch - 1,
                    "replayed": found.done,
                    "accepted": [lost.name for lost in found.lost],
                }
                event = AuditEvent(
                    event=Event.ENVIRONMENT_REOPEN,
                    at=self._clock.now(),
                    actor=actor_of(acting),
                    origin=origin,
                    object_type="environment",
                    details=details,
                    epoch=epoch,
                )
                tx.record(event)
                ended = self._tokens.end_all(self._clock.now())
        except _StillClosedError as still:
            return still.closed
        self._marks.replace(Mark(stood.cluster, epoch))
        return Opened(self._barrier.wait(epoch), found.done, len(found.lost), ended)

    def _refuse(self, why: str, found: _Found, mark: Mark, stood: Mark, accepted: Accepted) -> None:
        left = [lost for lost in found.lost if not accepted.has(lost)]
        another = stood.cluster not in (mark.cluster, accepted.cluster)
        if left or another:
            raise _StillClosedError(Closed(why, left, stood.cluster if another else ""))


def _follow(replay: Replay, log: Iterable[LogLine], stood: Mark) -> _Found:
    found = _Found(upto=stood.epoch)
    for line in log:
        if line.cluster != stood.cluster:
            raise ValueError(f"it is of cluster {line.cluster}, and the store of {stood.cluster}")
        # Exports may overlap; an epoch may have several lines, and one that says that it is over.
        done = line.event in IN_EFFECT
        if done or line.epoch < found.upto or line.epoch <= stood.epoch:
            continue
        _missing(found, line.epoch - 1)
        found.upto = line.epoch
        why = replay(line)
        if why is None:
            found.done += 1
        else:
            lost = Lost(why, line.epoch, line.epoch, line.event, line.at, line.actor)
            found.lost.append(lost)
    return found


def _account(found: _Found, known: int, *, rest: bool) -> None:
    _missing(found, known)
    if rest:
        found.lost.append(Lost("what came after this is not known here"))


def _missing(found: _Found, upto: int) -> None:
    if upto > found.upto:
        found.lost.append(Lost("the log does not have it", found.upto + 1, upto))
        found.upto = upto
