"""Creates and edits: what is kept, what is left alone, what is refused. And attribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.energy.estate import (
    Api,
    Estate,
    account_body,
    bill_body,
    link_body,
    meter_body,
    meter_edit,
    place_body,
    principal,
)

KEPT = "Æ"


def test_a_datasource_begins_with_a_root_that_has_no_parent(api: Api) -> None:
    """One for each tree, seen by a topmost as everything is; what comes later names its parent."""
    nobody = principal()
    place = {"placeCode": "ALL", "placeInfo": "All", "placeTypeId": 1}
    center = {"costCenterCode": "ALL", "costCenterInfo": "All"}
    root = api(nobody, "POST", "/api/v3/place", place).body
    top = api(nobody, "POST", "/api/v3/costcenter", center).body
    assert (root["placeCode"], root["parent"]) == ("ALL", None)
    assert (top["costCenterCode"], top["parent"]) == ("ALL", None)
    for path, body, field in (
        ("place", place, "parentPlaceId"),
        ("costcenter", center, "parentCostCenterId"),
    ):
        again = api(nobody, "POST", f"/api/v3/{path}", body)
        assert (again.status, again.field) == (400, field)
    assert api(nobody, "GET", f"/api/v3/place/{root['placeId']}").status == 404
    sees = principal(places=(root["placeId"],), centers=(top["costCenterId"],))
    assert api(sees, "GET", f"/api/v3/place/{root['placeId']}").body["placeCode"] == "ALL"
    below = place | {"placeCode": "B1", "parentPlaceId": root["placeId"]}
    assert api(sees, "POST", "/api/v3/place", below).body["parent"]["placeId"] == root["placeId"]
    other = replace(sees, user=replace(sees.user, datasource_id=2))
    assert api(other, "POST", "/api/v3/place", place).body["parent"] is None


def test_everything_made_names_its_maker(estate: Estate) -> None:
    """Creator, editor and both times on every noun, from the principal and never from the body."""
    api = estate.api
    caller = principal(user_id=9, code="nina", places=(estate.root,), centers=(estate.center_root,))
    forged = {
        "createdBy": {"userId": 1, "userCode": "admin"},
        "modifiedDate": "1999-01-01T00:00:00Z",
    }
    center = {
        "costCenterCode": "N",
        "costCenterInfo": "N",
        "parentCostCenterId": estate.center_root,
    }
    made = [
        api(caller, "POST", "/api/v3/place", place_body(estate.root, "N") | forged).body,
        api(caller, "POST", "/api/v3/meter", meter_body(estate.buildings[0], "N") | forged).body,
        api(caller, "POST", "/api/v3/costcenter", center | forged).body,
        api(caller, "POST", "/api/v3/vendor", {"vendorCode": "N", "vendorInfo": "N"} | forged).body,
        api(
            caller,
            "POST",
            "/api/v3/account",
            account_body(estate.centers[0], estate.vendor, "N") | forged,
        ).body,
        api(
            caller,
            "POST",
            "/api/v3/accountmeter",
            [link_body(estate.accounts[0], estate.meters[1]) | forged],
        ).body[0],
    ]
    who = {"userId": 9, "userCode": "nina", "fullName": "The user nina"}
    for body in made:
        assert (body["createdBy"], body["modifiedBy"]) == (who, who)
        assert body["createdDate"] == body["modifiedDate"]
        assert "T" in body["createdDate"]


def test_an_edit_names_the_editor(estate: Estate) -> None:
    """And leaves the creator, on places, meters and accounts."""
    edits = {
        f"/api/v3/place/{estate.buildings[0]}": place_body(None, "P1"),
        f"/api/v202307/meter/{estate.meters[0]}": meter_edit(estate.buildings[0]),
        f"/api/v3/account/{estate.accounts[0]}": account_body(estate.centers[0], estate.vendor),
    }
    for path, body in edits.items():
        answer = estate.api(estate.here, "PUT", path, body).body
        assert answer["createdBy"]["userCode"] == "admin"
        assert answer["modifiedBy"]["userCode"] == "jsmith"
        assert answer["modifiedDate"] >= answer["createdDate"]


def test_a_put_changes_what_it_names_and_clears_what_it_sets_to_null(estate: Estate) -> None:
    """Absent and "Æ": unchanged. Null: cleared. The sentinel is stored nowhere."""
    path = f"/api/v3/place/{estate.buildings[0]}"
    full = {
        "placeDescription": "Brick",
        "weatherStationCode": "KABC",
        "buildDate": "1950-06-01T00:00:00Z",
        "primaryUseId": 1,
        "address": {"line1": "1 Way", "line3": "Rear", "city": "Ostermark"},
    }
    first = estate.api(estate.admin, "PUT", path, place_body(None, "P1", **full)).body
    assert (first["placeDescription"], first["weatherStation"]) == (
        "Brick",
        {"stationCode": "KABC"},
    )
    kept = {"placeDescription": KEPT, "address": {"city": "Kestrel", "line3": KEPT}}
    second = estate.api(estate.admin, "PUT", path, place_body(None, "P1", **kept)).body
    assert second["address"] | {"city": "Kestrel"} == first["address"] | {"city": "Kestrel"}
    assert second["address"]["city"] == "Kestrel"
    for name in ("placeDescription", "weatherStation", "buildDate", "primaryUse"):
        assert second[name] == first[name]
    nulls = dict.fromkeys(("placeDescription", "weatherStationCode", "buildDate", "primaryUseId"))
    third = estate.api(estate.admin, "PUT", path, place_body(None, "P1", **nulls)).body
    assert (third["placeDescription"], third["weatherStation"], third["buildDate"]) == (
        "",
        None,
        None,
    )
    assert third["primaryUse"]["primaryUseId"] == 55


def test_the_sentinel_in_a_create_is_nothing(estate: Estate) -> None:
    """The official client sends it by default for a vendor's description and for line 3."""
    body = {
        "vendorCode": "S",
        "vendorInfo": "S",
        "vendorDescription": KEPT,
        "address": {"line3": KEPT, "city": "X"},
    }
    vendor = estate.api(estate.admin, "POST", "/api/v3/vendor", body).body
    assert (vendor["vendorDescription"], vendor["address"]["line3"]) == ("", None)


