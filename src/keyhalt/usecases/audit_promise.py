"""Audit the promise: no key was let through after its end had returned (docs/audit.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from keyhalt.core.promise import LastAllowed, Returned, breaks, returned_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class EndedKey:
    """A deleted key with all that is known of its end and of its last uses."""

    key_id: int
    datasource_id: int
    epoch: int
    returns: Sequence[Returned]
    last: Sequence[LastAllowed]


@dataclass(frozen=True, slots=True)
class Broken:
    """A request that should have been refused."""

    key: EndedKey
    last: LastAllowed
    late_seconds: float
    """How long after the end had returned it began."""


@dataclass(frozen=True, slots=True)
class Audited:
    """`compared` of the last uses were; the others are in `unseen`, by why not."""

    keys: int
    compared: int
    broken: Sequence[Broken]
    unseen: Mapping[str, int]


class PromiseReader(Protocol):
    def ended_keys(self) -> Iterator[EndedKey]:
        """Every deleted key. May raise StoreUnavailableError."""


class AuditPromise:
    def __init__(self, reader: PromiseReader) -> None:
        self._reader = reader

    def __call__(self) -> Audited:
        """May raise StoreUnavailableError."""
        keys = compared = 0
        broken: list[Broken] = []
        unseen = {"end_never_returned": 0, "another_boot": 0}
        for key in self._reader.ended_keys():
            keys += 1
            for last in key.last:
                returned = returned_for(last, key.returns)
                if returned is None:
                    unseen["another_boot" if key.returns else "end_never_returned"] += 1
                    continue
                compared += 1
                if breaks(last, returned):
                    broken.append(Broken(key, last, last.began - returned.at))
        return Audited(keys, compared, broken, unseen)
