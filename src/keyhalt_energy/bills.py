"""Bills: contract rows 49 to 52. What changes many at once is in bill_actions.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from keyhalt import Call, Denied, Fault, Principal, Refused, Reply
from keyhalt_energy.batches import batch_for
from keyhalt_energy.bill_bodies import BillCreate, BillEdit
from keyhalt_energy.bill_lines import lines_after, linked_meters, new_lines, total_of, write_lines
from keyhalt_energy.bill_rows import LISTING, count_bills, render
from keyhalt_energy.clock import now
from keyhalt_energy.handling import Shelf, denied, lacks, switch
from keyhalt_energy.pages import row_of
from keyhalt_energy.rows import Row
from keyhalt_energy.schema import account, bill
from keyhalt_energy.scope import Reach, reach_of
from keyhalt_energy.wire import NOT_FOUND, changed_by, invalid, made_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from keyhalt_energy.bill_rights import BillRights
    from keyhalt_energy.store import Store

_UNAPPROVED = {
    "approved": False,
    **dict.fromkeys(f"approved_{what}" for what in ("by_id", "by_code", "by_name", "at")),
}


class Bills:
    def __init__(self, store: Store, rights: BillRights) -> None:
        self._store = store
        self._rights = rights
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def get(self, call: Call) -> Reply | Denied:
        return self._shelf.get(call, "billId")

    def create(self, call: Call) -> Reply | Denied | Refused:
        body: BillCreate = call.body
        resolved = switch(call.query, "saveAsResolved")  # the client sends it always; we keep none
        refused = resolved if isinstance(resolved, Refused) else body.wrong()
        if refused is not None:
            return refused
        reach, at = reach_of(call.principal), now()
        with self._store.write() as connection:
            center_id = _cost_center_of(connection, reach, body.account_id)
            if center_id is None:
                return NOT_FOUND
            lines = new_lines(connection, reach, body)
            if not isinstance(lines, list):
                return lines
            if not lines:
                return invalid("meters", "A bill has at least one line.")
            batch_id = batch_for(
                connection,
                call.principal,
                at,
                wanted=body.batch_id,
                manage=self._rights.manage_batches,
            )
            if not isinstance(batch_id, int):
                return batch_id
            values = _values(body) | made_by(call.principal, at) | {"batch_id": batch_id}
            values |= {"total_cost": total_of(lines), "datasource_id": reach.datasource_id}
            new = insert(bill).values(_NEW | values).returning(bill.c.id)
            number = int(connection.execute(new).scalar_one())
            write_lines(connection, reach.datasource_id, number, lines)
            count_bills(connection, reach.datasource_id, center_id, 1)
        return Reply({"billId": number})

    def edit(self, call: Call) -> Reply | Denied | Refused:
        body: BillEdit = call.body
        reach, number = reach_of(call.principal), call.ids["billId"]
        refused = body.wrong()
        if refused is not None:
            return refused
        with self._store.write() as connection:
            row = row_of(connection, LISTING, reach, number)
            center_id = _cost_center_of(connection, reach, body.account_id)
            if row is None or center_id is None:
                return NOT_FOUND
            no = self._may_not_edit(call.principal, row, body)
            if no is not None:
                return no
            lines = _edited_lines(connection, reach, row, body)
            if not isinstance(lines, list):
                return lines
            values = _values(body) | changed_by(call.principal, now())
            values["total_cost"] = total_of(lines)
            if body.set_to_unapproved:
                values |= _UNAPPROVED
            own = bill.c.datasource_id == reach.datasource_id, bill.c.id == number
            connection.execute(update(bill).where(*own).values(values))
            write_lines(connection, reach.datasource_id, number, lines)
            count_bills(connection, reach.datasource_id, row["of_cost_center_id"], -1)
            count_bills(connection, reach.datasource_id, center_id, 1)
        return Reply({"billId": number})

    def _may_not_edit(
        self, principal: Principal, row: Row, body: BillEdit
    ) -> Denied | Refused | None:
        need = self._rights.missing(principal, "edit", row)
        if need is not None:
            return denied(principal, need)
        if row["void"]:
            return Refused(Fault.INVALID_STATE, "A voided bill cannot be edited.")
        if body.set_to_unapproved and row["approved"]:
            need = self._rights.withdraw_approval
            if lacks(principal, need):
                return denied(principal, need)
        if body.account_id != row["account_id"] and lacks(principal, self._rights.move_bills):
            return denied(principal, self._rights.move_bills)
        return None


_NEW = {"void": False, "approved": False, "exported": False}


def _values(body: BillCreate | BillEdit) -> dict[str, Any]:
    """Columns of the bill itself. What its type does not allow to be empty has a default."""
    values = {name: value for name, value in body.supplied().items() if name in bill.c}
    values.pop("batch_id", None)
    if isinstance(body, BillCreate) or "account_period" in values:
        values["account_period"] = body.account_period or body.billing_period
    if isinstance(body, BillCreate) or "estimated" in values:
        values["estimated"] = bool(body.estimated)
    return values


def _cost_center_of(connection: Connection, reach: Reach, account_id: int) -> int | None:
    """Where a reached account belongs; None if it is not reached."""
    own = account.c.datasource_id == reach.datasource_id, account.c.id == account_id
    query = select(account.c.cost_center_id).where(*own, reach.account())
    return connection.scalar(query)


def _edited_lines(
    connection: Connection, reach: Reach, row: Row, body: BillEdit
) -> list[dict[str, Any]] | Denied | Refused:
    new = new_lines(connection, reach, body)
    if not isinstance(new, list):
        return new
    lines = lines_after(connection, reach, row["id"], body, new)
    if isinstance(lines, Refused):
        return lines
    if not lines:
        return invalid("meters", "At least one line must remain.")
    if body.account_id != row["account_id"]:
        meters = {line["meter_id"] for line in lines} - {None}
        ds = reach.datasource_id
        if meters - linked_meters(connection, ds, body.account_id, meters):
            return invalid("accountId", "A meter of the bill is not linked to this account.")
    return lines
