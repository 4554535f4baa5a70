"""A profile: what an environment's permissions, hierarchies and role templates are called.

The engine knows none of these names. `energycap` ships; a team's own is a file of the same form
(docs/profiles.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast

from keyhalt.core.names import near
from keyhalt.core.permissions import (
    Catalogue,
    CatalogueError,
    Need,
    Permission,
    PermissionSet,
    union,
)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A tree of an app's nodes in which users have topmosts. `wire`: the stem of its JSON names."""

    name: str
    wire: str


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """A role that every new datasource starts with."""

    name: str
    description: str
    permissions: PermissionSet
    read_only: bool


@dataclass(frozen=True, slots=True)
class Needs:
    """What the engine's own operations ask for, in the profile's words."""

    view_keys: Need
    manage_keys: Need
    view_users: Need
    manage_users: Need
    manage_roles: Need
    reset_passwords: Need
    view_audit: Need


@dataclass(frozen=True, slots=True)
class Profile:
    """See the module."""

    name: str
    catalogue: Catalogue
    needs: Needs
    hierarchies: tuple[Hierarchy, ...]
    roles: tuple[RoleTemplate, ...]
    default_role: str
    administrator_role: str


PROFILE = ("name", "default_role", "administrator_role", "needs", "hierarchy", "permission", "role")
HIERARCHY = ("name", "wire")
PERMISSION = tuple(field.name for field in fields(Permission))
ROLE = ("name", "description", "grants", "read_only")


class ProfileError(ValueError):
    """A profile cannot be read; the text says what is wrong with it."""


def profile_from(data: Mapping[str, object]) -> Profile:
    """Build a profile from its parsed file. Raises ProfileError with the entry that is wrong."""
    _check_names(data, PROFILE, "the profile")
    try:
        catalogue = Catalogue(tuple(_permission(row) for row in _rows(data, "permission")))
        roles = tuple(_role(row, catalogue) for row in _rows(data, "role"))
        hierarchies = tuple(_hierarchy(row) for row in _rows(data, "hierarchy"))
        profile = Profile(
            name=_text(data, "name"),
            catalogue=catalogue,
            needs=_needs(data.get("needs"), catalogue),
            hierarchies=hierarchies,
            roles=roles,
            default_role=_text(data, "default_role"),
            administrator_role=_text(data, "administrator_role"),
        )
    except CatalogueError as error:
        raise ProfileError(str(error)) from error
    names = {role.name for role in roles}
    for wanted in (profile.default_role, profile.administrator_role):
        if wanted not in names:
            raise ProfileError(f"the profile names a role {wanted!r} that it does not have")
    return profile


def _needs(data: object, catalogue: Catalogue) -> Needs:
    if not isinstance(data, Mapping):
        raise ProfileError(
            "the profile has no [needs]: which permissions manage keys, users, roles"
        )
    _check_names(data, tuple(field.name for field in fields(Needs)), "[needs]")
    wanted = {field.name: _text(data, field.name) for field in fields(Needs)}
    return Needs(**{name: catalogue.need(*text.split(".", 1)) for name, text in wanted.items()})


def _permission(row: Mapping[str, object]) -> Permission:
    bits = row.get("bits")
    number = row.get("id")
    _check_names(row, PERMISSION, f"permission {row.get('name')!r}")
    _check_flag(row, "licence", f"permission {row.get('name')!r}")
    if not isinstance(bits, Mapping) or not _is_whole(number):
        raise ProfileError(f"permission {row.get('name')!r} needs an id and bits")
    if not all(_is_whole(bit) for bit in bits.values()):
        raise ProfileError(f"permission {row.get('name')!r}: bits are whole numbers")
    return Permission(
        id=cast("int", number),
        name=_text(row, "name"),
        code=_text(row, "code"),
        title=_text(row, "title"),
        category=_text(row, "category"),
        description=_text(row, "description"),
        bits=cast("Mapping[str, int]", bits),
        licence=row.get("licence") is True,
    )


def _role(row: Mapping[str, object], catalogue: Catalogue) -> RoleTemplate:
    _check_names(row, ROLE, f"role {row.get('name')!r}")
    _check_flag(row, "read_only", f"role {row.get('name')!r}")
    grants = row.get("grants")
    if not isinstance(grants, Sequence) or isinstance(grants, str):
        raise ProfileError(f"role {row.get('name')!r} needs a list of grants")
    return RoleTemplate(
        name=_text(row, "name"),
        description=_text(row, "description"),
        permissions=union(*(catalogue.grants(str(pattern)) for pattern in grants)),
        read_only=row.get("read_only") is True,
    )


def _hierarchy(row: Mapping[str, object]) -> Hierarchy:
    _check_names(row, HIERARCHY, f"hierarchy {row.get('name')!r}")
    return Hierarchy(_text(row, "name"), _text(row, "wire"))


def _check_names(row: Mapping[str, object], known: Sequence[str], where: str) -> None:
    """What nobody reads was meant to be something."""
    unknown = [name for name in row if name not in known]
    if unknown:
        raise ProfileError(f"{where} has an unknown entry {unknown[0]!r}{near(unknown[0], known)}")


def _check_flag(row: Mapping[str, object], name: str, where: str) -> None:
    if not isinstance(row.get(name, False), bool):
        raise ProfileError(f"{where}: {name} is true or false")


def _is_whole(value: object) -> bool:
    # In Python true is a whole number; in a profile it is a mistake.
    return isinstance(value, int) and not isinstance(value, bool)


def _rows(data: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    rows = data.get(name, ())
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise ProfileError(f"[[{name}]] must be a list of tables")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("name"), str) or not row["name"]:
            raise ProfileError(f"entry {number} of [[{name}]] has no name")
    return cast("Sequence[Mapping[str, object]]", rows)


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise ProfileError(
            f"{name!r} is missing or empty in {dict(row).get('name', 'the profile')!r}"
        )
    return value
