"""How often something may happen: GCRA, one number of state per bucket.

A bucket of `count` per `seconds` refills evenly. Its state is the theoretical arrival time: when
it would be full again. The clock is the caller's; any clock that does not go back will do.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events at once, refilled evenly over `seconds`."""

    count: int
    seconds: float
    interval: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "interval", self.seconds / self.count)


NEW = -math.inf
"""The state of a bucket that nothing was taken from."""


def admit(full_at: float, now: float, rate: Rate) -> tuple[float, float]:
    """Spend one event. Returns (new state, seconds to wait); a wait above 0 means refused.

    A refused event leaves the state as it was. A new bucket starts as NEW.
    """
    start = max(full_at, now)
    wait = start + rate.interval - rate.seconds - now
    # Adding up intervals rounds; on a clock that counts from 1970 by some 1e-4 s over a burst.
    if wait > min(1e-3, rate.interval / 10):
        return full_at, wait
    return start + rate.interval, 0.0


def retry_after(wait: float) -> int:
    """Whole seconds for `Retry-After`, at least 1."""
    return max(1, math.ceil(wait))


class Limiter:
    """One bucket per name, in memory, at most `names_max`; a full bucket is not kept."""

    def __init__(self, rate: Rate, names_max: int = 65_536) -> None:
        self._rate = rate
        self._names_max = names_max
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, name: str, now: float) -> float:
        """Spend one event of `name`. Returns the seconds to wait; above 0 means refused."""
        full_at, wait = admit(self._full_at.get(name, NEW), now, self._rate)
        self._full_at[name] = full_at
        self._full_at.move_to_end(name)
        while len(self._full_at) > self._names_max:
            self._full_at.popitem(last=False)
        return wait
