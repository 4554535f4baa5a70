"""Why a request with a key would be allowed or refused, check by check (docs/request-flow.md).

The checks are asked of the functions that decide (core/decisions.py). Checks 1 to 5 are about the
text of one request, which nobody keeps, so they are not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import (
    Cause,
    Denied,
    Here,
    Reason,
    import_holds,
    permit,
    standing,
)
from keyhalt.core.principals import Credential, CredentialKind, Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyhalt.core.permissions import Need
    from keyhalt.core.principals import KeyFacts, UserFacts


@dataclass(frozen=True, slots=True)
class Step:
    """One check. `no`: what it answers when it does not hold; `says`: what was found, in words."""

    check: str
    asks: str
    says: str
    no: Denied | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """The thing that a request is about: a node of a hierarchy."""

    hierarchy: str
    id: int


def explain(
    facts: KeyFacts,
    here: Here,
    need: Need,
    node: Node | None,
    contains: Callable[[str, int, int], bool],
) -> list[Step]:
    """The checks in their order, up to the first that says no.

    `contains(hierarchy, ancestor, node)`: whether a node is the ancestor or lies below it.
    """
    steps = []
    for step in _steps(facts, here, need, node, contains):
        steps.append(step)
        if step.no is not None:
            break
    return steps


def _steps(
    facts: KeyFacts,
    here: Here,
    need: Need,
    node: Node | None,
    contains: Callable[[str, int, int], bool],
) -> Iterator[Step]:
    yield _mac(facts, here)
    owner = facts.owner
    for cause, against in standing(facts):
        no = Denied(Reason.INVALID_KEY, cause) if against else None
        yield Step("7", *_STANDING[cause](owner, against), no)
    credential = Credential(CredentialKind.KEY, facts.key_id)
    principal = Principal(here.environment, owner, credential)
    denied = permit(principal, need)
    grants = "does not grant" if denied else "grants"
    said = f"the role {owner.role_name!r} of {owner.user_code} {grants} {need}"
    yield Step("8", f"may its owner {need}?", said, denied)
    if node is not None:
        tops = principal.topmost_ids(node.hierarchy)
        seen = any(contains(node.hierarchy, top, node.id) for top in tops)
        yield _place(owner, node, tops, seen=seen)


def _mac(facts: KeyFacts, here: Here) -> Step:
    asks = "does a MAC key vouch for it?"
    if facts.imported_mac:
        holds = import_holds(facts, here.mac_keys())
        said = f"its row's MAC, of generation {facts.generation}, {'holds' if holds else 'fails'}"
        no = None if holds else Denied(Reason.INVALID_KEY, Cause.ROW_MISMATCH)
        return Step("6", asks, f"it was imported; {said}", no)
    number = facts.generation
    generation = None if number is None else here.mac_keys().get(number)
    if generation is None:
        no = Denied(Reason.INVALID_KEY, Cause.UNKNOWN_GENERATION)
        return Step("6", asks, f"generation {number} is not known here", no)
    said = f"generation {number} is here, to {generation.state.value}"
    return Step("6", asks, said)


def _place(owner: UserFacts, node: Node, tops: tuple[int, ...], *, seen: bool) -> Step:
    listed = ", ".join(str(top) for top in tops) or "none"
    where = "lies under one of them" if seen else "lies under none of them, or does not exist"
    said = f"topmosts of {owner.user_code} in {node.hierarchy}: {listed}; {node.id} {where}"
    no = None if seen else Denied(Reason.NOT_FOUND)
    return Step("9", f"does its owner see {node.hierarchy} {node.id}?", said, no)


def _key_said(owner: UserFacts, against: bool) -> tuple[str, str]:  # noqa: FBT001
    del owner
    return "is it not deleted?", "it was deleted, for ever" if against else "it is not deleted"


def _frozen_said(owner: UserFacts, against: bool) -> tuple[str, str]:  # noqa: FBT001
    del owner
    return (
        "is it not frozen?",
        "it is frozen; see 'keyhalt freeze --list'" if against else "it is not",
    )


def _datasource_said(owner: UserFacts, against: bool) -> tuple[str, str]:  # noqa: FBT001
    state = "deactivated" if against else "active"
    return "is its datasource active?", f"{owner.datasource} is {state}"


def _owner_said(owner: UserFacts, against: bool) -> tuple[str, str]:  # noqa: FBT001
    state = "deactivated" if against else "active"
    return "is its owner active?", f"{owner.user_code} is {state}"


_STANDING = {
    Cause.DELETED_KEY: _key_said,
    Cause.FROZEN_KEY: _frozen_said,
    Cause.DATASOURCE_INACTIVE: _datasource_said,
    Cause.OWNER_INACTIVE: _owner_said,
}
