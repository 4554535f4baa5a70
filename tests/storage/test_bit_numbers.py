"""What a role was granted stays what it was granted, whatever is done to the profile's file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keyhalt.core.permissions import Catalogue, Permission, moved
from keyhalt.usecases.ports import NotSetUpError
from tests.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def _with(world: World, change: Callable[[list[Permission]], list[Permission]]) -> object:
    """The profile after a change of its permissions."""
    permissions = change(list(world.engine.profile.catalogue.permissions))
    return replace(world.engine.profile, catalogue=Catalogue(tuple(permissions)))


def test_a_store_does_not_open_with_bit_numbers_that_moved(world: World) -> None:
    """Swapped, given to another name, or taken over from one that went: nothing opens, and why."""
    first = world.engine.profile.catalogue.permissions[0]
    (one, bit), (two, other) = list(first.bits.items())[:2]
    swapped = replace(first, bits={**first.bits, one: other, two: bit})
    with pytest.raises(NotSetUpError, match=rf"{first.name}\.{one} has bit {other}, and had {bit}"):
        world.other(profile=_with(world, lambda all_: [swapped, *all_[1:]]))
    renamed = replace(first, name="renamed")
    with pytest.raises(NotSetUpError, match=rf"renamed\.{one} has bit {bit}, which is that of "):
        world.other(profile=_with(world, lambda all_: [renamed, *all_[1:]]))
    world.other(profile=_with(world, lambda all_: all_))


def test_permissions_are_added_and_taken_away_and_their_bits_stay_theirs(world: World) -> None:
    """A new permission on free bits opens, and is known from then on, also when gone again."""
    new = Permission(901, "planning", "P", "Planning", "Work", "Plans.", {"view": 500})
    world.other(profile=_with(world, lambda all_: [*all_, new]))
    world.other(profile=_with(world, lambda all_: all_))
    taken = replace(new, name="billing")
    with pytest.raises(NotSetUpError, match=r"billing\.view has bit 500, .* of planning\.view"):
        world.other(profile=_with(world, lambda all_: [*all_, taken]))


def test_what_moved_is_told_by_name_and_number() -> None:
    """And nothing of what is as it was."""
    known = {"a.view": 0, "a.edit": 1, "b.view": 2}
    assert moved(known, {**known, "c.view": 3}) == []
    assert moved(known, {"a.view": 0}) == []
    assert moved(known, {"a.view": 1, "a.edit": 0}) == [
        "a.view has bit 1, and had 0",
        "a.edit has bit 0, and had 1",
    ]
