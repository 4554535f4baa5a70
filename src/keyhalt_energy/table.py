"""The table: one row per operation. What an operation needs stands here and nowhere else.

Paths are the contract's. Needs that it does not state are chosen in docs/energy.md.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from keyhalt import Call, Denied, Operation, Reason, Refused, Reply
from keyhalt_energy.accounts import AccountCreate, AccountEdit, Accounts
from keyhalt_energy.activity import Activity
from keyhalt_energy.audits import Audits, AuditSettings
from keyhalt_energy.bill_actions import BillActions
from keyhalt_energy.bill_bodies import BillCreate, BillEdit, BillsDelete, BillsVoid
from keyhalt_energy.bill_rights import rights_of
from keyhalt_energy.bills import Bills
from keyhalt_energy.cost_centers import CostCenterCreate, CostCenters
from keyhalt_energy.links import LinkBodies, Links
from keyhalt_energy.lookups import Lookups
from keyhalt_energy.meters import MeterCreate, MeterEdit, Meters
from keyhalt_energy.places import PlaceBody, Places
from keyhalt_energy.removal import Removal
from keyhalt_energy.store import UnavailableError
from keyhalt_energy.vendors import VendorBody, Vendors

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt import AppContext
    from keyhalt_energy.store import Store

    Handler = Callable[[Call], Reply | Denied | Refused]


class Row(NamedTuple):
    name: str
    method: str
    path: str
    need: str
    handler: Handler
    body: Any = None


def operations(store: Store, context: AppContext) -> list[Operation]:
    """The rows as the engine takes them. Raises for a need that the catalogue has not."""
    rows = [*_places(store), *_money(store), *_bills(store, context), *_look_ups(store)]
    return [
        Operation(
            name=row.name,
            method=row.method,
            path=f"/api/{row.path}",
            need=context.catalogue.need(*row.need.split(".")),
            handler=_or_unavailable(row.handler),
            body=row.body,
        )
        for row in [*rows, *_removals(store, context)]
    ]


# fmt: off - a table reads best with one row per line


def _places(store: Store) -> list[Row]:
    places, meters, tree = Places(store), Meters(store), "buildingsAndOrganizations"
    return [
        Row("GetPlacesV3", "GET", "v3/place", f"{tree}.view", places.list),
        Row("GetPlaceV3", "GET", "v3/place/{placeId}", f"{tree}.view", places.get),
        Row("CreatePlaceV3", "POST", "v3/place", f"{tree}.create", places.create, PlaceBody),
        Row("EditPlaceV3", "PUT", "v3/place/{placeId}", f"{tree}.edit", places.edit, PlaceBody),
        Row("DeletePlaceV3", "DELETE", "v3/place/{placeId}", f"{tree}.delete", places.delete),
        Row("GetMetersV3", "GET", "v3/meter", "meters.view", meters.list),
        Row("GetMeterV3", "GET", "v3/meter/{meterId}", "meters.view", meters.get),
        Row("CreateMeterV3", "POST", "v3/meter", "meters.create", meters.create, MeterCreate),
        Row(
            "EditMeterV202307",
            "PUT",
            "v202307/meter/{meterId}",
            "meters.edit",
            meters.edit,
            MeterEdit,
        ),
    ]


def _money(store: Store) -> list[Row]:
    centers, vendors, accounts = CostCenters(store), Vendors(store), Accounts(store)
    return [
        Row("GetCostCentersV3", "GET", "v3/costcenter", "costCenters.view", centers.list),
        Row(
            "CreateCostCenterV3",
            "POST",
            "v3/costcenter",
            "costCenters.create",
            centers.create,
            CostCenterCreate,
        ),
        Row("GetVendorsV3", "GET", "v3/vendor", "vendorsAndRatesModule.view", vendors.list),
        Row("CreateVendorV3", "POST", "v3/vendor", "vendors.create", vendors.create, VendorBody),
        Row("GetAccountsV3", "GET", "v3/account", "accounts.view", accounts.list),
        Row("GetAccountV3", "GET", "v3/account/{accountId}", "accounts.view", accounts.get),
        Row(
            "CreateAccountV3",
            "POST",
            "v3/account",
            "accounts.create",
            accounts.create,
            AccountCreate,
        ),
        Row(
            "EditAccountV3",
            "PUT",
            "v3/account/{accountId}",
            "accounts.edit",
            accounts.edit,
            AccountEdit,
        ),
        Row(
            "CreateAccountMeterV3",
            "POST",
            "v3/accountmeter",
            "accounts.edit",
            Links(store).create,
            LinkBodies,
        ),
    ]


def _bills(store: Store, context: AppContext) -> list[Row]:
    rights = rights_of(context)
    bills, actions, audits = Bills(store, rights), BillActions(store, rights), Audits(store)
    batches = "billsAndBatches"
    return [
        Row("GetBillsV3", "GET", "v3/bill", f"{batches}.view", bills.list),
        Row("GetBillV3", "GET", "v3/bill/{billId}", f"{batches}.view", bills.get),
        Row("CreateBillV3", "POST", "v3/bill", f"{batches}.create", bills.create, BillCreate),
        Row("EditBillV3", "PUT", "v3/bill/{billId}", f"{batches}.edit", bills.edit, BillEdit),
        Row("BillActionVoidV3", "PUT", "v3/bill/void", f"{batches}.edit", actions.void, BillsVoid),
        Row(
            "BillActionDeleteV3",
            "POST",
            "v3/bill/delete",
            f"{batches}.delete",
            actions.delete,
            BillsDelete,
        ),
        Row(
            "GetBillActivityV3", "GET", "v3/activity/bill", f"{batches}.view", Activity(store).bills
        ),
        Row("ExecAuditEngineV3", "POST", "v3/audit/exec", f"{batches}.edit", audits.run),
        Row(
            "GetAuditSettingsV202104",
            "GET",
            "v202104/audit",
            "billWorkflowSettings.view",
            audits.get,
        ),
        Row(
            "UpdateAuditSettingsV202104",
            "PUT",
            "v202104/audit",
            "billWorkflowSettings.manage",
            audits.edit,
            AuditSettings,
        ),
    ]


def _look_ups(store: Store) -> list[Row]:
    look_ups = Lookups(store)
    return [
        Row(
            "GetCommoditiesV202304", "GET", "v202304/commodity", "meters.view", look_ups.commodities
        ),
        Row(
            "GetUnitsByCommodityV202304",
            "GET",
            "v202304/commodity/{commodityId}/unit",
            "meters.view",
            look_ups.units,
        ),
        Row(
            "GetPlaceTypesV3",
            "GET",
            "v3/place/placetype",
            "buildingsAndOrganizations.view",
            look_ups.place_types,
        ),
        Row(
            "GetObservationTypesV3",
            "GET",
            "v3/observationtype",
            "billsAndBatches.view",
            look_ups.observation_types,
        ),
    ]


def _removals(store: Store, context: AppContext) -> list[Row]:
    removal = Removal(store, rights_of(context))
    return [
        Row("DeleteMeterV3", "DELETE", "v3/meter/{meterId}", "meters.delete", removal.meter),
        Row(
            "DeleteAccountV3",
            "DELETE",
            "v3/account/{accountId}",
            "accounts.delete",
            removal.account,
        ),
    ]


# fmt: on


def _or_unavailable(handler: Handler) -> Handler:
    """A database that is busy or gone is said to be so, and may be asked again."""

    @wraps(handler)
    def guarded(call: Call) -> Reply | Denied | Refused:
        try:
            return handler(call)
        except UnavailableError:
            return Denied(Reason.UNAVAILABLE, retry_after_seconds=1)

    return guarded
