"""The official client, unmodified, on the energy API: what a key's owner sees, and what others do.

Contract rows 31 to 34 and 44 to 59 and the look-ups, from nothing to a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.journeys.conftest import Server

models = pytest.importorskip("energycap.sdk.models", reason="EnergyCapSdk is not installed")
from tests.journeys.making import (  # noqa: E402 - only when the client is there
    MARCH,
    bill_fields,
    make_account,
    make_bill,
    make_center,
    make_meter,
    make_place,
    other_key,
    status_of,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::SyntaxWarning"
)


@dataclass(frozen=True)
class Estate:
    """Two buildings that jsmith made, and what belongs to the first."""

    jsmith: Any
    other: Any
    """A client of a user who sees the second building and the second cost center only."""
    building: int
    meter: int
    center: int
    vendor: int
    account: int
    bill: int


@pytest.fixture(scope="module")
def estate(server_on_either: Server) -> Estate:
    """From nothing: place, meter; cost center, vendor, account; link; bill. And a second user."""
    server = server_on_either
    assert server.made is not None
    jsmith = server.with_key()
    me = jsmith.me_method()
    first, second = (make_place(jsmith, me.place.place_id, code) for code in ("J1", "J2"))
    centers = [make_center(jsmith, me.cost_center.cost_center_id, c) for c in ("J1", "J2")]
    vendor = jsmith.create_vendor(
        body=models.VendorRequest(vendor_code="JOURNEY", vendor_info="Journey Power")
    )
    meter = make_meter(jsmith, first.place_id, "J1")
    account = make_account(jsmith, centers[0].cost_center_id, vendor.vendor_id, "J1")
    link = models.AccountMeterRequest(
        account_id=account.account_id, meter_id=meter.meter_id, rate_id=1
    )
    assert len(jsmith.create_account_meter(body=[link])) == 1
    topmosts = (f"places={second.place_id}", f"costCenters={centers[1].cost_center_id}")
    key = other_key(server.made, topmosts)
    return Estate(
        jsmith=jsmith,
        other=server.with_key(key),
        building=first.place_id,
        meter=meter.meter_id,
        center=centers[0].cost_center_id,
        vendor=vendor.vendor_id,
        account=account.account_id,
        bill=make_bill(jsmith, account.account_id, meter.meter_id),
    )


def test_what_a_key_makes_is_its_owners(estate: Estate) -> None:
    """Read back by id and from the lists: all of it names jsmith as who created it."""
    client = estate.jsmith
    by = "createdBy equals 'jsmith'"
    bills = client.get_bills(filter=f"billId equals '{estate.bill}' and {by}")
    for made in (
        client.get_place(estate.building),
        client.get_meter(estate.meter),
        client.get_account(estate.account),
        client.get_bill(estate.bill),
        *bills,
    ):
        assert (made.created_by.user_code, made.created_by.full_name) == ("jsmith", "Jo Smith")
        assert made.created_date.tzinfo is not None
    # The client's models of these two have no createdBy.
    centers = client.get_cost_centers(filter=f"costCenterId equals '{estate.center}' and {by}")
    vendors = client.get_vendors(filter=f"vendorId equals '{estate.vendor}' and {by}")
    assert [len(bills), len(centers), len(vendors)] == [1, 1, 1]


def test_what_was_made_lies_where_keyhalt_s_own_data_does(
    estate: Estate, server_on_either: Server
) -> None:
    """A file beside the others on SQLite, none on PostgreSQL: so another machine finds it too."""
    made = server_on_either.made
    assert made is not None
    assert (made.data / "energy.db").exists() == (not made.database_url)
    assert estate.jsmith.get_place(estate.building).place_code == "J1"


def test_what_was_made_hangs_together(estate: Estate) -> None:
    """Place with its meter, meter and account with each other, bill with its account."""
    client = estate.jsmith
    assert [m.meter_id for m in client.get_place(estate.building).meters] == [estate.meter]
    assert [a.account_id for a in client.get_meter(estate.meter).accounts] == [estate.account]
    assert [m.meter_id for m in client.get_account(estate.account).meters] == [estate.meter]
    bill = client.get_bill(estate.bill)
    assert (bill.account.account_id, bill.total_cost, bill.begin_date) == (
        estate.account,
        12.5,
        MARCH[0],
    )


def test_another_building_s_user_sees_none_of_it(estate: Estate) -> None:
    """By list, by filter and by id; though the role grants everything."""
    client = estate.other
    assert client.get_meters() == []
    assert client.get_bills() == []
    assert client.get_accounts() == []
    assert [place.place_code for place in client.get_places()] == ["J2"]
    assert [center.cost_center_code for center in client.get_cost_centers()] == ["J2"]
    assert client.get_meters(filter="meterCode equals 'J1'") == []
    assert client.get_meters(filter="accountCode equals 'J1'") == []
    assert client.get_bills(filter="topmostPlaceCode equals 'J1'") == []
    assert client.get_bills(filter=f"billId equals '{estate.bill}'") == []
    assert client.get_bill_activity() == []
    for call, number in (
        (client.get_place, estate.building),
        (client.get_meter, estate.meter),
        (client.get_account, estate.account),
        (client.get_bill, estate.bill),
    ):
        assert status_of(call, number) == 404


def test_another_building_s_user_changes_none_of_it(estate: Estate) -> None:
    """Not by edit, not by delete, not by an action, not by making something in it."""
    client = estate.other
    place = models.PlaceEdit(
        place_code="X", place_info="X", parent_place_id=estate.building, place_type_id=10
    )
    assert status_of(client.edit_place, estate.building, body=place) == 404
    assert status_of(client.delete_place, estate.building) == 404
    assert status_of(client.delete_meter, estate.meter, delete_bills=True) == 404
    assert status_of(client.delete_account, estate.account) == 404
    meter = models.MeterEdit(
        meter_code="X",
        meter_info="X",
        place_id=client.me_method().place.place_id,
        commodity_id=1,
        meter_time_zone_id=1,
        active=False,
    )
    assert status_of(client.edit_meter_with_units, estate.meter, body=meter) == 404
    account = models.AccountEdit(
        account_code="X",
        account_info="X",
        cost_center_id=client.me_method().cost_center.cost_center_id,
        country="Elsewhere",
    )
    assert status_of(client.edit_account, estate.account, body=account) == 404
    edit = models.BillEdit(**bill_fields(client, estate.account, estate.meter))
    assert status_of(client.edit_bill, estate.bill, body=edit) == 404
    ids = [estate.bill]
    voided = client.bill_action_void_method(body=models.BillActionVoid(ids=ids, void=True))
    assert (voided.selected, voided.updated) == (1, 0)
    deleted = client.bill_action_delete_method(body=models.BillActionDelete(ids=ids))
    assert (deleted.selected, deleted.deleted) == (1, 0)
    assert status_of(make_place, client, estate.building, "X") == 404
    assert status_of(make_meter, client, estate.building, "X") == 404
    assert status_of(make_center, client, estate.center, "X") == 404
    assert status_of(make_account, client, estate.center, estate.vendor, "X") == 404
    link = models.AccountMeterRequest(account_id=estate.account, meter_id=estate.meter, rate_id=1)
    assert status_of(client.create_account_meter, body=[link]) == 404
    bill = estate.jsmith.get_bill(estate.bill)
    assert (bill.void, bill.modified_by.user_code) == (False, "jsmith")
    assert estate.jsmith.get_meter(estate.meter).meter_code == "J1"
    assert estate.jsmith.get_account(estate.account).account_code == "J1"


def test_the_client_edits_what_its_owner_reaches(estate: Estate) -> None:
    """Place, meter, account and bill; what the client leaves out stays as it is."""
    client = estate.jsmith
    parent = client.get_place(estate.building).parent.place_id
    place = models.PlaceEdit(
        place_code="J1", place_info="Renamed", parent_place_id=parent, place_type_id=10
    )
    assert client.edit_place(estate.building, body=place).place_info == "Renamed"
    meter = models.MeterEdit(
        meter_code="J1",
        meter_info="Renamed",
        place_id=estate.building,
        commodity_id=1,
        meter_time_zone_id=1,
        active=True,
    )
    edited = client.edit_meter_with_units(estate.meter, body=meter)
    assert (edited.meter_info, edited.address.city) == ("Renamed", "Ostermark")
    account = models.AccountEdit(
        account_code="J1",
        account_info="Renamed",
        cost_center_id=estate.center,
        country="United States",
    )
    changed = client.edit_account(estate.account, body=account)
    assert (changed.account_info, changed.address.postal_code) == ("Renamed", "44001")
    fields = bill_fields(client, estate.account, estate.meter) | {"invoice_number": "R-1"}
    assert client.edit_bill(estate.bill, body=models.BillEdit(**fields)).bill_id == estate.bill
    assert client.get_bill(estate.bill).invoice_number == "R-1"


def test_the_client_voids_and_deletes_bills(estate: Estate) -> None:
    """A voided bill is not edited; a meter with bills goes only with them."""
    client = estate.jsmith
    place = client.get_place(estate.building).parent.place_id
    building = make_place(client, place, "GONE")
    meter = make_meter(client, building.place_id, "GONE").meter_id
    account = make_account(client, estate.center, estate.vendor, "GONE").account_id
    link = models.AccountMeterRequest(account_id=account, meter_id=meter, rate_id=1)
    client.create_account_meter(body=[link])
    bills = [make_bill(client, account, meter) for _ in range(2)]
    voided = client.bill_action_void_method(body=models.BillActionVoid(ids=bills[:1], void=True))
    assert (voided.selected, voided.updated) == (1, 1)
    edit = models.BillEdit(**bill_fields(client, account, meter))
    assert status_of(client.edit_bill, bills[0], body=edit) == 400
    deleted = client.bill_action_delete_method(body=models.BillActionDelete(ids=bills[:1]))
    assert (deleted.selected, deleted.deleted) == (1, 1)
    assert status_of(client.delete_meter, meter) == 400
    assert client.delete_meter(meter, delete_bills=True) is None
    assert status_of(client.get_bill, bills[1]) == 404
    assert client.delete_account(account) is None
    assert client.delete_place(building.place_id) is None


def test_lists_are_paged_and_bad_input_is_refused(estate: Estate) -> None:
    """Four headers; 400 for pages, filters, dates and periods that cannot be."""
    client = estate.jsmith
    raw = client.get_bills(page_size=1, page_number=2, raw=True)
    assert len(raw.output) == 1
    assert int(raw.headers["PageSize"]) == 1
    assert client.get_bills(page_number=10**12) == []
    for number in (0, -1):
        assert status_of(client.get_meters, page_number=number) == 400
        assert status_of(client.get_vendors, page_size=number) == 400
    assert status_of(client.get_places, filter="nothing equals '1'") == 400
    fields = bill_fields(client, estate.account, estate.meter)
    for change in (
        {"begin_date": datetime(1800, 1, 1, tzinfo=UTC)},
        {"end_date": datetime(3001, 1, 1, tzinfo=UTC)},
        {"billing_period": 202613},
    ):
        body = models.BillCreate(manual_entry=True, **(fields | change))
        assert status_of(client.create_bill, body=body) == 400


def test_activity_and_audits_answer_as_the_client_expects(estate: Estate) -> None:
    """Rows 31 to 34: 200 with the contract's shapes; settings go back as they came."""
    client = estate.jsmith
    activity = {each.id: each.reason for each in client.get_bill_activity()}
    assert activity[estate.bill] in ("created", "modified")
    assert client.exec_audit_engine() is None
    settings = estate.other.get_audit_settings()
    assert settings.bill_ends_in_future.setting_status == "Skip"
    named = {
        name: models.AuditSettingRequest(setting_status="Check", minimum_cost=1)
        for name in models.AuditSettingsRequest._attribute_map
    }
    updated = estate.other.update_audit_settings(body=models.AuditSettingsRequest(**named))
    assert updated.bill_ends_in_future.setting_status == "Check"