def test_a_unit_that_is_absent_is_removed_from_a_meter(estate: Estate) -> None:
    """The contract's one case where null, which the client leaves out, takes something away."""
    path = f"/api/v202307/meter/{estate.meters[0]}"
    body = meter_edit(estate.buildings[0], useUnitId=1, demandUnitId=3)
    assert estate.api(estate.admin, "PUT", path, body).body["useUnit"]["unitId"] == 1
    removed = estate.api(estate.admin, "PUT", path, meter_edit(estate.buildings[0])).body
    assert (removed["useUnit"], removed["demandUnit"]) == (None, None)


def test_a_building_has_a_primary_use(estate: Estate) -> None:
    """Unknown if none is given; an organization has none."""
    body = place_body(estate.root, "B")
    made = estate.api(estate.admin, "POST", "/api/v3/place", body).body
    assert (made["primaryUse"]["primaryUseId"], made["placeType"]["structure"]) == (55, True)
    body = place_body(estate.root, "O", placeTypeId=1)
    assert estate.api(estate.admin, "POST", "/api/v3/place", body).body["primaryUse"] is None


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "a type that is not there": ("place", {"placeTypeId": 999}, "placeTypeId"),
    "no parent": ("place", {"parentPlaceId": None}, "parentPlaceId"),
    "a code too long": ("place", {"placeCode": "x" * 33}, "placeCode"),
    "a date too early": ("place", {"buildDate": "1066-10-14T00:00:00Z"}, "buildDate"),
    "a date that overflows": ("place", {"buildDate": "0001-01-01T00:00:00+14:00"}, "buildDate"),
    "a latitude off the globe": ("place", {"address": {"latitude": 91}}, "address.latitude"),
    "a commodity that is not there": ("meter", {"commodityId": 999}, "commodityId"),
    "a unit of another commodity": ("meter", {"useUnitId": 4}, "useUnitId"),
    "an id beyond all": ("meter", {"placeId": 10**12}, "placeId"),
    "an id below all": ("meter", {"placeId": -1}, "placeId"),
    "no country": ("meter", {"address": {"city": "X"}}, "address.country"),
    "month thirteen": ("bill", {"billingPeriod": 202613}, "billingPeriod"),
    "a period of no year": ("bill", {"billingPeriod": 12}, "billingPeriod"),
    "period fourteen": ("bill", {"accountPeriod": 202614}, "accountPeriod"),
    "before all bills": ("bill", {"beginDate": "1899-12-30T00:00:00Z"}, "beginDate"),
    "after all bills": ("bill", {"endDate": "3000-01-02T00:00:00Z"}, "endDate"),
    "an end before the begin": ("bill", {"endDate": "2026-01-01T00:00:00Z"}, "endDate"),
    "an empty meter": (
        "bill",
        {"meters": [{"meterId": 1, "bodyLines": []}]},
        "meters[0].bodyLines",
    ),
    "a text for a number": ("bill", {"billingPeriod": "202603"}, "billingPeriod"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_by_its_name_and_writes_nothing(estate: Estate, case: str) -> None:
    """400 with the property; the lists are what they were."""
    noun, change, field = BAD[case]
    good = {
        "place": place_body(estate.root, "X"),
        "meter": meter_body(estate.buildings[0], "X"),
        "bill": bill_body(estate.accounts[0], estate.meters[0]),
    }[noun]
    path = f"/api/v3/{noun}"
    before = estate.api(estate.admin, "GET", path)
    answer = estate.api(estate.admin, "POST", path, good | change)
    assert (answer.status, answer.field) == (400, field)
    assert estate.api(estate.admin, "GET", path) == before


def test_unknown_ids_are_not_found_and_write_nothing(estate: Estate) -> None:
    """In a body as in a path."""
    api, admin = estate.api, estate.admin
    before = [api(admin, "GET", f"/api/v3/{n}") for n in ("meter", "account", "bill")]
    answers = [
        api(admin, "POST", "/api/v3/meter", meter_body(999_999)),
        api(admin, "POST", "/api/v3/account", account_body(999_999, estate.vendor)),
        api(admin, "POST", "/api/v3/account", account_body(estate.centers[0], 999_999)),
        api(admin, "POST", "/api/v3/bill", bill_body(999_999, None)),
        api(admin, "POST", "/api/v3/bill", bill_body(estate.accounts[0], 999_999)),
        api(
            admin,
            "POST",
            "/api/v3/bill",
            bill_body(estate.accounts[0], estate.meters[0], batchId=999_999),
        ),
        api(admin, "POST", "/api/v3/accountmeter", [link_body(999_999, estate.meters[0])]),
        api(admin, "GET", "/api/v202304/commodity/999/unit"),
    ]
    assert {answer.why for answer in answers} == {"not_found"}
    assert [api(admin, "GET", f"/api/v3/{n}") for n in ("meter", "account", "bill")] == before


def test_a_chargeback_meter_stays(estate: Estate) -> None:
    """The contract's: it cannot be deleted."""
    body = meter_body(estate.buildings[0], "CB", meterTypeId=6)
    number = estate.api(estate.admin, "POST", "/api/v3/meter", body).body["meterId"]
    assert estate.api(estate.admin, "DELETE", f"/api/v3/meter/{number}").status == 400


def test_an_account_can_be_made_with_its_meters(estate: Estate) -> None:
    """Flat address in, nested address out, linked at once."""
    body = account_body(
        estate.centers[0], estate.vendor, "L", meters=list(estate.meters), city="Ostermark"
    )
    account = estate.api(estate.admin, "POST", "/api/v3/account", body).body
    assert [each["meterId"] for each in account["meters"]] == list(estate.meters)
    assert (account["address"]["city"], account["active"]) == ("Ostermark", True)


@pytest.mark.parametrize("country", ["US", "CA"])
def test_an_account_in_the_us_or_canada_has_a_postal_code(estate: Estate, country: str) -> None:
    """When it is made and after an edit; one that is left out of an edit stays."""
    api, admin, center = estate.api, estate.admin, estate.centers[0]
    path = f"/api/v3/account/{estate.accounts[0]}"
    here = account_body(center, estate.vendor, "A1", country=country)
    none: dict[str, object] = {"postalCode": None}
    new = {"accountCode": "NEW"}
    assert api(admin, "POST", "/api/v3/account", here | new | none).field == "postalCode"
    assert api(admin, "PUT", path, here | none).field == "postalCode"
    assert len(api(admin, "GET", "/api/v3/account").body) == 2
    del here["postalCode"]
    assert api(admin, "PUT", path, here).body["address"]["postalCode"] == "44001"
    elsewhere = {"country": "Norway"} | new
    assert api(admin, "POST", "/api/v3/account", here | elsewhere).status == 200


def test_look_ups_can_be_filtered_and_reduced(estate: Estate) -> None:
    """By the same words as lists."""
    api, admin = estate.api, estate.admin
    found = api(admin, "GET", "/api/v202304/commodity", filter="commodityCode equals 'Electric'")
    assert found.ids == [1]
    types = api(admin, "GET", "/api/v3/place/placetype", filter="placeTypeCode like 'build'")
    assert types.body == [
        {
            "placeTypeId": 10,
            "placeTypeCode": "BUILDING",
            "placeTypeInfo": "Building",
            "structure": True,
        }
    ]
    units = "/api/v202304/commodity/1/unit"
    demand = api(admin, "GET", units, valueType="demand", field="unitCode")
    assert demand.body == [{"unitCode": "KW"}]
    assert len(api(admin, "GET", units, valueType="").body) > 3
    assert api(admin, "GET", units, valueType="weight").status == 400
    assert api(admin, "GET", "/api/v3/observationtype", filter="x").status == 400
    assert len(api(admin, "GET", "/api/v3/observationtype").body) == 10


def test_audit_settings_are_kept_per_datasource(estate: Estate) -> None:
    """All 25 are required; what a setting does not have is not kept."""
    api, admin, path = estate.api, estate.admin, "/api/v202104/audit"
    before = api(admin, "GET", path).body
    assert len(before) == 25
    body = {name: {"settingStatus": "Check", "minimumCost": 5, "days": 9} for name in before}
    body["billEndsInFuture"] = {"settingStatus": "Hold", "assignees": [7]}
    after = api(admin, "PUT", path, body).body
    assert after == api(admin, "GET", path).body
    assert after["dueDateTooLongAfterBillEnd"]["days"] == 9
    assert "days" not in after["billEndsInFuture"]
    assert after["billEndsInFuture"]["assignees"] == [{"userId": 7}]
    del body["billEndsInFuture"]
    assert api(admin, "PUT", path, body).field == "billEndsInFuture"
    assert api(admin, "POST", "/api/v3/audit/exec", listId="x").status == 400
    assert api(admin, "POST", "/api/v3/audit/exec", listId="3").body is None
