"""Deleting meters and accounts, with their bills if the client says so (contract rows 48, 58)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from keyhalt import Call, Denied, Fault, Refused, Reply
from keyhalt_energy import accounts, meters
from keyhalt_energy.bill_actions import delete_bills_of
from keyhalt_energy.handling import NO_CONTENT, switch
from keyhalt_energy.pages import row_of
from keyhalt_energy.schema import account, bill, bill_line, meter
from keyhalt_energy.scope import reach_of
from keyhalt_energy.wire import NOT_FOUND

if TYPE_CHECKING:
    from keyhalt_energy.bill_rights import BillRights
    from keyhalt_energy.store import Store

_CHARGEBACK = 6


class Removal:
    def __init__(self, store: Store, rights: BillRights) -> None:
        self._store = store
        self._rights = rights

    def meter(self, call: Call) -> Reply | Denied | Refused:
        """With its links. A meter of a chargeback set-up stays."""
        asked = switch(call.query, "deleteBills")
        if isinstance(asked, Refused):
            return asked
        reach, number = reach_of(call.principal), call.ids["meterId"]
        ds = reach.datasource_id
        with self._store.write() as connection:
            row = row_of(connection, meters.LISTING, reach, number)
            if row is None:
                return NOT_FOUND
            if row["type_id"] == _CHARGEBACK:
                return Refused(Fault.INVALID_STATE, "The meter is part of a chargeback set-up.")
            lines = select(bill_line.c.bill_id).where(
                bill_line.c.datasource_id == ds, bill_line.c.meter_id == number
            )
            which = bill.c.id.in_(lines)
            no = delete_bills_of(connection, self._rights, call.principal, which, asked=asked)
            if no is not None:
                return no
            connection.execute(
                delete(meter).where(meter.c.datasource_id == ds, meter.c.id == number)
            )
            meters.uncount_meter(connection, ds, row["place_id"])
        return NO_CONTENT

    def account(self, call: Call) -> Reply | Denied | Refused:
        asked = switch(call.query, "deleteBills")
        if isinstance(asked, Refused):
            return asked
        reach, number = reach_of(call.principal), call.ids["accountId"]
        ds = reach.datasource_id
        with self._store.write() as connection:
            row = row_of(connection, accounts.LISTING, reach, number)
            if row is None:
                return NOT_FOUND
            which = bill.c.account_id == number
            no = delete_bills_of(connection, self._rights, call.principal, which, asked=asked)
            if no is not None:
                return no
            own = account.c.datasource_id == ds, account.c.id == number
            connection.execute(delete(account).where(*own))
            accounts.count_account(connection, ds, row["cost_center_id"], -1)
        return NO_CONTENT
