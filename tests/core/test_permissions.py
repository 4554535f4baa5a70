"""Permission sets, and the promise that a bit number never moves."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keyhalt.core
from keyhalt.core.permissions import (
    LEVELS,
    NOTHING,
    Catalogue,
    CatalogueError,
    Permission,
    PermissionSet,
    covers,
    union,
)
from keyhalt.core.profiles import Profile, profile_from

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden_bits.json").read_text("utf-8"))
PROFILES = Path(keyhalt.core.__file__).parents[1] / "profiles"

ADMINISTRATOR = "Administrator: Full Access"
ROLES = {
    ADMINISTRATOR,
    "Administrator: Security and Global Settings",
    "Administrator: Accounting",
    "Administrator: Facilities",
    "Contact",
    "Default",
}

sets = st.integers(0, 2**150 - 1).map(PermissionSet)
quick = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def shipped() -> Profile:
    return profile_from(tomllib.loads((PROFILES / "energycap.toml").read_text("utf-8")))


def permission(
    name: str, number: int, bits: dict[str, int], *, licence: bool = False
) -> Permission:
    return Permission(number, name, name.title(), name, "Test", "Made up.", bits, licence)


SMALL = Catalogue(
    (
        permission("orders", 1, {"view": 0, "edit": 1, "run": 5}),
        permission("projects", 2, {"view": 2, "manage": 3}),
        permission("seats", 3, {"view": 4}, licence=True),
    )
)

# ---------------------------------------------------------------- the shipped catalogue


def test_no_shipped_bit_number_ever_moves(shipped: Profile) -> None:
    """A stored grant means tomorrow what it meant when it was given."""
    bits = {
        f"{entry.name}.{level}": bit
        for entry in shipped.catalogue.permissions
        for level, bit in entry.bits.items()
    }
    assert {name: bits.get(name) for name in GOLDEN["bits"]} == GOLDEN["bits"]


def test_no_shipped_permission_id_ever_moves(shipped: Profile) -> None:
    """A client that remembers a permission by its id finds the same one."""
    ids = {entry.name: entry.id for entry in shipped.catalogue.permissions}
    assert {name: ids.get(name) for name in GOLDEN["ids"]} == GOLDEN["ids"]


def test_every_shipped_bit_is_in_the_golden_list(shipped: Profile) -> None:
    """What is added to the catalogue is pinned from the day it ships."""
    entries = shipped.catalogue.permissions
    assert {f"{entry.name}.{level}" for entry in entries for level in entry.bits} == set(
        GOLDEN["bits"]
    )
    assert {entry.name for entry in entries} == set(GOLDEN["ids"])


def test_the_golden_list_itself_names_each_bit_once() -> None:
    """The list cannot be mended by giving two names one number."""
    assert len(set(GOLDEN["bits"].values())) == len(GOLDEN["bits"])
    assert len(set(GOLDEN["ids"].values())) == len(GOLDEN["ids"])


def test_the_shipped_catalogue_is_complete(shipped: Profile) -> None:
    """The 76 permissions and 9 licences of the API it is compatible with, and one of ours."""
    entries = shipped.catalogue.permissions
    assert sum(not entry.licence for entry in entries) == 76 + 1
    assert sum(entry.licence for entry in entries) == 9
    assert all(entry.name.startswith("licenseFeature") for entry in entries if entry.licence)


def test_the_shipped_role_templates_are_there(shipped: Profile) -> None:
    """A new datasource starts with the six built-in roles."""
    assert {role.name for role in shipped.roles} == ROLES
    assert shipped.default_role == "Default"
    assert shipped.administrator_role == ADMINISTRATOR
    assert [h.name for h in shipped.hierarchies] == ["places", "costCenters", "collections"]


def test_the_administrator_covers_every_role_and_every_need(shipped: Profile) -> None:
    """Nothing that a role may do is beyond full access, and no need but a licence's is."""
    held = {role.name: role.permissions for role in shipped.roles}
    assert all(covers(held[ADMINISTRATOR], each) for each in held.values())
    for entry in shipped.catalogue.permissions:
        for level in entry.bits:
            need = shipped.catalogue.need(entry.name, level)
            assert covers(held[ADMINISTRATOR], need.bits) is not entry.licence


