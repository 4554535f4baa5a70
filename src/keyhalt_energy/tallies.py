"""How many things a caller reaches, from counts kept on the nodes of the trees.

A list names its total, and counting a hundred thousand rows for each page would cost more than the
page. So a node knows how many meters (accounts, bills) are at it and below it; each change of those
adds to the nodes above, in its own transaction. A filtered list is counted as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, exists, func, select, update

from keyhalt_energy.schema import (
    account,
    bill,
    cost_center,
    cost_center_above,
    meter,
    place,
    place_above,
)

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection

    from keyhalt_energy.scope import Reach, Tree


class Tally(NamedTuple):
    """`reached`: what the caller reaches. `there`: what the datasource has."""

    reached: int
    there: int


def add(
    connection: Connection,
    tree: Tree,
    datasource_id: int,
    *,
    node_id: int,
    changes: dict[Column[int], int],
) -> None:
    """Add to the counts of a node and of all above it."""
    over = select(tree.above.c.above_id).where(
        tree.above.c.datasource_id == datasource_id, tree.above.c.node_id == node_id
    )
    connection.execute(
        update(tree.nodes)
        .where(tree.nodes.c.datasource_id == datasource_id, tree.nodes.c.id.in_(over))
        .values({column: column + number for column, number in changes.items()})
    )


def of(connection: Connection, tree: Tree, reach: Reach, count: Column[int]) -> Tally:
    """From the counts on the topmosts: two look-ups, however much there is."""
    nodes = tree.nodes.c
    own = nodes.datasource_id == reach.datasource_id
    total = select(func.coalesce(func.sum(count), 0))
    reached = connection.scalar(total.where(own, _uppermost(tree, reach)))
    there = connection.scalar(total.where(own, nodes.parent_id.is_(None)))
    return Tally(int(reached or 0), int(there or 0))


def of_nodes(connection: Connection, tree: Tree, reach: Reach) -> Tally:
    """The nodes themselves, counted by index: a tree is small beside what hangs on it."""
    nodes, above = tree.nodes.c, tree.above.c
    own = nodes.datasource_id == reach.datasource_id
    tops = select(nodes.id).where(own, _uppermost(tree, reach))
    reached = select(func.count()).where(
        above.datasource_id == reach.datasource_id, above.above_id.in_(tops)
    )
    there = select(func.count()).where(own)
    return Tally(int(connection.scalar(reached) or 0), int(connection.scalar(there) or 0))


def _uppermost(tree: Tree, reach: Reach) -> ColumnElement[bool]:
    """The topmosts that lie under no other topmost: nothing counts twice."""
    nodes, above = tree.nodes.c, tree.above.alias()
    topmosts = reach.topmosts(tree)
    under_another = exists(
        select(above.c.node_id)
        .where(
            above.c.datasource_id == reach.datasource_id,
            above.c.node_id == nodes.id,
            above.c.above_id.in_(topmosts),
            above.c.above_id != nodes.id,
        )
        .correlate_except(above)
    )
    return and_(nodes.id.in_(topmosts), ~under_another)


def recount(connection: Connection, datasource_id: int) -> None:
    """Count all of a datasource anew: after rows were written in bulk."""
    below = place_above.c
    meters = select(func.count()).where(
        below.datasource_id == datasource_id,
        below.above_id == place.c.id,
        meter.c.datasource_id == datasource_id,
        meter.c.place_id == below.node_id,
    )
    own = place.c.datasource_id == datasource_id
    connection.execute(update(place).where(own).values(meters_below=meters.scalar_subquery()))
    under = cost_center_above.c
    accounts = select(func.count()).where(
        under.datasource_id == datasource_id,
        under.above_id == cost_center.c.id,
        account.c.datasource_id == datasource_id,
        account.c.cost_center_id == under.node_id,
    )
    bills = accounts.where(bill.c.datasource_id == datasource_id, bill.c.account_id == account.c.id)
    connection.execute(
        update(cost_center)
        .where(cost_center.c.datasource_id == datasource_id)
        .values(accounts_below=accounts.scalar_subquery(), bills_below=bills.scalar_subquery())
    )
