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
    from sqlalchemy import ColumnElement
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


@dataclass(frozen=True, slots=True)
class Reach:
    """What one caller sees from. The methods are conditions on columns of a statement.

    `gather` changes the shape of a condition, never its meaning: False asks of each row whether it
    is reached (few of many rows are wanted), True collects what is reached (it is little).
    """

    datasource_id: int
    places: tuple[int, ...]
    cost_centers: tuple[int, ...]

    def place(self, *, gather: bool = False) -> ColumnElement[bool]:
        return self._node(PLACES, place.c.id, gather=gather)

    def cost_center(self, *, gather: bool = False) -> ColumnElement[bool]:
        return self._node(COST_CENTERS, cost_center.c.id, gather=gather)

    def meter(self, *, gather: bool = False) -> ColumnElement[bool]:
        return self._node(PLACES, meter.c.place_id, gather=gather)

    def account(self, *, gather: bool = False) -> ColumnElement[bool]:
        return self._node(COST_CENTERS, account.c.cost_center_id, gather=gather)

    def bill(self, *, gather: bool = False) -> ColumnElement[bool]:
        owner = account.alias()
        own = and_(
            owner.c.datasource_id == self.datasource_id,
            self._node(COST_CENTERS, owner.c.cost_center_id, gather=gather),
        )
        if gather:
            return bill.c.account_id.in_(select(owner.c.id).where(own))
        return _exists(owner, owner.c.id == bill.c.account_id, own)

    def link(self) -> ColumnElement[bool]:
        owner, at = account.alias(), meter.alias()
        return and_(
            _exists(
                owner,
                owner.c.id == account_meter.c.account_id,
                owner.c.datasource_id == self.datasource_id,
                self._node(COST_CENTERS, owner.c.cost_center_id, gather=False),
            ),
            _exists(
                at,
                at.c.id == account_meter.c.meter_id,
                at.c.datasource_id == self.datasource_id,
                self._node(PLACES, at.c.place_id, gather=False),
            ),
        )

    def topmosts(self, tree: Tree) -> tuple[int, ...]:
        return self.places if tree is PLACES else self.cost_centers

    def _node(
        self, tree: Tree, node_id: ColumnElement[int], *, gather: bool
    ) -> ColumnElement[bool]:
        topmosts, above = self.topmosts(tree), tree.above.alias()
        if not topmosts:
            return false()
        own = and_(above.c.datasource_id == self.datasource_id, above.c.above_id.in_(topmosts))
        if gather:
            return node_id.in_(select(above.c.node_id).where(own))
        return _exists(above, above.c.node_id == node_id, own)


def _exists(inner: NamedFromClause[Any], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of the inner table alone: all else that the conditions name is the statement's around it."""
    return exists(select(inner.c.datasource_id).where(*conditions).correlate_except(inner))


def reach_of(principal: Principal) -> Reach:
    return Reach(
        datasource_id=principal.datasource_id,
        places=tuple(principal.topmost_ids(PLACES.hierarchy)),
        cost_centers=tuple(principal.topmost_ids(COST_CENTERS.hierarchy)),
    )
