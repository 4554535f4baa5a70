"""The look-ups that a client needs to fill in ids. They are constants: catalog.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select, union_all

from keyhalt import Call, Denied, Fault, Refused, Reply, filters
from keyhalt_energy import catalog
from keyhalt_energy.clock import now
from keyhalt_energy.pages import condition_of
from keyhalt_energy.wire import NOT_FOUND, reduced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt_energy.catalog import Commodity, Entry, Observation
    from keyhalt_energy.store import Store

_VALUE_TYPES = ("", "use", "demand", "cost")


class Lookups:
    def __init__(self, store: Store) -> None:
        self._store = store

    def commodities(self, call: Call) -> Reply | Refused:
        ids = self._matching(call, catalog.COMMODITIES, "commodity")
        if isinstance(ids, Refused):
            return ids
        bodies = [_commodity(catalog.COMMODITIES[number]) for number in ids]
        return Reply([reduced(body, call.query) for body in bodies])

    def place_types(self, call: Call) -> Reply | Refused:
        ids = self._matching(call, catalog.PLACE_TYPES, "placeType")
        if isinstance(ids, Refused):
            return ids
        return Reply([reduced(catalog.place_type(number), call.query) for number in ids])

    def observation_types(self, call: Call) -> Reply | Refused:
        ids = self._matching(call, catalog.OBSERVATION_TYPES, "observationType")
        if isinstance(ids, Refused):
            return ids
        bodies = [_observation(catalog.OBSERVATION_TYPES[number]) for number in ids]
        return Reply([reduced(body, call.query) for body in bodies])

    def units(self, call: Call) -> Reply | Denied | Refused:
        commodity = catalog.COMMODITIES.get(call.ids["commodityId"])
        if commodity is None:
            return NOT_FOUND
        value_type = call.query.get("valueType", "").lower()
        if value_type not in _VALUE_TYPES:
            return Refused(
                Fault.INVALID_QUERY, "valueType must be use, demand or cost.", "valueType"
            )
        units = [catalog.UNITS[number] for number in catalog.units_of(commodity, value_type)]
        bodies = [unit.child("unit") | {"unitDisplayName": unit.info} for unit in units]
        return Reply([reduced(body, call.query) for body in bodies])

    def _matching(self, call: Call, entries: Mapping[int, Entry], stem: str) -> list[int] | Refused:
        """The ids of the entries that pass the filter: by the same words as any other list."""
        text = filters.FieldType.STRING
        fields = {
            f"{stem}Id": filters.Field(filters.FieldType.INTEGER, "entry.id"),
            f"{stem}Code": filters.Field(text, "entry.code"),
            f"{stem}Info": filters.Field(text, "entry.info"),
        }
        where = filters.compile_filter(call.query.get("filter", ""), fields, now=now())
        if isinstance(where, Refused):
            return where
        rows = [
            select(
                literal(entry.id).label("id"),
                literal(entry.code).label("code"),
                literal(entry.info).label("info"),
            )
            for entry in entries.values()
        ]
        entry = union_all(*rows).subquery("entry")
        query = select(entry.c.id).where(condition_of(where)).order_by(entry.c.id)
        with self._store.read() as connection:
            return list(connection.scalars(query))


def _commodity(entry: Commodity) -> dict[str, object]:
    number = catalog.CATEGORIES.index(entry.category) + 1
    demand = entry.demand_units[0] if entry.demand_units else None
    return {
        **entry.child("commodity"),
        "abbreviation": entry.code[:3],
        "description": entry.info,
        "commodityCategory": {
            "commodityCategoryId": number,
            "commodityCategoryInfo": entry.category,
        },
        "useRollupUnit": catalog.child(catalog.UNITS, entry.use_units[0], "unit"),
        "demandRollupUnit": catalog.child(catalog.UNITS, demand, "unit"),
        "isSystemCommodity": True,
    }


def _observation(entry: Observation) -> dict[str, object]:
    return {
        **entry.child("observationType"),
        "nounId": entry.noun.id,
        "nounCode": entry.noun.code,
        "credit": entry.credit,
    }
