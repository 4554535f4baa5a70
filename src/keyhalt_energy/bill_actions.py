"""What changes many bills at once: contract rows 53 and 54, and bills that go with their owner.

An action leaves out ids that are not reached, as if they did not exist. If one of the others needs
a permission that the caller lacks, nothing is done at all: half an action would be hard to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, not_, select, update

from keyhalt import Call, Denied, Fault, Principal, Refused, Reply
from keyhalt_energy.bill_rows import LISTING, delete_bills
from keyhalt_energy.clock import now
from keyhalt_energy.handling import denied, lacks
from keyhalt_energy.pages import rows_where
from keyhalt_energy.schema import bill
from keyhalt_energy.scope import Reach, reach_of
from keyhalt_energy.wire import changed_by

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from keyhalt_energy.bill_bodies import BillsDelete, BillsVoid
    from keyhalt_energy.bill_rights import BillRights
    from keyhalt_energy.store import Store


class BillActions:
    def __init__(self, store: Store, rights: BillRights) -> None:
        self._store = store
        self._rights = rights

    def void(self, call: Call) -> Reply | Denied:
        """`selected`: how many ids were sent; `updated`: how many bills are now another way."""
        body: BillsVoid = call.body
        reach, ids = reach_of(call.principal), set(body.ids)
        with self._store.write() as connection:
            rows = rows_where(
                connection, LISTING, reach.datasource_id, bill.c.id.in_(ids), reach.bill()
            )
            changing = [row for row in rows if row["void"] != body.void]
            need = self._rights.missing_for_any(call.principal, "edit", changing)
            if need is not None:
                return denied(call.principal, need)
            values = changed_by(call.principal, now()) | {"void": body.void}
            own = bill.c.datasource_id == reach.datasource_id
            which = bill.c.id.in_([row["id"] for row in changing])
            connection.execute(update(bill).where(own, which).values(values))
        return Reply({"selected": len(ids), "updated": len(changing)})

    def delete(self, call: Call) -> Reply | Denied:
        body: BillsDelete = call.body
        reach, ids = reach_of(call.principal), set(body.ids)
        with self._store.write() as connection:
            which = and_(bill.c.id.in_(ids), reach.bill())
            rows = rows_where(connection, LISTING, reach.datasource_id, which)
            need = self._rights.missing_for_any(call.principal, "delete", rows)
            if need is not None:
                return denied(call.principal, need)
            deleted = delete_bills(connection, reach.datasource_id, which)
        return Reply({"selected": len(ids), "deleted": deleted})


def delete_bills_of(
    connection: Connection,
    rights: BillRights,
    principal: Principal,
    which: ColumnElement[bool],
    *,
    asked: bool,
) -> Denied | Refused | None:
    """Delete the bills of a meter or account that goes. None: done, or there were none.

    `asked` is the client's `deleteBills`. Bills beyond the caller keep the thing in place.
    """
    reach: Reach = reach_of(principal)
    own = bill.c.datasource_id == reach.datasource_id
    if not connection.scalar(select(exists().where(own, which))):
        return None
    beyond = connection.scalar(select(exists().where(own, which, not_(reach.bill()))))
    if not asked or beyond:
        return Refused(Fault.INVALID_STATE, "There are still bills.", "deleteBills")
    if lacks(principal, rights.delete_bills):
        return denied(principal, rights.delete_bills)
    rows = rows_where(connection, LISTING, reach.datasource_id, which)
    need = rights.missing_for_any(principal, "delete", rows)
    if need is not None:
        return denied(principal, need)
    delete_bills(connection, reach.datasource_id, which)
    return None
