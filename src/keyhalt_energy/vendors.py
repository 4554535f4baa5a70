"""Vendors: contract row 57. They are in no tree; whoever may view vendors sees them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from sqlalchemy import func, insert, select, true

from keyhalt import Call, Refused, Reply
from keyhalt_energy import fields
from keyhalt_energy.children import node_child
from keyhalt_energy.clock import now
from keyhalt_energy.handling import Shelf
from keyhalt_energy.pages import Listing
from keyhalt_energy.rows import Row
from keyhalt_energy.schema import vendor
from keyhalt_energy.scope import Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.tallies import Tally
from keyhalt_energy.wire import (
    Address,
    Wire,
    address_of,
    attribution,
    flattened,
    made_by,
    taken,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def _tally(connection: Connection, reach: Reach) -> Tally:
    own = vendor.c.datasource_id == reach.datasource_id
    number = connection.scalar(select(func.count()).select_from(vendor).where(own)) or 0
    return Tally(number, number, whole=True)


LISTING = Listing(
    table=vendor,
    source=vendor,
    columns=list(vendor.c),
    fields=fields.VENDOR,
    within=lambda _reach, _how: true(),
    tally=_tally,
)


class VendorBody(Wire):
    code: str = Field(alias="vendorCode", max_length=16)
    info: str = Field(alias="vendorInfo", max_length=50)
    website: str | None = Field(None, max_length=255)
    address: Address | None = None
    description: str | None = Field(None, alias="vendorDescription", max_length=4000)


class Vendors:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def create(self, call: Call) -> Reply | Refused:
        reach = reach_of(call.principal)
        values = flattened(call.body.supplied()) | made_by(call.principal, now())
        values["datasource_id"] = reach.datasource_id
        try:
            with self._store.write() as connection:
                new = insert(vendor).values(values).returning(vendor.c.id)
                number = int(connection.execute(new).scalar_one())
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("vendorCode", "in this datasource")


def vendor_is_there(connection: Connection, datasource_id: int, number: int) -> bool:
    own = vendor.c.datasource_id == datasource_id, vendor.c.id == number
    return connection.scalar(select(vendor.c.id).where(*own)) is not None


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    del connection, reach
    return [
        {
            **node_child("vendor", row),
            "website": row["website"],
            "address": address_of(row),
            "vendorDescription": row["description"],
            **attribution(row),
        }
        for row in rows
    ]
