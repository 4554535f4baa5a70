"""Who reaches what. The rule, in sentences; the code below says the same and nothing else does.

1. In each hierarchy a caller sees from its topmosts: these nodes and all below them, as the tree is
   at that moment. Several topmosts are a union. None means nothing of that hierarchy.
2. A place or cost center is reached if it is, or lies below, a topmost of its hierarchy.
3. A meter is reached if its place is.
4. An account is reached if its cost center is.
5. A bill is reached if its account is.
6. A link of account and meter is reached if both its account and its meter are.
7. Vendors are in no tree: whoever may view vendors sees all of the datasource.
8. What is not reached is shown nowhere: not by its id, in no list, total or filter, not as parent,
   child or link of something that is reached. It looks like what does not exist.
9. Nothing is created under, moved to, or linked with what is not reached.
10. Who does not reach what a place lies in does not change its code: codes are unique among
   siblings, and a conflict would tell of one that is not reached.

Whether an object is reached is part of the statement that reads or changes it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, and_, exists, false, select

from keyhalt_energy.schema import (
    account,
    account_meter,
    bill,
    collection,
    collection_above,
    cost_center,
    cost_center_above,
    meter,
    place,
    place_above,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.sql.selectable import NamedFromClause

    from keyhalt import Principal


@dataclass(frozen=True, slots=True)
class Tree:
    """A hierarchy by the engine's name for it, with its two tables."""

    hierarchy: str
    nodes: Table
    above: Table


PLACES = Tree("places", place, place_above)
COST_CENTERS = Tree("costCenters", cost_center, cost_center_above)
COLLECTIONS = Tree("collections", collection, collection_above)
TREES = {tree.hierarchy: tree for tree in (PLACES, COST_CENTERS, COLLECTIONS)}


class How(enum.Enum):
    """ROW_BY_ROW asks of each row whether it is reached: few of many rows are wanted.

    COLLECT begins with what is reached: it is little. COMPARE lists the accounts or nodes that are
    reached and compares each row with the list: very many rows are asked about.
    """

    ROW_BY_ROW = enum.auto()
    COLLECT = enum.auto()
    COMPARE = enum.auto()


@dataclass(frozen=True, slots=True)
class Reach:
    """What one caller sees from. The methods are conditions on columns of a statement.

    `how` changes the shape of a condition, never its meaning.
    """

    datasource_id: int
    places: tuple[int, ...]
    cost_centers: tuple[int, ...]

    def place(self, how: How = How.ROW_BY_ROW) -> ColumnElement[bool]:
        return self._node(PLACES, place.c.id, how)

    def cost_center(self, how: How = How.ROW_BY_ROW) -> ColumnElement[bool]:
        return self._node(COST_CENTERS, cost_center.c.id, how)

    def meter(self, how: How = How.ROW_BY_ROW) -> ColumnElement[bool]:
        return self._node(PLACES, meter.c.place_id, how)

    def account(self, how: How = How.ROW_BY_ROW) -> ColumnElement[bool]:
        return self._node(COST_CENTERS, account.c.cost_center_id, how)

    def bill(self, how: How = How.ROW_BY_ROW) -> ColumnElement[bool]:
        owner = account.alias()
        inner = how if how is How.ROW_BY_ROW else How.COLLECT
        own = and_(
            owner.c.datasource_id == self.datasource_id,
            self._node(COST_CENTERS, owner.c.cost_center_id, inner),
        )
        if how is How.ROW_BY_ROW:
            return _exists(owner, owner.c.id == bill.c.account_id, own)
        return _listed(bill.c.account_id, select(owner.c.id).where(own), how)

    def link(self) -> ColumnElement[bool]:
        owner, at = account.alias(), meter.alias()
        return and_(
            _exists(
                owner,
                owner.c.id == account_meter.c.account_id,
                owner.c.datasource_id == self.datasource_id,
                self._node(COST_CENTERS, owner.c.cost_center_id, How.ROW_BY_ROW),
            ),
            _exists(
                at,
                at.c.id == account_meter.c.meter_id,
                at.c.datasource_id == self.datasource_id,
                self._node(PLACES, at.c.place_id, How.ROW_BY_ROW),
            ),
        )

    def topmosts(self, tree: Tree) -> tuple[int, ...]:
        return self.places if tree is PLACES else self.cost_centers

    def _node(self, tree: Tree, node_id: ColumnElement[int], how: How) -> ColumnElement[bool]:
        topmosts, above = self.topmosts(tree), tree.above.alias()
        if not topmosts:
            return false()
        own = and_(above.c.datasource_id == self.datasource_id, above.c.above_id.in_(topmosts))
        if how is not How.ROW_BY_ROW:
            return _listed(node_id, select(above.c.node_id).where(own), how)
        return _exists(above, above.c.node_id == node_id, own)


def _exists(inner: NamedFromClause[Any], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of the inner table alone: all else that the conditions name is the statement's around it."""
    return exists(select(inner.c.datasource_id).where(*conditions).correlate_except(inner))


def _listed(
    column: ColumnElement[int], reached: Select[tuple[int]], how: How
) -> ColumnElement[bool]:
    # A sum is no column: no index on it is used, so the list is not where the statement begins.
    return (column + 0 if how is How.COMPARE else column).in_(reached)


def reach_of(principal: Principal) -> Reach:
    return Reach(
        datasource_id=principal.datasource_id,
        places=tuple(principal.topmost_ids(PLACES.hierarchy)),
        cost_centers=tuple(principal.topmost_ids(COST_CENTERS.hierarchy)),
    )
