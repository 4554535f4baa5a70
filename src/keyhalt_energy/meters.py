"""Meters: contract rows 44 to 48."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import insert, select, update

from keyhalt import Call, Denied, Refused, Reply
from keyhalt_energy import catalog, fields, tallies
from keyhalt_energy.children import account_child, labelled, place_child
from keyhalt_energy.clock import now
from keyhalt_energy.handling import Shelf
from keyhalt_energy.pages import Listing, row_of
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import account, account_meter, meter, place, vendor
from keyhalt_energy.scope import PLACES, Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.wire import (
    NOT_FOUND,
    Address,
    Id,
    Wire,
    address_of,
    attribution,
    changed_by,
    flattened,
    invalid,
    made_by,
    taken,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

LISTING = Listing(
    table=meter,
    source=meter.join(
        place, (place.c.datasource_id == meter.c.datasource_id) & (place.c.id == meter.c.place_id)
    ),
    columns=[*meter.c, *labelled(place, "in_", "id code info type_id")],
    fields=fields.METER,
    within=lambda reach, how: reach.meter(how),
    tally=lambda connection, reach: tallies.of(connection, PLACES, reach, place.c.meters_below),
)


class RequiredAddress(Address):
    country: str = Field(max_length=64)


class _MeterBody(Wire):
    code: str = Field(alias="meterCode", max_length=32)
    info: str = Field(alias="meterInfo", max_length=50)
    place_id: Id
    commodity_id: Id
    bill_entry_note: str | None = Field(None, max_length=64)
    include_in_energy_star: bool | None = None
    primary_use_id: Id | None = None
    properties: dict[str, str] | None = Field(None, max_length=100)
    use_unit_id: Id | None = None
    demand_unit_id: Id | None = None
    description: str | None = Field(None, alias="meterDescription", max_length=4000)


class MeterCreate(_MeterBody):
    address: RequiredAddress
    type_id: Id = Field(alias="meterTypeId")
    time_zone_id: Id | None = Field(None, alias="meterTimeZoneId")


class MeterEdit(_MeterBody):
    """A unit that is absent or null is taken away, as the contract says of null."""

    address: Address | None = None
    time_zone_id: Id = Field(alias="meterTimeZoneId")
    active: bool


class Meters:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def get(self, call: Call) -> Reply | Denied:
        return self._shelf.get(call, "meterId")

    def create(self, call: Call) -> Reply | Denied | Refused:
        body: MeterCreate = call.body
        reach = reach_of(call.principal)
        refused = _wrong(body)
        if refused is not None:
            return refused
        values = _values(body) | {"active": True} | made_by(call.principal, now())
        try:
            with self._store.write() as connection:
                if not place_is_reached(connection, reach, body.place_id):
                    return NOT_FOUND
                number = add_meter(connection, reach.datasource_id, values)
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("meterCode", "in this place")

    def edit(self, call: Call) -> Reply | Denied | Refused:
        """In another place it is a move: both places must be reached."""
        body: MeterEdit = call.body
        reach, number = reach_of(call.principal), call.ids["meterId"]
        refused = _wrong(body)
        if refused is not None:
            return refused
        units = {"use_unit_id": body.use_unit_id, "demand_unit_id": body.demand_unit_id}
        values = _values(body) | units | changed_by(call.principal, now())
        try:
            with self._store.write() as connection:
                row = row_of(connection, LISTING, reach, number)
                if row is None or not place_is_reached(connection, reach, body.place_id):
                    return NOT_FOUND
                _count(connection, reach.datasource_id, row["place_id"], -1)
                _count(connection, reach.datasource_id, body.place_id, 1)
                own = meter.c.datasource_id == reach.datasource_id
                connection.execute(update(meter).where(own, meter.c.id == number).values(values))
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("meterCode", "in this place")


def add_meter(connection: Connection, datasource_id: int, values: dict[str, Any]) -> int:
    """Write a meter and count it. The caller has checked it all."""
    row = insert(meter).values({"properties": {}, "datasource_id": datasource_id} | values)
    number = int(connection.execute(row.returning(meter.c.id)).scalar_one())
    _count(connection, datasource_id, values["place_id"], 1)
    return number


def uncount_meter(connection: Connection, datasource_id: int, place_id: int) -> None:
    _count(connection, datasource_id, place_id, -1)


def place_is_reached(connection: Connection, reach: Reach, number: int) -> bool:
    own = place.c.datasource_id == reach.datasource_id
    query = select(place.c.id).where(own, place.c.id == number, reach.place())
    return connection.scalar(query) is not None


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    accounts = _accounts(connection, reach, [row["id"] for row in rows])
    return [
        {
            "meterId": row["id"],
            "meterCode": row["code"],
            "meterInfo": row["info"],
            "active": row["active"],
            "meterType": catalog.child(catalog.METER_TYPES, row["type_id"], "meterType"),
            "commodity": catalog.child(catalog.COMMODITIES, row["commodity_id"], "commodity"),
            "place": place_child(row, "in_"),
            "accounts": accounts.get(row["id"], []),
            "channels": [],
            "address": address_of(row),
            "billEntryNote": row["bill_entry_note"],
            "includeInEnergyStar": row["include_in_energy_star"],
            "primaryUse": catalog.child(catalog.PRIMARY_USES, row["primary_use_id"], "primaryUse"),
            "meterTimeZone": catalog.child(catalog.TIME_ZONES, row["time_zone_id"], "timeZone"),
            "useUnit": catalog.child(catalog.UNITS, row["use_unit_id"], "unit"),
            "demandUnit": catalog.child(catalog.UNITS, row["demand_unit_id"], "unit"),
            "serialNumber": row["serial_number"],
            "properties": row["properties"],
            "meterDescription": row["description"],
            **attribution(row),
        }
        for row in rows
    ]


def _accounts(
    connection: Connection, reach: Reach, ids: Sequence[int]
) -> dict[int, list[dict[str, object]]]:
    """The links of meters to accounts, by meter, where the account is reached too."""
    ds = reach.datasource_id
    same = (account.c.datasource_id == ds) & (account.c.id == account_meter.c.account_id)
    seller = (vendor.c.datasource_id == ds) & (vendor.c.id == account.c.vendor_id)
    query = (
        select(
            *labelled(account_meter, "link_", "id meter_id begin_at end_at"),
            *labelled(account, "account_", "id code info active"),
            *labelled(vendor, "vendor_", "id code info"),
        )
        .select_from(account_meter.join(account, same).join(vendor, seller))
        .where(account_meter.c.datasource_id == ds, account_meter.c.meter_id.in_(ids))
        .where(reach.account())
        .order_by(sorted_by(account_meter.c.id))
    )
    found: dict[int, list[dict[str, object]]] = {}
    for row in rows_of(connection, query):
        child = {
            "accountMeterId": row["link_id"],
            "startDate": time_text(row["link_begin_at"]),
            "endDate": time_text(row["link_end_at"]),
            **account_child(row, "account_", "vendor_"),
        }
        found.setdefault(row["link_meter_id"], []).append(child)
    return found


def _values(body: MeterCreate | MeterEdit) -> dict[str, Any]:
    values = flattened(body.supplied())
    if "properties" in values:
        values["properties"] = values["properties"] or {}
    return values


def _count(connection: Connection, datasource_id: int, place_id: int, number: int) -> None:
    changes = {place.c.meters_below: number}
    tallies.add(connection, PLACES, datasource_id, node_id=place_id, changes=changes)


def _wrong(body: MeterCreate | MeterEdit) -> Refused | None:
    """Ids of the look-ups that are not there, or units that are not the commodity's."""
    commodity = catalog.COMMODITIES.get(body.commodity_id)
    if commodity is None:
        return invalid("commodityId", "There is no commodity with this id.")
    if isinstance(body, MeterCreate) and body.type_id not in catalog.METER_TYPES:
        return invalid("meterTypeId", "There is no meter type with this id.")
    if body.time_zone_id is not None and body.time_zone_id not in catalog.TIME_ZONES:
        return invalid("meterTimeZoneId", "There is no time zone with this id.")
    if body.primary_use_id is not None and body.primary_use_id not in catalog.PRIMARY_USES:
        return invalid("primaryUseId", "There is no primary use with this id.")
    if body.use_unit_id is not None and body.use_unit_id not in commodity.use_units:
        return invalid("useUnitId", "The commodity has no use in this unit.")
    if body.demand_unit_id is not None and body.demand_unit_id not in commodity.demand_units:
        return invalid("demandUnitId", "The commodity has no demand in this unit.")
    return None
