"""Advice about the keys of a datasource, each with its evidence and the next step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.advice import Watched, Window, advise
from keyhalt.core.permissions import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.advice import Advice
    from keyhalt.core.permissions import Catalogue
    from keyhalt.usecases.ports import Clock, Rights
    from keyhalt.usecases.rows import KeyRow
    from keyhalt.usecases.uses import UseReader

DAYS = 90


class Advise:
    """Changes nothing. What the caller may see was decided before."""

    def __init__(
        self, *, rights: Rights, uses: UseReader, catalogue: Catalogue, clock: Clock
    ) -> None:
        self._rights = rights
        self._uses = uses
        self._catalogue = catalogue
        self._clock = clock

    def __call__(self, datasource_id: int, *, days: int = DAYS) -> Sequence[tuple[KeyRow, Advice]]:
        """By key, oldest first. As many statements for ten keys as for ten thousand.

        May raise StoreUnavailableError.
        """
        now = self._clock.now()
        with self._rights.look() as tx:
            keys = [row for row in tx.keys.list(datasource_id) if row.deleted_at is None]
            owners = {user.user_id: user for user in tx.users.list(datasource_id)}
            silent = set(tx.users.without_password(datasource_id))
        last = self._uses.last(datasource_id)
        used = self._uses.permissions(datasource_id, (now - timedelta(days=days)).date())
        window = Window(now, days, self._uses.counted_since())
        found = []
        for row in keys:
            watched = Watched(
                key_id=row.id,
                created_at=row.created_at,
                owner=owners[row.owner_id],
                can_sign_in=row.owner_id not in silent,
                last_used_at=last[row.id].at if row.id in last else None,
                used=used.get(row.id, NOTHING),
            )
            found += [(row, each) for each in advise(watched, window, self._catalogue)]
        return found
