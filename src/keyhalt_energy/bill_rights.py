"""What more than its own permission a change of a bill needs.

1. An approved bill: `updateApprovedBills` at the level of the change, edit or delete.
2. An exported bill: `exportBills` at that level.
3. A bill in an open batch of somebody else: `billsAndBatches.manage`.
4. To take back an approval: `approveBills.manage`. To put a bill on another account:
   `moveExistingBills.manage`.

1 to 3 and that a void bill is not edited are the contract's (5.13); 4 follows from the catalogue.
Bills that go because their meter or account goes need `billsAndBatches.delete` as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keyhalt_energy.handling import lacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from keyhalt import AppContext, Need, Principal


@dataclass(frozen=True, slots=True)
class BillRights:
    delete_bills: Need
    manage_batches: Need
    withdraw_approval: Need
    move_bills: Need
    approved: Mapping[str, Need]
    exported: Mapping[str, Need]

    def missing(self, principal: Principal, verb: str, row: Mapping[str, Any]) -> Need | None:
        """The first need that the caller does not meet. `verb`: edit or delete."""
        needs = []
        if row["approved"]:
            needs.append(self.approved[verb])
        if row["exported"]:
            needs.append(self.exported[verb])
        if row["batch_open"] and row["batch_created_by_id"] != principal.user_id:
            needs.append(self.manage_batches)
        return next((need for need in needs if lacks(principal, need)), None)

    def missing_for_any(
        self, principal: Principal, verb: str, rows: Iterable[Mapping[str, Any]]
    ) -> Need | None:
        missing = (self.missing(principal, verb, row) for row in rows)
        return next((need for need in missing if need is not None), None)


def rights_of(context: AppContext) -> BillRights:
    need = context.catalogue.need
    return BillRights(
        delete_bills=need("billsAndBatches", "delete"),
        manage_batches=need("billsAndBatches", "manage"),
        withdraw_approval=need("approveBills", "manage"),
        move_bills=need("moveExistingBills", "manage"),
        approved={verb: need("updateApprovedBills", verb) for verb in ("edit", "delete")},
        exported={verb: need("exportBills", verb) for verb in ("edit", "delete")},
    )
