"""What keys did, for pages, programs and the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.usecases.uses import KeyUse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.uses import LastUse, UseReader

DAYS = 30
DAYS_MAX = 366
LATE_SECONDS = 60
"""What is read here may lack that much of the present."""


class LookUpUse:
    """What the caller may see was decided before. Every call may raise StoreUnavailableError."""

    def __init__(self, *, uses: UseReader, clock: Clock) -> None:
        self._uses = uses
        self._clock = clock

    def last(self, datasource_id: int) -> Mapping[int, LastUse]:
        """Of each key of the datasource that was ever used, by id. One statement."""
        return self._uses.last(datasource_id)

    def recent(self, datasource_id: int, since: datetime | None = None) -> Sequence[int]:
        """The keys that were used, ever or since then, by id, last used first. One statement."""
        return self._uses.recent(datasource_id, since)

    def counted_since(self) -> date | None:
        """The first day of which anything is known, at most 366 days ago."""
        return self._uses.counted_since()

    def of(
        self, datasource_id: int, key_ids: Sequence[int], *, days: int = DAYS
    ) -> Mapping[int, KeyUse]:
        """Of each of `key_ids`, over the last `days` UTC days with today. Four statements."""
        now = self._clock.now()
        since = now.date() - timedelta(days=days - 1)
        found = self._uses.of(datasource_id, key_ids, since=since, now=now)
        return {key_id: found.get(key_id, KeyUse()) for key_id in key_ids}
