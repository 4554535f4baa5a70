"""When one power covers another: a rule of its own, against a model of rights as pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.permissions import PermissionSet, Power, excess

# 1 is the root, 2 and 3 lie below it, 4 below 2; 9 is nowhere.
ABOVE = {1: {1}, 2: {1, 2}, 3: {1, 3}, 4: {1, 2, 4}}
NODES = (1, 2, 3, 4)


def contains(hierarchy: str, ancestor: int, node: int) -> bool:
    assert hierarchy in {"places", "centers"}
    return ancestor in ABOVE.get(node, set())


tops = st.frozensets(st.sampled_from(NODES), max_size=3)
powers = st.builds(
    lambda bits, places, centers: Power(
        PermissionSet(bits), {"places": places, "centers": centers}
    ),
    st.integers(0, 7),
    tops,
    tops,
)


def covered(held: Power, wanted: Power) -> bool:
    return excess(held, wanted, contains) is None


def reached(power: Power) -> set[tuple[str, int]]:
    return {
        (hierarchy, node)
        for hierarchy, ids in power.topmosts.items()
        for node in NODES
        if any(contains(hierarchy, top, node) for top in ids)
    }


@given(powers, powers)
def test_covering_is_having_every_permission_and_reaching_every_node(a: Power, b: Power) -> None:
    """No more and no less than set inclusion of what both may do and reach."""
    permissions = not b.permissions & ~a.permissions
    assert covered(a, b) == (permissions and reached(b) <= reached(a))


@given(powers, powers, powers)
def test_covering_is_a_preorder(a: Power, b: Power, c: Power) -> None:
    """Everybody covers themselves; who covers a coverer covers what that one covers."""
    assert covered(a, a)
    if covered(a, b) and covered(b, c):
        assert covered(a, c)


@given(powers, powers)
def test_what_goes_beyond_is_named(a: Power, b: Power) -> None:
    """Exactly the missing permissions, and topmosts that are really beyond."""
    beyond = excess(a, b, contains)
    if beyond is not None:
        assert beyond.permissions == b.permissions & ~a.permissions
        assert all(node in b.topmosts[tree] for tree, node in beyond.topmosts)
        assert not set(beyond.topmosts) & reached(a)


def test_a_node_that_is_nowhere_is_covered_only_by_itself() -> None:
    """A topmost whose node is gone gives nothing, and is nobody's to give but its holder's."""
    gone = Power(PermissionSet(0), {"places": (9,)})
    assert covered(gone, gone)
    assert not covered(Power(PermissionSet(7), {"places": (1,)}), gone)
