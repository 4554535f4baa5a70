"""The promise, looked at afterwards: was a key let through after its end had returned?

The seconds of two processes compare only within one boot of one machine. What began before the
end returned may have been decided either way (docs/revocation.md, R2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Returned:
    """When the change with `epoch` had returned: monotonic seconds since `boot`."""

    epoch: int
    boot: str
    at: float


@dataclass(frozen=True, slots=True)
class LastAllowed:
    """The last request that a process let a key through for.

    `began`: a moment after the request arrived and before its permission was proved, in monotonic
    seconds since `boot`. `epoch`: the highest that the process knew of by then.
    """

    key_id: int
    process: str
    boot: str
    began: float
    epoch: int


def returned_for(last: LastAllowed, returns: Iterable[Returned]) -> Returned | None:
    """The first return that `last` compares with; None where there is none in its boot."""
    same = (each for each in returns if each.boot and each.boot == last.boot)
    return min(same, key=lambda each: each.at, default=None)


def breaks(last: LastAllowed, returned: Returned) -> bool:
    """Whether the key was let through for a request that began after its end had returned."""
    return last.began > returned.at
