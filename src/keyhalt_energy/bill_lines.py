"""The lines of a bill: from a body to rows, checked, and from old rows and new ones to what stays.

A line belongs to a meter or to the account as a whole. A meter must be reached, and linked to the
account. Lines of meters that the caller does not reach are neither shown nor changed.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from keyhalt import Denied, Refused
from keyhalt_energy import catalog
from keyhalt_energy.schema import account_meter, bill_line, meter
from keyhalt_energy.wire import NOT_FOUND, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from keyhalt_energy.bill_bodies import BillCreate, BillEdit, Line
    from keyhalt_energy.scope import Reach

LineRow = dict[str, Any]


def new_lines(
    connection: Connection, reach: Reach, body: BillCreate | BillEdit
) -> list[LineRow] | Denied | Refused:
    """The rows of all lines in a body, or why they cannot be."""
    meters = body.meters or []
    no = _wrong_meters(connection, reach, body.account_id, [each.meter_id for each in meters])
    if no is not None:
        return no
    rows: list[LineRow] = []
    lines: list[tuple[str, int | None, Line]] = [
        (f"meters[{m}].bodyLines[{n}]", each.meter_id, line)
        for m, each in enumerate(meters)
        for n, line in enumerate(each.body_lines)
    ]
    lines += [
        (f"accountBodyLines[{n}]", None, line)
        for n, line in enumerate(body.account_body_lines or [])
    ]
    for where, meter_id, line in lines:
        refused = _wrong_line(where, line)
        if refused is not None:
            return refused
        row = line.supplied() | {"meter_id": meter_id}
        row["cost_unit_id"] = line.cost_unit_id or catalog.COST_UNIT_DEFAULT
        rows.append(_EMPTY | row)
    return rows


_EMPTY: LineRow = dict.fromkeys(
    ("body_line_id", "cost", "value", "value_unit_id", "special_charge_id"), None
)


def _wrong_line(where: str, line: Line) -> Refused | None:
    if line.observation_type_id not in catalog.OBSERVATION_TYPES:
        detail = "There is no observation type with this id."
        return invalid(f"{where}.observationTypeId", detail)
    if line.cost_unit_id is not None and line.cost_unit_id not in catalog.COST_UNITS:
        return invalid(f"{where}.costUnitId", "There is no unit of cost with this id.")
    if line.value_unit_id is not None and line.value_unit_id not in catalog.UNITS:
        return invalid(f"{where}.valueUnitId", "There is no unit with this id.")
    return None


def _wrong_meters(
    connection: Connection, reach: Reach, account_id: int, ids: Sequence[int]
) -> Denied | Refused | None:
    ds = reach.datasource_id
    own = select(meter.c.id).where(meter.c.datasource_id == ds, meter.c.id.in_(ids), reach.meter())
    if set(ids) - set(connection.scalars(own)):
        return NOT_FOUND
    unlinked = set(ids) - linked_meters(connection, ds, account_id, ids)
    for index, number in enumerate(ids):
        if number in unlinked:
            detail = "This meter is not linked to the account."
            return invalid(f"meters[{index}].meterId", detail)
    return None


def linked_meters(
    connection: Connection, datasource_id: int, account_id: int, ids: Iterable[int]
) -> set[int]:
    """Which of these meters the account has a link to."""
    link = account_meter.c
    query = select(link.meter_id).where(
        link.datasource_id == datasource_id,
        link.account_id == account_id,
        link.meter_id.in_(list(ids)),
    )
    return set(connection.scalars(query))


def lines_after(
    connection: Connection, reach: Reach, bill_id: int, body: BillEdit, new: Sequence[LineRow]
) -> list[LineRow] | Refused:
    """All lines that the bill has after the edit."""
    ds = reach.datasource_id
    query = select(bill_line).where(bill_line.c.datasource_id == ds, bill_line.c.bill_id == bill_id)
    old = [dict(row) for row in connection.execute(query).mappings()]
    ids = {row["meter_id"] for row in old} - {None}
    seen = select(meter.c.id).where(meter.c.datasource_id == ds, meter.c.id.in_(ids), reach.meter())
    reached = set(connection.scalars(seen))
    kept, gone = [], set()
    for row in old:
        of_meter = row["meter_id"] is not None
        replaced = (body.meters if of_meter else body.account_body_lines) is not None
        if replaced and (not of_meter or row["meter_id"] in reached):
            gone.add(row["id"])
        else:
            kept.append(row)
    used = [row["body_line_id"] for row in new if row["body_line_id"] is not None]
    if not set(used) <= gone or len(used) != len(set(used)):
        return invalid("bodyLineId", "A bodyLineId must be that of one line that is replaced.")
    return [*kept, *new]


def write_lines(
    connection: Connection, datasource_id: int, bill_id: int, rows: Sequence[LineRow]
) -> None:
    """Make these the lines of a bill. A line that replaces one by `bodyLineId` keeps its id."""
    own = bill_line.c.datasource_id == datasource_id, bill_line.c.bill_id == bill_id
    connection.execute(delete(bill_line).where(*own))
    for row in rows:
        values = {name: row[name] for name in row if name in bill_line.c}
        number = row.get("id") or row["body_line_id"]
        values |= {"datasource_id": datasource_id, "bill_id": bill_id}
        if number is not None:
            values["id"] = number
        connection.execute(insert(bill_line).values(values))


def total_of(rows: Iterable[LineRow]) -> float:
    """To the cent and a little beyond: sums of binary fractions end in noise."""
    return round(fsum(row["cost"] or 0.0 for row in rows), 4)
