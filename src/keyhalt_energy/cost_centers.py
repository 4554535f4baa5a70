"""Cost centers: contract row 56."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field
from sqlalchemy import insert, select

from keyhalt import Call, Denied, Refused, Reply
from keyhalt_energy import fields, tallies, trees
from keyhalt_energy.children import node_child
from keyhalt_energy.clock import now
from keyhalt_energy.handling import Shelf
from keyhalt_energy.pages import Listing
from keyhalt_energy.rows import Row, rows_of
from keyhalt_energy.schema import cost_center
from keyhalt_energy.scope import COST_CENTERS, Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.wire import NOT_FOUND, Id, Wire, attribution, invalid, made_by, taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

LISTING = Listing(
    table=cost_center,
    source=cost_center,
    columns=list(cost_center.c),
    fields=fields.COST_CENTER,
    within=lambda reach, how: reach.cost_center(how),
    tally=lambda connection, reach: tallies.of_nodes(connection, COST_CENTERS, reach),
)


class CostCenterCreate(Wire):
    code: str = Field(alias="costCenterCode", max_length=32)
    info: str = Field(alias="costCenterInfo", max_length=32)
    parent_id: Id | None = Field(None, alias="parentCostCenterId")
    """Absent: the root."""


class CostCenters:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def create(self, call: Call) -> Reply | Denied | Refused:
        body: CostCenterCreate = call.body
        reach = reach_of(call.principal)
        ds = reach.datasource_id
        values = {"code": body.code, "info": body.info, "parent_id": body.parent_id}
        values |= made_by(call.principal, now()) | {"datasource_id": ds}
        try:
            with self._store.write() as connection:
                if body.parent_id is None:
                    if not trees.is_empty(connection, COST_CENTERS, ds):
                        return invalid("parentCostCenterId", "parentCostCenterId is required.")
                elif not center_is_reached(connection, reach, body.parent_id):
                    return NOT_FOUND
                new = insert(cost_center).values(values).returning(cost_center.c.id)
                number = int(connection.execute(new).scalar_one())
                trees.place_below(
                    connection, COST_CENTERS, ds, node_id=number, parent_id=body.parent_id
                )
                # Whoever makes the root sees it this once, and then by a topmost as everybody does.
                seen = reach if body.parent_id else replace(reach, cost_centers=(number,))
                return Reply(self._shelf.one(connection, seen, number))
        except DuplicateError:
            return taken("costCenterCode", "under this parent")


def center_is_reached(connection: Connection, reach: Reach, number: int) -> bool:
    own = cost_center.c.datasource_id == reach.datasource_id, cost_center.c.id == number
    return connection.scalar(select(cost_center.c.id).where(*own, reach.cost_center())) is not None


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    parents = select(cost_center.c.id, cost_center.c.code, cost_center.c.info).where(
        cost_center.c.datasource_id == reach.datasource_id,
        cost_center.c.id.in_({row["parent_id"] for row in rows}),
        reach.cost_center(),
    )
    by_id = {row["id"]: node_child("costCenter", row) for row in rows_of(connection, parents)}
    return [
        {
            **node_child("costCenter", row),
            "parent": by_id.get(row["parent_id"]),
            **attribution(row),
        }
        for row in rows
    ]
