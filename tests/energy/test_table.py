"""The table of operations: complete, permitted, and the same as the official client's."""

from __future__ import annotations

import inspect
import re
from collections import Counter

import pytest

from keyhalt import Operation
from tests.energy.estate import (
    PROFILE,
    Api,
    Estate,
    account_body,
    bill_body,
    link_body,
    meter_body,
    meter_edit,
    place_body,
    principal,
    without,
)

# The contract's rows 31 to 34 and 44 to 59, by the official client's names, and its look-ups.
CLIENT = """
exec_audit_engine get_audit_settings update_audit_settings get_bill_activity get_meters
get_meter create_meter edit_meter_with_units delete_meter get_bills get_bill create_bill
edit_bill bill_action_void_method bill_action_delete_method get_places get_place create_place
edit_place delete_place get_cost_centers create_cost_center get_vendors create_vendor
get_accounts get_account create_account edit_account delete_account create_account_meter
get_commodities get_place_types get_observation_types get_units_by_commodity
""".split()  # noqa: SIM905 - easier to read so


def test_every_operation_of_the_client_is_served_and_no_other(api: Api) -> None:
    """Method and path of each, as the client's own code has them."""
    module = pytest.importorskip("energycap.sdk.energy_cap_api", reason="no EnergyCapSdk here")
    holders = [each for each in vars(module).values() if inspect.isclass(each)]
    served = {(row.method, row.path.lower()) for row in api.app.operations()}
    wanted = set()
    for name in CLIENT:
        call = next(getattr(holder, name) for holder in holders if hasattr(holder, name))
        verb = re.search(r"self\._client\.(get|post|put|delete)\(", inspect.getsource(call))
        assert verb is not None
        wanted.add((verb[1].upper(), call.metadata["url"].lower()))
    assert served == wanted


def test_every_operation_needs_a_permission_of_the_catalogue(api: Api) -> None:
    """A row without a need would be open to any key: there is none."""
    rows = api.app.operations()
    assert all(row.need is not None for row in rows)
    assert not [key for key, n in Counter((r.method, r.path) for r in rows).items() if n > 1]
    assert not [name for name, n in Counter(row.name for row in rows).items() if n > 1]


def test_reading_needs_view_and_writing_more(api: Api) -> None:
    """No GET asks for more than a view, nothing else is satisfied with one."""
    for row in api.app.operations():
        assert row.need is not None
        assert (row.need.level == "view") == (row.method == "GET"), row.name


def bodies_for(estate: Estate, side: int) -> dict[str, object]:
    """A good body for each operation that takes one, about the first or the second building."""
    building, meter = estate.buildings[side], estate.meters[side]
    center, account, bill = estate.centers[side], estate.accounts[side], estate.bills[side]
    n = side + 1
    spare = {"beginDate": "2020-01-01T00:00:00Z"}
    setting = {"settingStatus": "Check"}
    settings = estate.api(estate.admin, "GET", "/api/v202104/audit").body
    return {
        "CreatePlaceV3": place_body(building, "NEW"),
        "EditPlaceV3": place_body(None, f"P{n}"),
        "CreateMeterV3": meter_body(building, "NEW"),
        "EditMeterV202307": meter_edit(building, f"M{n}"),
        "CreateCostCenterV3": {
            "costCenterCode": "NEW",
            "costCenterInfo": "New",
            "parentCostCenterId": center,
        },
        "CreateVendorV3": {"vendorCode": f"NEW{n}", "vendorInfo": "New"},
        "CreateAccountV3": account_body(center, estate.vendor, "NEW"),
        "EditAccountV3": account_body(center, estate.vendor, f"A{n}"),
        "CreateAccountMeterV3": [link_body(account, meter, **spare)],
        "CreateBillV3": bill_body(account, meter),
        "EditBillV3": bill_body(account, meter),
        "BillActionVoidV3": {"ids": [bill], "void": True},
        "BillActionDeleteV3": {"ids": [bill]},
        "UpdateAuditSettingsV202104": dict.fromkeys(settings, setting),
    }


