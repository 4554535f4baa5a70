"""What keys do, as pages show it: when last, how often, and a picture of thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.usecases.look_up_use import DAYS
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.pages.words import count_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from keyhalt.usecases.look_up_use import LookUpUse
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.uses import KeyUse

UNUSED_DAYS = 90
HEIGHT, STEP = 20, 4


@dataclass(frozen=True, slots=True)
class UseShown:
    """A key's use. `steps`: two lines of an SVG, allowed and denied, on one scale; "" for none."""

    use: KeyUse
    allowed: int
    denied: int
    steps: tuple[str, str]

    @property
    def label(self) -> str:
        return f"{DAYS} days: {self.allowed:,} allowed, {self.denied:,} denied"

    @property
    def in_use(self) -> bool:
        return bool(self.allowed)

    @property
    def day_words(self) -> str:
        """As `1,204 requests in the last 24 h, 3 of them denied`."""
        allowed, denied = self.use.last_24_hours
        words = f"{count_words(allowed + denied, 'request', 'requests')} in the last 24 h"
        return f"{words}, {denied:,} of them denied" if denied else words


@dataclass(frozen=True, slots=True)
class Uses:
    look_up_use: LookUpUse
    clock: Clock

    def of(self, datasource_id: int, key_ids: Sequence[int]) -> Mapping[int, UseShown] | None:
        """Of each key; None when it cannot be read now, which keeps no page from being shown."""
        try:
            found = self.look_up_use.of(datasource_id, key_ids)
        except StoreUnavailableError:
            return None
        today = self.clock.now().date()
        return {key_id: _shown(use, today) for key_id, use in found.items()}

    def recent(self, datasource_id: int) -> Sequence[int]:
        """Keys that were ever used, last used first."""
        return self.look_up_use.recent(datasource_id)

    def used_lately(self, datasource_id: int) -> tuple[frozenset[int], datetime]:
        """The keys that were used in the last 90 days, and when those began."""
        since = self.clock.now() - timedelta(days=UNUSED_DAYS)
        return frozenset(self.look_up_use.recent(datasource_id, since)), since


def _shown(use: KeyUse, today: date) -> UseShown:
    first = today - timedelta(days=DAYS - 1)
    allowed, denied = [0] * DAYS, [0] * DAYS
    for each in use.days:
        place = (each.day - first).days
        if 0 <= place < DAYS:
            allowed[place], denied[place] = each.allowed, each.denied
    top = max(*allowed, *denied, 1)
    return UseShown(use, sum(allowed), sum(denied), (_steps(allowed, top), _steps(denied, top)))


def _steps(counts: Sequence[int], top: int) -> str:
    """The outline of a step for each day. One request in a million is still seen."""
    if not any(counts):
        return ""
    heights = [-(-HEIGHT * count // top) for count in counts]
    line, before = [f"M0 {HEIGHT}"], 0
    for day, height in enumerate(heights):
        if height != before:
            line.append(f"H{day * STEP}V{HEIGHT - height}")
        before = height
    return "".join([*line, f"H{DAYS * STEP}V{HEIGHT}z"])
