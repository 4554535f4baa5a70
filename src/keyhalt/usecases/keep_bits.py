"""A bit number means the same permission for ever: what roles hold are bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.permissions import moved
from keyhalt.usecases.ports import NotSetUpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.permissions import Catalogue
    from keyhalt.usecases.ports import Rights, RightsTransaction


def keep_bits(rights: Rights, catalogue: Catalogue) -> None:
    """Remember the numbers of new permissions. Raises NotSetUpError where others have moved."""
    now = catalogue.numbers()
    with rights.look() as tx:
        if not _new(tx, now):
            return
    with rights.change() as tx:
        # Asked again: another process may have come first, with another profile.
        if numbers := _new(tx, now):
            tx.datasources.set_bit_numbers(numbers)


def _new(tx: RightsTransaction, now: Mapping[str, int]) -> dict[str, int]:
    """All that are known, with those that are new; empty when there are none of these."""
    environment = tx.datasources.environment()
    known = {} if environment is None else environment.bit_numbers
    wrong = moved(known, now)
    if wrong:
        raise NotSetUpError(
            f"bit numbers of the profile moved: {'; '.join(wrong)}. Roles hold the numbers, so they"
            " would mean other permissions; put them back, new permissions take new numbers"
        )
    return {} if now.keys() <= known.keys() else {**known, **now}
