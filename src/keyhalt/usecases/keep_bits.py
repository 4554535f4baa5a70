"""A bit number means the same permission for ever: what roles hold are bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.permissions import moved
from keyhalt.usecases.ports import NotSetUpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.permissions import Catalogue
    from keyhalt.usecases.ports import Rights


def keep_bits(rights: Rights, catalogue: Catalogue) -> None:
    """Remember the numbers of new permissions. Raises NotSetUpError where others have moved."""
    now = catalogue.numbers()
    with rights.look() as tx:
        known = tx.datasources.bit_numbers()
    _check(known, now)
    if now.keys() <= known.keys():
        return
    with rights.change() as tx:
        # Another process may have come first, with another profile.
        known = tx.datasources.bit_numbers()
        _check(known, now)
        tx.datasources.set_bit_numbers({**known, **now})


def _check(known: Mapping[str, int], now: Mapping[str, int]) -> None:
    wrong = moved(known, now)
    if wrong:
        raise NotSetUpError(
            f"bit numbers of the profile moved: {'; '.join(wrong)}. Roles hold the numbers, so they"
            " would mean other permissions; put them back, new permissions take new numbers"
        )
