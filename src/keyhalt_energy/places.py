"""Places: contract row 55. A building is a place whose type is a structure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import delete, insert, select, update

from keyhalt import Call, Denied, Fault, Refused, Reply
from keyhalt_energy import catalog, fields, tallies, trees
from keyhalt_energy.children import meter_child, place_child
from keyhalt_energy.clock import now
from keyhalt_energy.handling import NO_CONTENT, Shelf
from keyhalt_energy.pages import CHILDREN_MAX, Listing, row_of
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import meter, place
from keyhalt_energy.scope import PLACES, Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.wire import (
    NOT_FOUND,
    Address,
    At,
    Id,
    Wire,
    address_of,
    attribution,
    changed_by,
    flattened,
    invalid,
    made_by,
    reduced,
    taken,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

LISTING = Listing(
    table=place,
    source=place,
    columns=list(place.c),
    fields=fields.PLACE,
    within=lambda reach, how: reach.place(how),
    tally=lambda connection, reach: tallies.of_nodes(connection, PLACES, reach),
)


class PlaceBody(Wire):
    """Create and edit. Without `parent_id` a new place is the root, and an edited one stays."""

    code: str = Field(alias="placeCode", max_length=32)
    info: str = Field(alias="placeInfo", max_length=50)
    parent_id: Id | None = Field(None, alias="parentPlaceId")
    type_id: Id = Field(alias="placeTypeId")
    primary_use_id: Id | None = None
    build_date: At | None = None
    address: Address | None = None
    weather_station_code: str | None = Field(None, max_length=32)
    description: str | None = Field(None, alias="placeDescription", max_length=4000)


class Places:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def get(self, call: Call) -> Reply | Denied:
        """With its children, at most 1,000 of a kind."""
        reach, number = reach_of(call.principal), call.ids["placeId"]
        with self._store.read() as connection:
            body = self._shelf.one(connection, reach, number)
            if body is None:
                return NOT_FOUND
            body["places"] = _children(connection, reach, place.c.parent_id == number)
            body["meters"] = _meters_in(connection, reach, number)
        return Reply(reduced(body, call.query))

    def create(self, call: Call) -> Reply | Denied | Refused:
        body: PlaceBody = call.body
        reach = reach_of(call.principal)
        refused = _wrong(body)
        if refused is not None:
            return refused
        values = _use_known(flattened(body.supplied()), body.type_id)
        try:
            with self._store.write() as connection:
                if body.parent_id is None:
                    if not trees.is_empty(connection, PLACES, reach.datasource_id):
                        return invalid("parentPlaceId", "parentPlaceId is required.")
                elif row_of(connection, LISTING, reach, body.parent_id) is None:
                    return NOT_FOUND
                values |= made_by(call.principal, now())
                number = add_place(connection, reach.datasource_id, values)
                # Whoever makes the root sees it this once, and then by a topmost as everybody does.
                seen = reach if body.parent_id else replace(reach, places=(number,))
                return Reply(self._shelf.one(connection, seen, number))
        except DuplicateError:
            return taken("placeCode", "under this parent")

    def edit(self, call: Call) -> Reply | Denied | Refused:
        body: PlaceBody = call.body
        reach, number = reach_of(call.principal), call.ids["placeId"]
        refused = _wrong(body)
        if refused is not None:
            return refused
        try:
            with self._store.write() as connection:
                row = row_of(connection, LISTING, reach, number)
                if row is None:
                    return NOT_FOUND
                no = _renamed(connection, reach, row, body) or _move(
                    connection, reach, row, body.parent_id
                )
                if no is not None:
                    return no
                values = flattened(body.supplied())
                values["parent_id"] = body.parent_id or row["parent_id"]
                values = _use_known(
                    {"primary_use_id": row["primary_use_id"]} | values, body.type_id
                )
                values |= changed_by(call.principal, now())
                connection.execute(update(place).where(*_one(reach, number)).values(values))
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("placeCode", "under this parent")

    def delete(self, call: Call) -> Reply | Denied | Refused:
        """Only a place that is empty, and never the root."""
        reach, number = reach_of(call.principal), call.ids["placeId"]
        with self._store.write() as connection:
            row = row_of(connection, LISTING, reach, number)
            if row is None:
                return NOT_FOUND
            if row["parent_id"] is None:
                return Refused(Fault.INVALID_STATE, "The root of the places stays.")
            below = trees.has_children(connection, PLACES, reach.datasource_id, number)
            if below or row["meters_below"]:
                return Refused(Fault.INVALID_STATE, "There are still places or meters in it.")
            connection.execute(delete(place).where(*_one(reach, number)))
        return NO_CONTENT


def add_place(connection: Connection, datasource_id: int, values: dict[str, Any]) -> int:
    """Write a place below its parent. The caller has checked it all."""
    row = insert(place).values(datasource_id=datasource_id, **values).returning(place.c.id)
    number = int(connection.execute(row).scalar_one())
    parent_id = values.get("parent_id")
    trees.place_below(connection, PLACES, datasource_id, node_id=number, parent_id=parent_id)
    return number


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    parents = _children(connection, reach, place.c.id.in_({row["parent_id"] for row in rows}))
    by_id = {parent["placeId"]: parent for parent in parents}
    return [
        {
            "placeId": row["id"],
            "placeCode": row["code"],
            "placeInfo": row["info"],
            "placeType": catalog.place_type(row["type_id"]),
            "parent": by_id.get(row["parent_id"]),
            "primaryUse": catalog.child(catalog.PRIMARY_USES, row["primary_use_id"], "primaryUse"),
            "buildDate": time_text(row["build_date"]),
            "weatherStation": _station(row["weather_station_code"]),
            "address": address_of(row),
            "placeDescription": row["description"],
            **attribution(row),
        }
        for row in rows
    ]


def _wrong(body: PlaceBody) -> Refused | None:
    if body.type_id not in catalog.PLACE_TYPES:
        return invalid("placeTypeId", "There is no place type with this id.")
    if body.primary_use_id is not None and body.primary_use_id not in catalog.PRIMARY_USES:
        return invalid("primaryUseId", "There is no primary use with this id.")
    return None


def _use_known(values: dict[str, Any], type_id: int) -> dict[str, Any]:
    """A building has a primary use, if only "unknown"."""
    if catalog.PLACE_TYPES[type_id].structure and values.get("primary_use_id") is None:
        return values | {"primary_use_id": catalog.PRIMARY_USE_UNKNOWN}
    return values


def _renamed(connection: Connection, reach: Reach, row: Row, body: PlaceBody) -> Refused | None:
    """A code is unique among siblings; who does not reach them must not learn theirs by trying."""
    # A parent that is named must be reached itself, and then so are the siblings.
    harmless = body.parent_id is not None or body.code == row["code"] or row["parent_id"] is None
    if harmless or row_of(connection, LISTING, reach, row["parent_id"]) is not None:
        return None
    detail = "The code of a place is changed by who reaches the place that it lies in."
    return Refused(Fault.INVALID_STATE, detail, "placeCode")


def _move(
    connection: Connection, reach: Reach, row: Row, parent_id: int | None
) -> Denied | Refused | None:
    """Hang a place under another parent that is reached too. None: done, or it is there already."""
    if parent_id is None or parent_id == row["parent_id"]:
        # Naming a parent that is beyond the caller must not tell that it is the right one.
        hidden = parent_id is not None and row_of(connection, LISTING, reach, parent_id) is None
        return NOT_FOUND if hidden else None
    if row_of(connection, LISTING, reach, parent_id) is None:
        return NOT_FOUND
    ds, number, count = reach.datasource_id, row["id"], row["meters_below"]
    if row["parent_id"] is None:
        return Refused(Fault.INVALID_STATE, "The root of the places stays where it is.")
    if trees.contains(connection, PLACES, ds, ancestor=number, node=parent_id):
        return invalid("parentPlaceId", "A place cannot lie in itself.")
    counts = place.c.meters_below
    tallies.add(connection, PLACES, ds, node_id=row["parent_id"], changes={counts: -count})
    trees.move_below(connection, PLACES, ds, node_id=number, parent_id=parent_id)
    tallies.add(connection, PLACES, ds, node_id=parent_id, changes={counts: count})
    return None


def _one(reach: Reach, number: int) -> tuple[ColumnElement[bool], ...]:
    return place.c.datasource_id == reach.datasource_id, place.c.id == number, reach.place()


def _children(
    connection: Connection, reach: Reach, which: ColumnElement[bool]
) -> list[dict[str, object]]:
    query = (
        select(place.c.id, place.c.code, place.c.info, place.c.type_id)
        .where(place.c.datasource_id == reach.datasource_id, which, reach.place())
        .order_by(sorted_by(place.c.id))
        .limit(CHILDREN_MAX)
    )
    return [place_child(row) for row in rows_of(connection, query)]


def _meters_in(connection: Connection, reach: Reach, number: int) -> list[dict[str, object]]:
    query = (
        select(meter)
        .where(meter.c.datasource_id == reach.datasource_id, meter.c.place_id == number)
        .where(reach.meter())
        .order_by(sorted_by(meter.c.id))
        .limit(CHILDREN_MAX)
    )
    return [meter_child(row) for row in rows_of(connection, query)]


def _station(code: str | None) -> dict[str, object] | None:
    return None if code is None else {"stationCode": code}
