"""The short forms in which one thing appears inside another (contract 5.12 to 5.15).

`prefix` is that of the row's labels when a statement reads several things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keyhalt_energy import catalog

if TYPE_CHECKING:
    from sqlalchemy import Label, Table

    from keyhalt_energy.rows import Row


def labelled(table: Table, prefix: str, names: str) -> list[Label[Any]]:
    """The columns of a thing inside another, labelled so that they clash with nothing."""
    return [table.c[name].label(f"{prefix}{name}") for name in names.split()]


def place_child(row: Row, prefix: str = "") -> dict[str, object]:
    return {
        "placeId": row[f"{prefix}id"],
        "placeCode": row[f"{prefix}code"],
        "placeInfo": row[f"{prefix}info"],
        "placeType": catalog.place_type(row[f"{prefix}type_id"]),
    }


def meter_child(row: Row, prefix: str = "") -> dict[str, object]:
    return {
        "meterId": row[f"{prefix}id"],
        "meterCode": row[f"{prefix}code"],
        "meterInfo": row[f"{prefix}info"],
        "meterType": catalog.child(catalog.METER_TYPES, row[f"{prefix}type_id"], "meterType"),
        "commodity": catalog.child(catalog.COMMODITIES, row[f"{prefix}commodity_id"], "commodity"),
        "active": row[f"{prefix}active"],
        "serialNumber": row[f"{prefix}serial_number"],
    }


def node_child(stem: str, row: Row, prefix: str = "") -> dict[str, object]:
    """Id, code and info: cost centers and vendors."""
    names = {"Id": "id", "Code": "code", "Info": "info"}
    return {f"{stem}{kind}": row[f"{prefix}{name}"] for kind, name in names.items()}


def account_child(row: Row, prefix: str, vendor: str) -> dict[str, object]:
    return {
        **node_child("account", row, prefix),
        "active": row[f"{prefix}active"],
        "vendor": node_child("vendor", row, vendor),
    }
