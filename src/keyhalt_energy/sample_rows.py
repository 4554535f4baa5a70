"""The invented rows of the sample data, each from its number."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

from keyhalt_energy.wire import DATE_MAX, LINK_BEGIN

SEED = 20260301

CAMPUSES = (
    ("NORTH", "North Campus", "Ostermark"),
    ("RIVER", "River Campus", "Ostermark Landing"),
    ("HILL", "Hill Campus", "Kestrel Hill"),
)
VENDORS = (
    ("BLUEOAK", "Blue Oak Power & Light", (1, 8)),
    ("HARTGAS", "Hartwell Gas Company", (2, 7)),
    ("OSTWATER", "City of Ostermark Water", (3, 4)),
    ("KESTREL", "Kestrel District Energy", (5, 6)),
)
_FAMILIES = (
    "Alder", "Bramwell", "Castellan", "Dunmore", "Ellery", "Fenwick", "Garrow", "Hollis",
    "Inglewood", "Jarrow", "Kimber", "Lindqvist", "Marlowe", "Northcott", "Oakes", "Pemberton",
)  # fmt: skip
_KINDS = (
    ("Hall", 4, 10), ("Laboratory", 2, 10), ("House", 3, 10), ("Library", 6, 10),
    ("Center", 1, 10), ("Commons", 7, 10), ("Arena", 5, 10), ("Plant", 8, 11),
)  # fmt: skip
# Each building has meters in this order; the first is always electric.
_MIX = (1, 2, 3, 1, 5, 6, 4, 1, 8, 2)
_UNITS = {1: (1, 3), 2: (4, None), 3: (7, None), 4: (7, None), 5: (9, None), 6: (10, 11)}
ALWAYS = {"begin_at": LINK_BEGIN, "end_at": DATE_MAX}


def noise(*parts: object) -> float:
    """A number from 0 up to 1 that depends on the parts and the seed only."""
    return zlib.crc32(repr((SEED, *parts)).encode()) / 2**32


def building(index: int) -> dict[str, Any]:
    kind, use, type_id = _KINDS[index % len(_KINDS)]
    family = _FAMILIES[(index * 7 + index // 16) % len(_FAMILIES)]
    round_ = index // (len(_KINDS) * 2)
    name = f"{family} {kind}" + (f" {round_ + 1}" if round_ else "")
    _, _, city = CAMPUSES[index % len(CAMPUSES)]
    return {
        "code": f"B{index + 1:05}",
        "info": name,
        "type_id": type_id,
        "primary_use_id": use,
        "build_date": datetime(1908 + int(noise("year", index) * 110), 6, 1, tzinfo=UTC),
        "line1": f"{int(noise('street', index) * 900) + 100} {family} Way",
        "city": city,
        "state": "OH",
        "postal_code": f"44{int(noise('post', index) * 900) + 100}",
        "country": "United States",
    }


def meter(index: int, buildings: int) -> tuple[dict[str, Any], int]:
    """A meter, and the number of its building."""
    house, nth = index % buildings, index // buildings
    commodity = _MIX[nth % len(_MIX)]
    use_unit, demand_unit = _UNITS.get(commodity, (1, 3))
    row = {
        "code": f"M{index + 1:06}",
        "info": f"{_NAMES[commodity]} meter {nth + 1}, building {house + 1}",
        "active": noise("active", index) < 0.97,
        "type_id": 1,
        "commodity_id": commodity,
        "time_zone_id": 1,
        "use_unit_id": use_unit,
        "demand_unit_id": demand_unit,
        "serial_number": f"OM-{int(noise('serial', index) * 9e6) + 1_000_000}",
        "properties": {},
        "city": CAMPUSES[house % len(CAMPUSES)][2],
        "country": "United States",
    }
    return row, house


_NAMES = {
    1: "Electric", 2: "Gas", 3: "Water", 4: "Sewer", 5: "Steam", 6: "Chilled water", 8: "Solar",
}  # fmt: skip


def account(house: int, commodity: int) -> dict[str, Any]:
    number = int(noise("account", house, commodity) * 9e8) + 100_000_000
    return {
        "code": f"{number}-{house + 1}-{commodity}",
        "info": f"{_NAMES[commodity]}, building {house + 1}",
        "type_id": 1,
        "active": True,
        "country": "United States",
        "state": "OH",
    }
