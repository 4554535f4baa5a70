"""An explanation says what the decision is: never another, and never more than it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.decisions import Allowed, Denied, Reason, decide_key, examine, permit
from keyhalt.core.explanations import Node, explain
from keyhalt.core.keytext import KeyClaim
from keyhalt.core.permissions import Need, PermissionSet
from keyhalt.core.principals import KeyFacts
from tests.core.deciding import GENERATION, HERE, KEY, OWNER, ROW, presented

BELOW = {(1, 1), (1, 2), (2, 2), (7, 8)}


def contains(hierarchy: str, ancestor: int, node: int) -> bool:
    return hierarchy == "places" and (ancestor, node) in BELOW


@given(
    deleted=st.booleans(),
    active=st.booleans(),
    datasource_active=st.booleans(),
    held=st.integers(0, 7),
    needed=st.sampled_from([1, 2, 4]),
    tops=st.sets(st.sampled_from([1, 2, 7])),
    node=st.sampled_from([None, 1, 2, 8, 9]),
    generation=st.sampled_from([GENERATION.number, 9]),
)
def test_an_explanation_ends_as_the_request_would(  # noqa: PLR0917
    deleted: bool,
    active: bool,
    datasource_active: bool,
    held: int,
    needed: int,
    tops: set[int],
    node: int | None,
    generation: int,
) -> None:
    """For every key, owner, permission and place: the same reason and cause, in the same order."""
    owner = replace(
        OWNER,
        active=active,
        datasource_active=datasource_active,
        permissions=PermissionSet(held),
        topmosts={"places": tuple(sorted(tops))},
    )
    facts = ROW._replace(deleted=deleted, owner=owner, generation=generation)
    need = Need("meters", "view", PermissionSet(needed))
    about = None if node is None else Node("places", node)
    steps = explain(facts, HERE, need, about, contains)
    assert [step.no is None for step in steps[:-1]] == [True] * (len(steps) - 1)
    assert [step.check for step in steps] == sorted(step.check for step in steps)
    said = steps[-1].no
    if generation != GENERATION.number:
        assert said is not None
        assert said.cause.value == "unknown_generation"
        return
    expected = decided(facts, need, node)
    assert said == (None if expected is None else replace(said or expected, **_of(expected)))


def decided(facts: KeyFacts, need: Need, node: int | None) -> Denied | None:
    """What a request with this key, permission and place is answered."""
    claim = examine(presented(KEY), HERE, lambda _query: None)
    assert isinstance(claim, KeyClaim)
    decision = decide_key(claim, facts, HERE)
    if isinstance(decision, Denied):
        return decision
    assert isinstance(decision, Allowed)
    denied = permit(decision.principal, need)
    tops = decision.principal.topmost_ids("places")
    if denied is None and node is not None and not any((top, node) in BELOW for top in tops):
        return Denied(Reason.NOT_FOUND)
    return denied


def _of(denied: Denied) -> dict[str, object]:
    return {"reason": denied.reason, "cause": denied.cause, "need": denied.need}


@pytest.mark.parametrize(("mac", "cause"), [(b"x" * 32, "row_mismatch")])
def test_an_imported_row_that_nothing_vouches_for_is_said(mac: bytes, cause: str) -> None:
    """A planted import is no key, and the explanation says why."""
    facts = ROW._replace(imported_mac=mac, generation=GENERATION.number)
    (step,) = explain(facts, HERE, Need("meters", "view", PermissionSet(1)), None, contains)
    assert step.no is not None
    assert step.no.cause.value == cause
