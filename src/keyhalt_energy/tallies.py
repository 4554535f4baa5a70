"""How many things a caller reaches, from counts kept on the nodes of the trees.

A list names its total, and counting a hundred thousand rows for each page would cost more than the
page. So a node knows how many meters (accounts, bills) are at it and below it; each change of those
adds to the nodes above, in its own transaction. A filtered list is counted as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, bindparam, exists, func, select, update

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
    from sqlalchemy import Column, ColumnElement, Connection, Subquery, Table

    from keyhalt_energy.scope import Reach, Tree


class Tally(NamedTuple):
    """`reached`: what the caller reaches. `there`: what the datasource has.

    `whole`: the caller sees from every root, and so reaches all there is; a statement need not ask.
    """

    reached: int
    there: int
    whole: bool


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
    return Tally(int(reached or 0), int(there or 0), _sees_from_all_roots(connection, tree, reach))


def of_nodes(connection: Connection, tree: Tree, reach: Reach) -> Tally:
    """The nodes themselves, counted by index: a tree is small beside what hangs on it."""
    nodes, above = tree.nodes.c, tree.above.c
    own = nodes.datasource_id == reach.datasource_id
    tops = select(nodes.id).where(own, _uppermost(tree, reach))
    reached = select(func.count()).where(
        above.datasource_id == reach.datasource_id, above.above_id.in_(tops)
    )
    there = select(func.count()).where(own)
    return Tally(
        int(connection.scalar(reached) or 0),
        int(connection.scalar(there) or 0),
        _sees_from_all_roots(connection, tree, reach),
    )


def _sees_from_all_roots(connection: Connection, tree: Tree, reach: Reach) -> bool:
    nodes = tree.nodes.c
    beside = select(nodes.id).where(
        nodes.datasource_id == reach.datasource_id,
        nodes.parent_id.is_(None),
        nodes.id.not_in(reach.topmosts(tree)),
    )
    return connection.scalar(beside.limit(1)) is None


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
    meters = _per(meter.c.place_id, datasource_id)
    accounts = _per(account.c.cost_center_id, datasource_id)
    of_account = _per(bill.c.account_id, datasource_id)
    same = (account.c.datasource_id == datasource_id) & (account.c.id == of_account.c.owner_id)
    bills = (
        select(account.c.cost_center_id.label("owner_id"), func.sum(of_account.c.n).label("n"))
        .select_from(of_account.join(account, same))
        .group_by(account.c.cost_center_id)
        .subquery()
    )
    for column, above, counts in (
        (place.c.meters_below, place_above, meters),
        (cost_center.c.accounts_below, cost_center_above, accounts),
        (cost_center.c.bills_below, cost_center_above, bills),
    ):
        _write(connection, datasource_id, column, above, counts)


def _per(owner: Column[int], datasource_id: int) -> Subquery:
    """How many rows each owner has. Each row is looked at once, by an index."""
    own = owner.table.c.datasource_id == datasource_id
    number = func.count().label("n")
    return select(owner.label("owner_id"), number).where(own).group_by(owner).subquery()


def _write(
    connection: Connection, datasource_id: int, column: Column[int], above: Table, counts: Subquery
) -> None:
    """Add the counts up the tree, here and not per node: that would count all again for each."""
    below = above.c.datasource_id == datasource_id, above.c.node_id == counts.c.owner_id
    total = select(above.c.above_id, func.sum(counts.c.n)).where(*below).group_by(above.c.above_id)
    rows = [{"node": node, "number": number} for node, number in connection.execute(total)]
    nodes = column.table.c
    own = nodes.datasource_id == datasource_id
    connection.execute(update(column.table).where(own).values({column: 0}))
    if rows:
        one = update(column.table).where(own, nodes.id == bindparam("node"))
        connection.execute(one.values({column: bindparam("number")}), rows)