def test_the_shipped_roles_mean_what_they_are_called(shipped: Profile) -> None:
    """Default changes nothing, Contact holds nothing, nobody but administrators sees users."""
    held = {role.name: role.permissions for role in shipped.roles}
    assert held["Contact"] == NOTHING
    levels = {name.partition(".")[2] for name in shipped.catalogue.names(held["Default"])}
    assert levels <= {"view", "run"}
    users = shipped.catalogue.need("usersAndUserGroups", "manage").bits
    assert {name for name, bits in held.items() if covers(bits, users)} == {
        ADMINISTRATOR,
        "Administrator: Security and Global Settings",
    }


def test_what_the_engine_itself_asks_for_is_held_by_the_shipped_administrator(
    shipped: Profile,
) -> None:
    """Whoever sets a datasource up can make keys, users and roles, and others cannot."""
    held = {role.name: role.permissions for role in shipped.roles}
    needs = shipped.needs
    assert str(needs.manage_keys) == "applicationSettings.manage"
    for need in (needs.manage_keys, needs.manage_users, needs.manage_roles):
        assert covers(held[ADMINISTRATOR], need.bits)
        assert not covers(held["Default"], need.bits)
        assert not covers(held["Contact"], need.bits)


def test_no_shipped_role_holds_a_licence(shipped: Profile) -> None:
    """A licence is told to clients, never granted."""
    licences = union(
        *(
            shipped.catalogue.need(entry.name, level).bits
            for entry in shipped.catalogue.permissions
            if entry.licence
            for level in entry.bits
        )
    )
    assert licences != NOTHING
    assert all(role.permissions & licences == 0 for role in shipped.roles)


# ---------------------------------------------------------------- sets


@quick
@given(a=sets, b=sets, c=sets)
def test_covers_is_a_partial_order(a: PermissionSet, b: PermissionSet, c: PermissionSet) -> None:
    """Every set covers itself, two that cover each other are one, and covering is passed on."""
    assert covers(a, a)
    assert not (covers(a, b) and covers(b, a)) or a == b
    wide = union(a, b, c)
    middle = union(b, c)
    assert covers(wide, middle)
    assert covers(middle, c)
    assert covers(wide, c)


@quick
@given(a=sets, b=sets, bound=sets)
def test_a_union_is_the_least_set_that_covers_both(
    a: PermissionSet, b: PermissionSet, bound: PermissionSet
) -> None:
    """Putting sets together grants what is in them and nothing besides."""
    both = union(a, b)
    assert covers(both, a)
    assert covers(both, b)
    above = union(bound, a, b)
    assert covers(above, both)
    assert not covers(both, above) or above == both


@quick
@given(held=sets, needed=st.sets(st.integers(0, 149), min_size=1))
def test_a_set_covers_a_need_only_with_every_bit(held: PermissionSet, needed: set[int]) -> None:
    """One missing level is enough to be refused."""
    need = PermissionSet(sum(1 << bit for bit in needed))
    assert covers(held, need) is all(held >> bit & 1 for bit in needed)


@given(held=sets)
def test_nothing_is_covered_by_all_and_covers_only_itself(held: PermissionSet) -> None:
    """The empty set asks for nothing and gives nothing."""
    assert covers(held, NOTHING)
    assert covers(NOTHING, held) is (held == NOTHING)
    assert union() == NOTHING


def test_levels_do_not_imply_each_other() -> None:
    """Who may manage may not view, unless that was granted too."""
    managing = SMALL.grants("projects.manage")
    assert not covers(managing, SMALL.need("projects", "view").bits)
    assert list(SMALL.names(managing)) == ["projects.manage"]


# ---------------------------------------------------------------- grants and needs


