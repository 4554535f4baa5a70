"""Accounts: contract row 58. Their address is flat in a request and nested in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import func, insert, select, update

from keyhalt import Call, Denied, Refused, Reply
from keyhalt_energy import catalog, fields, tallies
from keyhalt_energy.children import labelled, meter_child, node_child, place_child
from keyhalt_energy.clock import now
from keyhalt_energy.cost_centers import center_is_reached
from keyhalt_energy.handling import Shelf
from keyhalt_energy.links import link_rows, meters_are_reached
from keyhalt_energy.pages import Listing, row_of
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import account, account_meter, bill, cost_center, meter, place, vendor
from keyhalt_energy.scope import COST_CENTERS, Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.vendors import vendor_is_there
from keyhalt_energy.wire import (
    NOT_FOUND,
    Amount,
    At,
    Id,
    Wire,
    address_of,
    attribution,
    changed_by,
    flattened,
    invalid,
    made_by,
    taken,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

LISTING = Listing(
    table=account,
    source=account.join(
        cost_center,
        (cost_center.c.datasource_id == account.c.datasource_id)
        & (cost_center.c.id == account.c.cost_center_id),
    ).join(
        vendor,
        (vendor.c.datasource_id == account.c.datasource_id) & (vendor.c.id == account.c.vendor_id),
    ),
    columns=[
        *account.c,
        *labelled(cost_center, "center_", "id code info"),
        *labelled(vendor, "seller_", "id code info"),
    ],
    fields=fields.ACCOUNT,
    within=lambda reach, how: reach.account(how),
    tally=lambda connection, reach: tallies.of(
        connection, COST_CENTERS, reach, cost_center.c.accounts_below
    ),
)


class AccountEdit(Wire):
    code: str = Field(alias="accountCode", max_length=50)
    info: str = Field(alias="accountInfo", max_length=50)
    cost_center_id: Id
    active: bool | None = None
    accrual_enabled: bool | None = None
    line1: str | None = Field(None, max_length=100)
    line2: str | None = Field(None, max_length=100)
    line3: str | None = Field(None, max_length=100)
    city: str | None = Field(None, max_length=100)
    state: str | None = Field(None, max_length=100)
    country: str = Field(max_length=64)
    postal_code: str | None = Field(None, max_length=32)
    deposit_paid: At | None = None
    deposit_return: At | None = None
    deposit_note: str | None = Field(None, max_length=4000)
    deposit_amount: Amount | None = None
    memo: str | None = Field(None, max_length=4000)
    service_start: At | None = None
    service_end: At | None = None
    description: str | None = Field(None, alias="accountDescription", max_length=4000)


class AccountCreate(AccountEdit):
    type_id: Id = Field(alias="accountTypeId")
    vendor_id: Id
    meters: list[Id] | None = Field(None, max_length=1000)


class Accounts:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = Shelf(store, LISTING, render)
        self.list = self._shelf.list

    def get(self, call: Call) -> Reply | Denied:
        return self._shelf.get(call, "accountId")

    def create(self, call: Call) -> Reply | Denied | Refused:
        """Also linked to the meters that it names, all of which must be reached."""
        body: AccountCreate = call.body
        if body.type_id not in catalog.ACCOUNT_TYPES:
            return invalid("accountTypeId", "There is no account type with this id.")
        values = _values(body)
        if _lacks_postal_code(values):
            return _NO_POSTAL_CODE
        reach, made = reach_of(call.principal), made_by(call.principal, now())
        ds, meters = reach.datasource_id, sorted(set(body.meters or ()))
        try:
            with self._store.write() as connection:
                if not (
                    center_is_reached(connection, reach, body.cost_center_id)
                    and vendor_is_there(connection, ds, body.vendor_id)
                    and meters_are_reached(connection, reach, meters)
                ):
                    return NOT_FOUND
                values |= made | {"datasource_id": ds}
                values["active"] = body.active is not False
                new = insert(account).values(values).returning(account.c.id)
                number = int(connection.execute(new).scalar_one())
                if meters:
                    connection.execute(insert(account_meter), link_rows(ds, number, meters, made))
                count_account(connection, ds, body.cost_center_id, 1)
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("accountCode", "in this cost center")

    def edit(self, call: Call) -> Reply | Denied | Refused:
        """In another cost center it is a move: both must be reached."""
        body: AccountEdit = call.body
        reach, number = reach_of(call.principal), call.ids["accountId"]
        ds = reach.datasource_id
        try:
            with self._store.write() as connection:
                row = row_of(connection, LISTING, reach, number)
                if row is None or not center_is_reached(connection, reach, body.cost_center_id):
                    return NOT_FOUND
                values = _values(body) | changed_by(call.principal, now())
                if _lacks_postal_code({"postal_code": row["postal_code"], **values}):
                    return _NO_POSTAL_CODE
                own = account.c.datasource_id == ds, account.c.id == number
                connection.execute(update(account).where(*own).values(values))
                if row["cost_center_id"] != body.cost_center_id:
                    bills = _bills_of(connection, ds, number)
                    count_account(connection, ds, row["cost_center_id"], -1, bills=-bills)
                    count_account(connection, ds, body.cost_center_id, 1, bills=bills)
                return Reply(self._shelf.one(connection, reach, number))
        except DuplicateError:
            return taken("accountCode", "in this cost center")


def count_account(
    connection: Connection, datasource_id: int, center_id: int, number: int, *, bills: int = 0
) -> None:
    columns = cost_center.c
    changes = {columns.accounts_below: number, columns.bills_below: bills}
    tallies.add(connection, COST_CENTERS, datasource_id, node_id=center_id, changes=changes)


_NO_POSTAL_CODE = invalid("postalCode", "postalCode is required in the countries US and CA.")


def _lacks_postal_code(values: Mapping[str, Any]) -> bool:
    """The contract's, literally: of these two codes, not of other ways to write the country."""
    return values["country"] in ("US", "CA") and not values.get("postal_code")


