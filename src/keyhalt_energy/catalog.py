"""The look-ups: the same in every datasource, so they are constants and no tables.

Ids are ours, once given they stay. Two are the contract's: meter types 1 and 6, and primary use 55.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    code: str
    info: str

    def child(self, stem: str) -> dict[str, object]:
        return {f"{stem}Id": self.id, f"{stem}Code": self.code, f"{stem}Info": self.info}


@dataclass(frozen=True, slots=True)
class Commodity(Entry):
    category: str
    use_units: tuple[int, ...]
    demand_units: tuple[int, ...] = ()


T = TypeVar("T", bound=Entry)


def _by_id(*entries: T) -> Mapping[int, T]:
    return {entry.id: entry for entry in entries}


UNITS = _by_id(
    Entry(1, "KWH", "kilowatt hours"),
    Entry(2, "MWH", "megawatt hours"),
    Entry(3, "KW", "kilowatts"),
    Entry(4, "THERM", "therms"),
    Entry(5, "CCF", "hundred cubic feet"),
    Entry(6, "MMBTU", "million BTU"),
    Entry(7, "KGAL", "thousand gallons"),
    Entry(8, "GAL", "gallons"),
    Entry(9, "MLB", "thousand pounds"),
    Entry(10, "TONHR", "ton hours"),
    Entry(11, "TON", "tons"),
    Entry(12, "M3", "cubic meters"),
    Entry(20, "USD", "US dollars"),
    Entry(21, "EUR", "euros"),
)
COST_UNITS = (20, 21)
COST_UNIT_DEFAULT = 20

COMMODITIES = _by_id(
    Commodity(1, "ELECTRIC", "Electric", "Electricity", (1, 2, 6), (3,)),
    Commodity(2, "NATURALGAS", "Natural gas", "Fuels", (4, 5, 6, 12)),
    Commodity(3, "WATER", "Water", "Water", (7, 5, 8, 12)),
    Commodity(4, "SEWER", "Sewer", "Water", (7, 5, 8, 12)),
    Commodity(5, "STEAM", "Steam", "District energy", (9, 6)),
    Commodity(6, "CHILLEDWATER", "Chilled water", "District energy", (10, 6), (11,)),
    Commodity(7, "OIL2", "Fuel oil no. 2", "Fuels", (8, 6)),
    Commodity(8, "SOLARPV", "Solar photovoltaic", "Electricity", (1, 2), (3,)),
)
CATEGORIES = ("Electricity", "Fuels", "Water", "District energy")


@dataclass(frozen=True, slots=True)
class PlaceType(Entry):
    structure: bool = False
    """Whether a place of this type is a building."""


PLACE_TYPES = _by_id(
    PlaceType(1, "ORGANIZATION", "Organization"),
    PlaceType(2, "REGION", "Region"),
    PlaceType(3, "CAMPUS", "Campus"),
    PlaceType(4, "DEPARTMENT", "Department"),
    PlaceType(5, "SITE", "Site"),
    PlaceType(10, "BUILDING", "Building", structure=True),
    PlaceType(11, "PLANT", "Central plant", structure=True),
    PlaceType(12, "PARKING", "Parking structure", structure=True),
)

PRIMARY_USE_UNKNOWN = 55
PRIMARY_USES = _by_id(
    Entry(1, "OFFICE", "Office"),
    Entry(2, "LABORATORY", "Laboratory"),
    Entry(3, "HOUSING", "Residence hall"),
    Entry(4, "CLASSROOM", "Classrooms"),
    Entry(5, "ATHLETICS", "Athletics"),
    Entry(6, "LIBRARY", "Library"),
    Entry(7, "DINING", "Dining"),
    Entry(8, "PLANT", "Central plant"),
    Entry(PRIMARY_USE_UNKNOWN, "UNKNOWN", "Unknown"),
)

METER_TYPES = _by_id(Entry(1, "STANDARD", "Standard"), Entry(6, "CHARGEBACK", "Chargeback"))
ACCOUNT_TYPES = _by_id(Entry(1, "VENDOR", "Vendor"), Entry(2, "CHARGEBACK", "Chargeback"))

TIME_ZONES = _by_id(
    Entry(1, "America/New_York", "Eastern time"),
    Entry(2, "America/Chicago", "Central time"),
    Entry(3, "America/Denver", "Mountain time"),
    Entry(4, "America/Los_Angeles", "Pacific time"),
    Entry(5, "Europe/Berlin", "Central European time"),
    Entry(6, "UTC", "UTC"),
)


@dataclass(frozen=True, slots=True)
class Observation(Entry):
    noun: Entry
    credit: int = 0


_USE, _DEMAND = Entry(1, "USE", "Use"), Entry(2, "DEMAND", "Demand")
_COST, _TAX = Entry(3, "COST", "Cost"), Entry(4, "TAX", "Tax")
OBSERVATION_TYPES = _by_id(
    Observation(1, "USE", "Use", _USE),
    Observation(2, "ONPEAKUSE", "On-peak use", _USE),
    Observation(3, "OFFPEAKUSE", "Off-peak use", _USE),
    Observation(4, "DEMAND", "Demand", _DEMAND),
    Observation(5, "BILLEDDEMAND", "Billed demand", _DEMAND),
    Observation(10, "COST", "Cost", _COST),
    Observation(11, "CUSTOMERCHARGE", "Customer charge", _COST),
    Observation(12, "LATEFEE", "Late fee", _COST),
    Observation(13, "ADJUSTMENT", "Adjustment", _COST, credit=1),
    Observation(20, "TAX", "Tax", _TAX),
)


def child(entries: Mapping[int, Entry], number: int | None, stem: str) -> dict[str, object] | None:
    """Id, code and info of an entry; None for none."""
    entry = None if number is None else entries.get(number)
    return None if entry is None else entry.child(stem)


def place_type(number: int) -> dict[str, object]:
    entry = PLACE_TYPES[number]
    return {**entry.child("placeType"), "structure": entry.structure}


def units_of(commodity: Commodity, value_type: str) -> tuple[int, ...]:
    """`value_type`: `use`, `demand`, `cost`, or empty for all three."""
    units = {
        "use": commodity.use_units,
        "demand": commodity.demand_units,
        "cost": COST_UNITS,
    }
    return units.get(value_type, tuple(unit for some in units.values() for unit in some))


def as_sql(entries: Mapping[int, Entry], column: str, attribute: str) -> str:
    """An SQL expression for the code or info of the entry that a column names, to filter by."""
    cases = " ".join(
        f"when {entry.id} then '{getattr(entry, attribute)}'" for entry in entries.values()
    )
    return f"case {column} {cases} end"