@pytest.mark.parametrize(
    ("pattern", "granted"),
    [
        ("*", ["orders.view", "orders.edit", "orders.run", "projects.view", "projects.manage"]),
        ("*.*", ["orders.view", "orders.edit", "orders.run", "projects.view", "projects.manage"]),
        ("orders.*", ["orders.view", "orders.edit", "orders.run"]),
        ("*.view", ["orders.view", "projects.view"]),
        ("*.manage", ["projects.manage"]),
        ("orders.edit", ["orders.edit"]),
    ],
)
def test_a_pattern_grants_what_it_names(pattern: str, granted: list[str]) -> None:
    """Stars stand for every name or every level, and never for a licence."""
    assert list(SMALL.names(SMALL.grants(pattern))) == granted


@pytest.mark.parametrize(
    "pattern",
    [
        *("", ".", "orders", "orders.", ".view", "order.view", "Orders.view", "orders.View"),
        *("orders.manage", "*.create", "orders.view.", "orders.view.edit", "ord*.view", "**"),
        *("seats.view", "seats.*", " *", "orders.view "),
    ],
)
def test_a_pattern_that_grants_nothing_is_an_error(pattern: str) -> None:
    """A slip in a role is found when it is read; a licence is named in vain."""
    with pytest.raises(CatalogueError) as caught:
        SMALL.grants(pattern)
    assert str(caught.value) == f"{pattern!r} names no permission of this catalogue"


def test_a_need_is_one_bit_and_names_itself() -> None:
    """What an operation asks for can be said to the client as permission and level."""
    need = SMALL.need("projects", "manage")
    assert need.bits == 1 << 3
    assert str(need) == "projects.manage"


@pytest.mark.parametrize(
    ("name", "level"), [("nothing", "view"), ("orders", "manage"), ("orders", ""), ("", "view")]
)
def test_a_need_that_the_catalogue_has_not_is_an_error(name: str, level: str) -> None:
    """An operation that asks for a permission nobody can hold is a bug, found at once."""
    wanted = re.escape(f"{name}.{level}".rstrip("."))
    with pytest.raises(CatalogueError, match=f"there is no permission {wanted} in this"):
        SMALL.need(name, level)


def test_levels_are_told_one_by_one_and_licences_to_everybody() -> None:
    """What a client reads of a permission is each level and whether it is held."""
    orders, _, seats = SMALL.permissions
    held = SMALL.grants("orders.edit")
    assert SMALL.levels(orders, held) == {"view": False, "edit": True, "run": False}
    assert SMALL.levels(seats, NOTHING) == {"view": True}


@quick
@given(held=st.integers(0, 2**7 - 1).map(PermissionSet))
def test_the_names_of_a_set_are_its_bits_in_the_catalogues_order(held: PermissionSet) -> None:
    """Every bit the catalogue knows is named once, and unknown bits are passed over."""
    named = list(SMALL.names(held))
    again = union(*(SMALL.need(*name.split(".")).bits for name in named))
    assert again == held & 0b111111
    order = [f"{entry.name}.{level}" for entry in SMALL.permissions for level in entry.bits]
    assert named == [name for name in order if name in named]


# ---------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        (
            [permission("a", 1, {"view": 0}), permission("a", 2, {"view": 1})],
            "the permission a stands twice",
        ),
        (
            [permission("a", 1, {"view": 0}), permission("b", 2, {"view": 0})],
            r"bit 0 is that of a\.view and of b\.view",
        ),
        ([permission("a", 1, {"view": 0, "edit": 0})], r"bit 0 is that of a\.view and of a\.edit"),
        (
            [permission("a", 1, {"view": 0}), permission("b", 1, {"view": 1})],
            "a and b have the same id 1",
        ),
        ([permission("a", 1, {})], "a has no levels"),
        ([permission("a", 1, {"view": 0, "peek": 1})], "a has no levels, or unknown ones.*peek"),
        ([permission("a", 1, {"View": 0})], "unknown ones.*View"),
        ([permission("a", 1, {"view": -1})], "a has no levels"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(
    entries: list[Permission], complaint: str
) -> None:
    """A bit means one thing: no name, number or id stands twice, and levels are the known six."""
    with pytest.raises(CatalogueError, match=complaint):
        Catalogue(tuple(entries))


def test_the_levels_are_the_six_of_the_api_in_order() -> None:
    """Levels are a closed list that profiles share."""
    assert LEVELS == ("view", "create", "edit", "delete", "manage", "run")
