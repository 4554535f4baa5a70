"""Topmosts on the wire: what a user sees from, in the profile's words (docs/wire.md, "Me")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.client.operations import Node
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Hierarchy


def stem_of(hierarchy: Hierarchy) -> str:
    """`place` as it stands inside a name: `Place`."""
    return hierarchy.wire[0].upper() + hierarchy.wire[1:]


def topmosts_json(
    trees: Trees,
    hierarchies: Sequence[Hierarchy],
    datasource_id: int,
    everyones: Sequence[Mapping[str, tuple[int, ...]]],
) -> list[dict[str, object]]:
    """For each user's topmosts, the object of each hierarchy. One question a hierarchy and app."""
    bodies: list[dict[str, object]] = [{} for _ in everyones]
    for hierarchy in hierarchies:
        wanted = [number for each in everyones for number in each.get(hierarchy.name, ())]
        nodes = trees.describe(datasource_id, hierarchy.name, wanted)
        made: dict[tuple[int, ...], dict[str, object] | None] = {}  # many users have the same
        for body, topmosts in zip(bodies, everyones, strict=True):
            ids = topmosts.get(hierarchy.name, ())
            if ids not in made:
                made[ids] = _topmost(hierarchy, [nodes[number] for number in ids])
            body[hierarchy.wire] = made[ids]
    return bodies


def _topmost(hierarchy: Hierarchy, nodes: Sequence[Node]) -> dict[str, object] | None:
    """The first topmost, and all of them when there are several; null when there is none."""
    if not nodes:
        return None
    children = [_child(hierarchy.wire, node) for node in nodes]
    several = len(children) > 1
    return {
        **children[0],
        f"isMultiTopmost{stem_of(hierarchy)}": several,
        f"multiTopmost{stem_of(hierarchy)}s": children if several else [],
    }


def _child(stem: str, node: Node) -> dict[str, object]:
    return {f"{stem}Id": node.id, f"{stem}Code": node.code, f"{stem}Info": node.info, **node.more}