def _values(body: AccountEdit) -> dict[str, Any]:
    values = flattened(body.supplied())
    values.pop("meters", None)
    if values.get("active", True) is None:
        values.pop("active")  # a column that is never empty: null leaves it as it is
    return values


def _bills_of(connection: Connection, datasource_id: int, account_id: int) -> int:
    own = bill.c.datasource_id == datasource_id, bill.c.account_id == account_id
    return connection.scalar(select(func.count()).select_from(bill).where(*own)) or 0


def render(connection: Connection, reach: Reach, rows: Sequence[Row]) -> list[dict[str, object]]:
    meters = _meters(connection, reach, [row["id"] for row in rows])
    return [
        {
            **node_child("account", row),
            "accountType": catalog.child(catalog.ACCOUNT_TYPES, row["type_id"], "accountType"),
            "costCenter": node_child("costCenter", row, "center_"),
            "vendor": node_child("vendor", row, "seller_"),
            "active": row["active"],
            "accrualEnabled": row["accrual_enabled"],
            "address": address_of(row),
            "depositPaid": time_text(row["deposit_paid"]),
            "depositReturn": time_text(row["deposit_return"]),
            "depositNote": row["deposit_note"],
            "depositAmount": row["deposit_amount"],
            "memo": row["memo"],
            "serviceStart": time_text(row["service_start"]),
            "serviceEnd": time_text(row["service_end"]),
            "meters": meters.get(row["id"], []),
            "accountDescription": row["description"],
            **attribution(row),
        }
        for row in rows
    ]


def _meters(
    connection: Connection, reach: Reach, ids: Sequence[int]
) -> dict[int, list[dict[str, object]]]:
    """The links of accounts to meters, by account, where the meter is reached too."""
    ds = reach.datasource_id
    same = (meter.c.datasource_id == ds) & (meter.c.id == account_meter.c.meter_id)
    house = (place.c.datasource_id == ds) & (place.c.id == meter.c.place_id)
    query = (
        select(
            *labelled(account_meter, "link_", "id account_id begin_at end_at"),
            *labelled(meter, "at_", "id code info type_id commodity_id active serial_number"),
            *labelled(place, "in_", "id code info type_id"),
        )
        .select_from(account_meter.join(meter, same).join(place, house))
        .where(account_meter.c.datasource_id == ds, account_meter.c.account_id.in_(ids))
        .where(reach.meter())
        .order_by(sorted_by(account_meter.c.id))
    )
    found: dict[int, list[dict[str, object]]] = {}
    for row in rows_of(connection, query):
        child = {
            "accountMeterId": row["link_id"],
            "startDate": time_text(row["link_begin_at"]),
            "endDate": time_text(row["link_end_at"]),
            "place": place_child(row, "in_"),
            **meter_child(row, "at_"),
        }
        found.setdefault(row["link_account_id"], []).append(child)
    return found
