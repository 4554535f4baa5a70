"""Bills as rows: how they are listed, shown, counted and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from keyhalt_energy import fields, tallies
from keyhalt_energy.children import account_child, labelled
from keyhalt_energy.pages import Listing
from keyhalt_energy.rows import Row
from keyhalt_energy.schema import account, batch, bill, cost_center, vendor
from keyhalt_energy.scope import COST_CENTERS, Reach
from keyhalt_energy.wire import attribution, time_text, user_child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection


def _joined() -> Listing:
    ds = bill.c.datasource_id
    source = (
        bill.join(account, (account.c.datasource_id == ds) & (account.c.id == bill.c.account_id))
        .join(vendor, (vendor.c.datasource_id == ds) & (vendor.c.id == account.c.vendor_id))
        .join(batch, (batch.c.datasource_id == ds) & (batch.c.id == bill.c.batch_id))
    )
    return Listing(
        table=bill,
        source=source,
        columns=[
            *bill.c,
            *labelled(account, "of_", "id code info active cost_center_id"),
            *labelled(vendor, "vendor_", "id code info"),
            *labelled(batch, "batch_", "code open created_by_id"),
        ],
        fields=fields.BILL,
        within=lambda reach, how: reach.bill(how),
        tally=lambda connection, reach: tallies.of(
            connection, COST_CENTERS, reach, cost_center.c.bills_below
        ),
    )


LISTING = _joined()


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    del connection, reach
    return [_body(row) for row in rows]


def _body(row: Row) -> dict[str, object]:
    return {
        "billId": row["id"],
        "account": account_child(row, "of_", "vendor_"),
        "batch": {"batchId": row["batch_id"], "batchCode": row["batch_code"]},
        "beginDate": time_text(row["begin_at"]),
        "endDate": time_text(row["end_at"]),
        "billingPeriod": row["billing_period"],
        "accountPeriod": row["account_period"],
        "totalCost": row["total_cost"],
        "estimated": row["estimated"],
        "approved": row["approved"],
        "approvedBy": user_child(row, "approved"),
        "approveDate": time_text(row["approved_at"]),
        "exported": row["exported"],
        "exportedBy": user_child(row, "exported"),
        "exportDate": time_text(row["exported_at"]),
        "statementDate": time_text(row["statement_at"]),
        "dueDate": time_text(row["due_at"]),
        "nextReading": time_text(row["next_reading_at"]),
        "controlCode": row["control_code"],
        "invoiceNumber": row["invoice_number"],
        "billNote": row["note"],
        "void": row["void"],
        **attribution(row),
    }


def count_bills(
    connection: Connection, datasource_id: int, cost_center_id: int, number: int
) -> None:
    changes = {cost_center.c.bills_below: number}
    tallies.add(connection, COST_CENTERS, datasource_id, node_id=cost_center_id, changes=changes)


def delete_bills(connection: Connection, datasource_id: int, which: ColumnElement[bool]) -> int:
    """Delete bills with their lines. The caller has checked reach and rights. Returns how many."""
    own = bill.c.datasource_id == datasource_id
    same = (account.c.datasource_id == datasource_id) & (account.c.id == bill.c.account_id)
    per_center = (
        select(account.c.cost_center_id, func.count())
        .select_from(bill.join(account, same))
        .where(own, which)
        .group_by(account.c.cost_center_id)
    )
    deleted = 0
    for center_id, number in connection.execute(per_center).all():
        count_bills(connection, datasource_id, center_id, -number)
        deleted += number
    connection.execute(delete(bill).where(own, which))
    return deleted
