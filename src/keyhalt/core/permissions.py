"""Who may do what: the catalogue, permission sets, topmosts.

1. A permission has one or more levels; each (permission, level) is one bit, numbered for ever.
2. A permission set is an integer of such bits. Levels do not imply each other.
3. A set covers a need when every bit of the need is in it.
4. Topmosts: in each hierarchy, the nodes that a user sees from. Everything below them, nothing
   beside them; no topmost in a hierarchy means nothing of it.
5. A power covers another when its permission set covers the other's and every topmost of the other
   is, or lies below, a topmost of its own in that hierarchy. Nobody gives or takes beyond theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType

from keyhalt.core.names import near

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

LEVELS = ("view", "create", "edit", "delete", "manage", "run")

PermissionSet = NewType("PermissionSet", int)
NOTHING = PermissionSet(0)


@dataclass(frozen=True, slots=True)
class Permission:
    """One entry of a catalogue. `bits` has the bit number of each of its levels."""

    id: int
    name: str
    code: str
    title: str
    category: str
    description: str
    bits: Mapping[str, int]
    licence: bool = False
    """A licence entry: told to clients, held by everybody, granted by no role."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation asks of its caller: one level of one permission, and its bit."""

    permission: str
    level: str
    bits: PermissionSet

    def __str__(self) -> str:
        return f"{self.permission}.{self.level}"


class CatalogueError(ValueError):
    """A profile's catalogue contradicts itself, or somebody named a permission it has not."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The permissions of an environment, in the profile's order."""

    permissions: tuple[Permission, ...]
    by_name: Mapping[str, Permission] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {p.name: p for p in self.permissions})
        bits: dict[int, str] = {}
        ids: dict[int, str] = {}
        for each in self.permissions:
            if each.name in ids.values():
                raise CatalogueError(f"the permission {each.name} stands twice in the catalogue")
            if (other := ids.setdefault(each.id, each.name)) != each.name:
                raise CatalogueError(f"{other} and {each.name} have the same id {each.id}")
            for level, bit in each.bits.items():
                mine = f"{each.name}.{level}"
                if (other := bits.setdefault(bit, mine)) != mine:
                    raise CatalogueError(f"bit {bit} is that of {other} and of {mine}")
        for permission in self.permissions:
            unknown = set(permission.bits) - set(LEVELS)
            if unknown or not permission.bits or min(permission.bits.values()) < 0:
                raise CatalogueError(f"{permission.name} has no levels, or unknown ones: {unknown}")

    def need(self, permission: str, level: str = "") -> Need:
        """The need for one level. Raises CatalogueError for a name the catalogue has not."""
        entry = self.by_name.get(permission)
        if entry is None or level not in entry.bits:
            wanted = f"{permission}.{level}".rstrip(".")
            raise CatalogueError(
                f"there is no permission {wanted} in this catalogue{near(wanted, self.numbers())}"
            )
        return Need(permission, level, PermissionSet(1 << entry.bits[level]))

    def grants(self, pattern: str) -> PermissionSet:
        """The set that `*`, `meters.*`, `*.view` or `meters.view` stands for. Never a licence."""
        name, _, level = ("*.*" if pattern == "*" else pattern).partition(".")
        bits = 0
        for entry in self.permissions:
            if not entry.licence and name in ("*", entry.name):
                for own_level, bit in entry.bits.items():
                    if level in ("*", own_level):
                        bits |= 1 << bit
        if not bits:
            raise CatalogueError(f"{pattern!r} names no permission of this catalogue")
        return PermissionSet(bits)

    def names(self, held: PermissionSet) -> Iterator[str]:
        """`meters.view` and so on for every bit held, in the catalogue's order."""
        for entry in self.permissions:
            for level, bit in entry.bits.items():
                if held >> bit & 1:
                    yield f"{entry.name}.{level}"

    def numbers(self) -> dict[str, int]:
        """`meters.view` and so on, each with its bit number."""
        return {f"{p.name}.{level}": bit for p in self.permissions for level, bit in p.bits.items()}

    def levels(self, entry: Permission, held: PermissionSet) -> dict[str, bool]:
        """Each level of `entry` and whether `held` has it; a licence is held by everybody."""
        return {level: entry.licence or bool(held >> bit & 1) for level, bit in entry.bits.items()}


def moved(known: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """What makes bits that were given out mean something else than they did, in words.

    `known`: every name that ever was, with its bit number. A name that went leaves its bit unused.
    """
    names = {bit: name for name, bit in known.items()}
    return [
        f"{name} has bit {bit}, and had {known[name]}"
        if name in known
        else f"{name} has bit {bit}, which is that of {names[bit]}"
        for name, bit in now.items()
        if known.get(name, bit) != bit or names.get(bit, name) != name
    ]


def union(*sets: PermissionSet) -> PermissionSet:
    bits = 0
    for each in sets:
        bits |= each
    return PermissionSet(bits)


def covers(held: PermissionSet, needed: PermissionSet) -> bool:
    """Whether every bit of `needed` is in `held`: a partial order on sets."""
    return held & needed == needed


@dataclass(frozen=True, slots=True)
class Power:
    """What somebody may do, and the nodes of each hierarchy from which they see."""

    permissions: PermissionSet
    topmosts: Mapping[str, Collection[int]] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Excess:
    """What one power has beyond another: permissions, and topmosts as (hierarchy, node)."""

    permissions: PermissionSet
    topmosts: tuple[tuple[str, int], ...]


def excess(held: Power, wanted: Power, contains: Callable[[str, int, int], bool]) -> Excess | None:
    """What of `wanted` is beyond `held`; None when `held` covers it.

    `contains(hierarchy, ancestor, node)`: whether a node is the ancestor or lies below it.
    """
    permissions = PermissionSet(wanted.permissions & ~held.permissions)
    topmosts = tuple(
        (hierarchy, node)
        for hierarchy, nodes in wanted.topmosts.items()
        for node in nodes
        if not _under(held.topmosts.get(hierarchy, ()), node, hierarchy, contains)
    )
    return Excess(permissions, topmosts) if permissions or topmosts else None


def _under(
    tops: Collection[int], node: int, hierarchy: str, contains: Callable[[str, int, int], bool]
) -> bool:
    return node in tops or any(contains(hierarchy, top, node) for top in tops)
