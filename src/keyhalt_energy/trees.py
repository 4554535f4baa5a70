"""Keeping a tree: its `…_above` rows follow every node that is made, moved or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, literal, select

from keyhalt import Node
from keyhalt_energy import catalog
from keyhalt_energy.rows import Row, rows_of
from keyhalt_energy.scope import COLLECTIONS, PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from keyhalt_energy.scope import Tree


def place_below(
    connection: Connection, tree: Tree, datasource_id: int, *, node_id: int, parent_id: int | None
) -> None:
    """Write what is above a new node: itself, and all that is above its parent."""
    above = tree.above
    connection.execute(
        insert(above).values(datasource_id=datasource_id, node_id=node_id, above_id=node_id)
    )
    if parent_id is not None:
        over_parent = select(above.c.datasource_id, literal(node_id), above.c.above_id).where(
            above.c.datasource_id == datasource_id, above.c.node_id == parent_id
        )
        connection.execute(
            insert(above).from_select(["datasource_id", "node_id", "above_id"], over_parent)
        )


def move_below(
    connection: Connection, tree: Tree, datasource_id: int, *, node_id: int, parent_id: int
) -> None:
    """Hang a node with all below it under another parent, which must not lie below it."""
    above = tree.above
    lower, upper = above.alias("lower"), above.alias("upper")
    branch = select(lower.c.node_id).where(
        lower.c.datasource_id == datasource_id, lower.c.above_id == node_id
    )
    connection.execute(
        delete(above).where(
            above.c.datasource_id == datasource_id,
            above.c.node_id.in_(branch),
            above.c.above_id.not_in(branch),
        )
    )
    pairs = select(upper.c.datasource_id, lower.c.node_id, upper.c.above_id).where(
        upper.c.datasource_id == datasource_id,
        upper.c.node_id == parent_id,
        lower.c.datasource_id == upper.c.datasource_id,
        lower.c.above_id == node_id,
    )
    connection.execute(insert(above).from_select(["datasource_id", "node_id", "above_id"], pairs))


def contains(
    connection: Connection, tree: Tree, datasource_id: int, *, ancestor: int, node: int
) -> bool:
    """Whether `node` is `ancestor` or lies below it."""
    above = tree.above.c
    row = exists().where(
        above.datasource_id == datasource_id, above.node_id == node, above.above_id == ancestor
    )
    return bool(connection.scalar(select(row)))


def is_empty(connection: Connection, tree: Tree, datasource_id: int) -> bool:
    """Whether a datasource has no node at all: then the next one is its root."""
    there = exists().where(tree.nodes.c.datasource_id == datasource_id)
    return not connection.scalar(select(there))


def has_children(connection: Connection, tree: Tree, datasource_id: int, node_id: int) -> bool:
    nodes = tree.nodes.c
    row = exists().where(nodes.datasource_id == datasource_id, nodes.parent_id == node_id)
    return bool(connection.scalar(select(row)))


def described(
    connection: Connection, tree: Tree, datasource_id: int, ids: Sequence[int]
) -> dict[int, Node]:
    """The nodes that exist, by id."""
    nodes = tree.nodes.c
    query = select(tree.nodes).where(nodes.datasource_id == datasource_id, nodes.id.in_(ids))
    rows = rows_of(connection, query)
    return {row["id"]: Node(row["id"], row["code"], row["info"], _more(tree, row)) for row in rows}


def _more(tree: Tree, row: Row) -> dict[str, object]:
    """What a child of this hierarchy shows beside id, code and info (contract 5.15)."""
    if tree is PLACES:
        return {"placeType": catalog.place_type(row["type_id"])}
    if tree is COLLECTIONS:
        return {"collectionIcon": {"code": "folder", "color": "#4a6785"}}
    return {}