def path_for(estate: Estate, row: Operation, side: int) -> str:
    ids = {
        "placeId": estate.buildings[side],
        "meterId": estate.meters[side],
        "accountId": estate.accounts[side],
        "billId": estate.bills[side],
        "commodityId": 1,
    }
    return row.path.format(**ids)


@pytest.mark.parametrize("number", range(len(CLIENT)))
def test_without_its_permission_an_operation_is_denied(estate: Estate, number: int) -> None:
    """Everything else granted, all of the tree in reach: the one that lacks decides."""
    row = estate.api.app.operations()[number]
    caller = without(estate.admin, str(row.need))
    body = bodies_for(estate, 0).get(row.name)
    answer = estate.api(caller, row.method, path_for(estate, row, 0), body)
    assert (answer.status, answer.why) == (403, str(row.need))


@pytest.mark.parametrize("number", range(len(CLIENT)))
def test_with_its_permission_alone_an_operation_works_inside(estate: Estate, number: int) -> None:
    """One permission and the topmosts of the object are enough; its success is the contract's."""
    row = estate.api.app.operations()[number]
    one = principal(
        str(row.need), user_id=1, places=estate.here.topmosts["places"],
        centers=estate.here.topmosts["costCenters"],
    )  # fmt: skip
    if row.name in ("DeleteMeterV3", "DeleteAccountV3"):
        gone = {"ids": [estate.bills[0]]}
        assert estate.api(estate.admin, "POST", "/api/v3/bill/delete", gone).status == 200
    if row.name == "DeletePlaceV3":
        path = f"/api/v3/meter/{estate.meters[0]}"
        assert estate.api(estate.admin, "DELETE", path, deleteBills="true").status == 204
    body = bodies_for(estate, 0).get(row.name)
    answer = estate.api(one, row.method, path_for(estate, row, 0), body)
    assert answer.status == (204 if row.method == "DELETE" else 200), answer


# Of these the datasource is the only border: they are about no node of a tree.
NO_TREE = {
    "GetVendorsV3",
    "CreateVendorV3",
    "ExecAuditEngineV3",
    "GetAuditSettingsV202104",
    "UpdateAuditSettingsV202104",
    "GetCommoditiesV202304",
    "GetUnitsByCommodityV202304",
    "GetPlaceTypesV3",
    "GetObservationTypesV3",
}


@pytest.mark.parametrize("number", range(len(CLIENT)))
def test_outside_the_topmosts_an_operation_finds_nothing(estate: Estate, number: int) -> None:
    """All permissions, another building: lists leave it out, ids are not found, actions do none."""
    row = estate.api.app.operations()[number]
    if row.name in NO_TREE:
        return
    body = bodies_for(estate, 1).get(row.name)
    answer = estate.api(estate.here, row.method, path_for(estate, row, 1), body)
    if row.name.startswith("BillAction"):
        assert sorted(answer.body.values()) == [0, 1]
    elif row.method == "GET" and "{" not in row.path:
        foreign = estate.buildings[1], estate.meters[1], estate.centers[1], estate.bills[1]
        assert answer.status == 200
        assert len(answer.body) == 1
        assert answer.ids[0] not in foreign
    else:
        assert (answer.status, answer.why) == (404, "not_found")
    assert snapshot(estate) == (2, 2, 2, 2, 2)


def snapshot(estate: Estate) -> tuple[int, ...]:
    """How many buildings, meters, departments, accounts and unvoided bills there are."""
    lists = {
        "place": "placeTypeCode equals 'BUILDING' and placeCode like 'P'",
        "meter": "",
        "costcenter": "costCenterCode like 'C' and costCenterCode not like 'FIN'",
        "account": "",
        "bill": "void equals 'false'",
    }
    return tuple(
        len(
            [
                row
                for row in estate.api(estate.admin, "GET", f"/api/v3/{name}", filter=text).body
                if not str(row.get("costCenterInfo", "")).startswith("Department")
            ]
        )
        for name, text in lists.items()
    )


def test_a_caller_with_no_topmost_sees_no_tree(estate: Estate) -> None:
    """None means nothing, even with every permission there is."""
    nobody = principal()
    for name in ("place", "meter", "costcenter", "account", "bill"):
        assert estate.api(nobody, "GET", f"/api/v3/{name}").body == []
    assert PROFILE.name == "energycap"
