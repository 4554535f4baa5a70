"""Bills: who made them, what they hold, and what more than one permission a change needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from keyhalt import Principal
from keyhalt_energy.schema import bill, bill_line
from tests.energy.estate import Estate, bill_body, line, meter_body, principal, without


@pytest.fixture
def mark(estate: Estate) -> Callable[..., None]:
    """Approve or export the first bill. No operation of the contract's rows does."""
    by = {
        "by_id": 3,
        "by_code": "boss",
        "by_name": "The boss",
        "at": datetime(2026, 4, 1, tzinfo=UTC),
    }

    def change(bill_id: int, **flags: bool) -> None:
        with estate.api.app._store.write() as connection:
            for name, value in flags.items():
                who = {f"{name}_{part}": each for part, each in by.items()}
                one = update(bill).where(bill.c.id == bill_id)
                connection.execute(one.values({name: value, **who}))

    return change


def owner(estate: Estate) -> Principal:
    """The caller who entered the estate's bills, so that the batch is its own."""
    return estate.admin


def edit(estate: Estate, caller: Principal, **more: object) -> Any:
    body = bill_body(estate.accounts[0], estate.meters[0], **more)
    return estate.api(caller, "PUT", f"/api/v3/bill/{estate.bills[0]}", body)


def bill_of(estate: Estate, number: int = 0) -> Any:
    return estate.api(estate.admin, "GET", f"/api/v3/bill/{estate.bills[number]}").body


def test_a_bill_is_recorded_as_its_owners_whatever_the_body_says(estate: Estate) -> None:
    """The seed's sentence: made with jsmith's key, jsmith is the creator."""
    forged = {"createdBy": {"userId": 1}, "createdDate": "1999-01-01T00:00:00Z", "createdById": 1}
    body = bill_body(estate.accounts[0], estate.meters[0], **forged)
    number = estate.api(estate.here, "POST", "/api/v3/bill", body).body["billId"]
    bill = estate.api(estate.here, "GET", f"/api/v3/bill/{number}").body
    who = {"userId": 7, "userCode": "jsmith", "fullName": "The user jsmith"}
    assert (bill["createdBy"], bill["modifiedBy"]) == (who, who)
    assert bill["createdDate"].endswith("Z")
    assert bill["createdDate"] > "2026"
    assert bill["totalCost"] == 10.75


def test_an_edit_names_the_editor_and_keeps_the_creator(estate: Estate) -> None:
    """On bills as on everything else that can be edited."""
    editor = principal(user_id=9, code="editor", places=(estate.root,), centers=estate.centers)
    assert edit(estate, editor).status == 200
    bill = bill_of(estate)
    assert (bill["createdBy"]["userCode"], bill["modifiedBy"]["userCode"]) == ("admin", "editor")
    assert bill["modifiedDate"] > bill["createdDate"]


def test_a_voided_bill_cannot_be_edited_until_it_is_unvoided(estate: Estate) -> None:
    """Voiding twice updates nothing."""
    body = {"ids": [estate.bills[0], estate.bills[0]], "void": True}
    void = "/api/v3/bill/void"
    assert estate.api(estate.admin, "PUT", void, body).body == {"selected": 1, "updated": 1}
    assert estate.api(estate.admin, "PUT", void, body).body == {"selected": 1, "updated": 0}
    assert edit(estate, owner(estate)).why == "invalid_state"
    assert estate.api(estate.admin, "PUT", void, body | {"void": False}).body["updated"] == 1
    assert edit(estate, owner(estate)).status == 200


@pytest.mark.parametrize(
    ("flag", "permission"),
    [("approved", "updateApprovedBills"), ("exported", "exportBills")],
)
def test_approved_and_exported_bills_need_one_permission_more(
    estate: Estate, mark: Callable[..., None], flag: str, permission: str
) -> None:
    """To edit, to void and to delete; without it nothing changes, with it all goes."""
    mark(estate.bills[0], **{flag: True})
    editor = without(owner(estate), f"{permission}.edit")
    remover = without(owner(estate), f"{permission}.delete")
    ids = {"ids": list(estate.bills)}
    before = bill_of(estate)
    assert edit(estate, editor).why == f"{permission}.edit"
    assert estate.api(editor, "PUT", "/api/v3/bill/void", ids).why == f"{permission}.edit"
    delete = estate.api(remover, "POST", "/api/v3/bill/delete", ids)
    assert (delete.status, delete.why) == (403, f"{permission}.delete")
    assert (bill_of(estate), bill_of(estate, 1)["void"]) == (before, False)
    assert edit(estate, remover).status == 200
    deleted = estate.api(editor, "POST", "/api/v3/bill/delete", ids).body
    assert deleted == {"selected": 2, "deleted": 2}


def test_a_bill_in_anothers_open_batch_needs_manage(estate: Estate) -> None:
    """To enter one there, to edit, void and delete; ones own open batch needs nothing."""
    other = without(
        principal(user_id=9, code="nine", places=(estate.root,), centers=(estate.center_root,)),
        "billsAndBatches.manage",
    )
    batch = bill_of(estate)["batch"]["batchId"]
    body = bill_body(estate.accounts[0], estate.meters[0], batchId=batch)
    api, need, ids = estate.api, "billsAndBatches.manage", {"ids": [estate.bills[0]]}
    assert api(other, "POST", "/api/v3/bill", body).why == need
    assert edit(estate, other).why == need
    assert api(other, "PUT", "/api/v3/bill/void", ids).why == need
    assert api(other, "POST", "/api/v3/bill/delete", ids).why == need
    own = api(other, "POST", "/api/v3/bill", body | {"batchId": None})
    assert own.status == 200
    shown = api(other, "GET", f"/api/v3/bill/{own.body['billId']}").body
    assert shown["batch"]["batchId"] != batch
    assert api(estate.admin, "POST", "/api/v3/bill", body).status == 200


def test_taking_an_approval_back_needs_the_right_to_approve(
    estate: Estate, mark: Callable[..., None]
) -> None:
    """And then names nobody as approver any more."""
    mark(estate.bills[0], approved=True)
    caller = without(owner(estate), "approveBills.manage")
    assert edit(estate, caller, setToUnapproved=True).why == "approveBills.manage"
    assert bill_of(estate)["approvedBy"]["userCode"] == "boss"
    assert edit(estate, owner(estate), setToUnapproved=True).status == 200
    bill = bill_of(estate)
    assert (bill["approved"], bill["approvedBy"], bill["approveDate"]) == (False, None, None)


def test_at_least_one_line_remains(estate: Estate) -> None:
    """In a new bill and after an edit; absent lists leave the lines as they are."""
    none = bill_body(estate.accounts[0], None, accountBodyLines=[])
    assert estate.api(estate.admin, "POST", "/api/v3/bill", none).status == 400
    assert edit(estate, owner(estate), meters=[], accountBodyLines=[]).status == 400
    assert bill_of(estate)["totalCost"] == 10.75
    assert edit(estate, owner(estate), accountBodyLines=[]).status == 200
    assert bill_of(estate)["totalCost"] == 10.5
    assert edit(estate, owner(estate), meters=None, accountBodyLines=None).status == 200
    assert bill_of(estate)["totalCost"] == 10.5


def test_lines_of_a_meter_that_is_not_reached_are_not_changed(estate: Estate) -> None:
    """Whoever sees the account only edits the account's lines; the meter's stay."""
    accountant = principal(user_id=1, centers=(estate.centers[0],))
    body = bill_body(estate.accounts[0], None, accountBodyLines=[line(cost=1)])
    path = f"/api/v3/bill/{estate.bills[0]}"
    assert estate.api(accountant, "PUT", path, body).status == 200
    assert bill_of(estate)["totalCost"] == 11.5


def test_a_meter_on_a_bill_is_linked_to_its_account(estate: Estate) -> None:
    """Reached but not linked: refused with the property that is wrong."""
    body = meter_body(estate.buildings[0], "SPARE")
    meter = estate.api(estate.admin, "POST", "/api/v3/meter", body).body["meterId"]
    answer = estate.api(estate.admin, "POST", "/api/v3/bill", bill_body(estate.accounts[0], meter))
    assert (answer.status, answer.field) == (400, "meters[0].meterId")
    moved = bill_body(estate.accounts[1], None, meters=None)
    path = f"/api/v3/bill/{estate.bills[0]}"
    assert estate.api(estate.admin, "PUT", path, moved).field == "accountId"


def test_putting_a_bill_on_another_account_needs_its_own_permission(estate: Estate) -> None:
    """And moves it to whom sees that account."""
    body = bill_body(estate.accounts[1], estate.meters[1])
    path = f"/api/v3/bill/{estate.bills[0]}"
    caller = without(estate.admin, "moveExistingBills.manage")
    assert estate.api(caller, "PUT", path, body).why == "moveExistingBills.manage"
    assert estate.api(estate.admin, "PUT", path, body).status == 200
    assert estate.api(estate.there, "GET", "/api/v3/bill").ids == list(estate.bills)
    assert estate.api(estate.here, "GET", "/api/v3/bill").ids == []


def test_a_line_keeps_its_id_when_the_client_names_it(estate: Estate) -> None:
    """`bodyLineId` must be a line of this bill that is being replaced."""

    def ids() -> list[int]:
        own = bill_line.c.bill_id == estate.bills[0]
        with estate.api.app._store.read() as connection:
            return list(connection.scalars(select(bill_line.c.id).where(own).order_by("id")))

    before = ids()
    tax = line(observationTypeId=20, caption="Tax", cost=2, bodyLineId=before[1])
    assert edit(estate, owner(estate), meters=None, accountBodyLines=[tax]).status == 200
    assert ids() == before
    foreign = line(bodyLineId=before[0] + 1000)
    assert edit(estate, owner(estate), accountBodyLines=[foreign]).status == 400


def test_a_meter_or_account_with_bills_stays_unless_they_may_go_too(
    estate: Estate, mark: Callable[..., None]
) -> None:
    """`deleteBills`, the permission to delete bills, and reach over all of them."""
    api, admin = estate.api, estate.admin
    path = f"/api/v3/meter/{estate.meters[0]}"
    assert api(admin, "DELETE", path).status == 400
    assert api(admin, "DELETE", path, deleteBills="maybe").status == 400
    blind = principal(places=(estate.root,))
    assert api(blind, "DELETE", path, deleteBills="true").status == 400
    caller = without(admin, "billsAndBatches.delete")
    assert api(caller, "DELETE", path, deleteBills="true").why == "billsAndBatches.delete"
    assert api(admin, "GET", path).status == 200
    assert api(admin, "DELETE", path, deleteBills="true").status == 204
    assert api(admin, "GET", "/api/v3/bill").ids == [estate.bills[1]]
    mark(estate.bills[1], approved=True)
    account = f"/api/v3/account/{estate.accounts[1]}"
    caller = without(admin, "updateApprovedBills.delete")
    answer = api(caller, "DELETE", account, deleteBills="true")
    assert answer.why == "updateApprovedBills.delete"
    assert api(admin, "DELETE", account, deleteBills="true").status == 204
    assert api(admin, "GET", "/api/v3/bill").body == []


def test_activity_tells_created_from_modified_within_reach(estate: Estate) -> None:
    """Since a moment; since a day ago when none is given."""
    path = "/api/v3/activity/bill"
    assert estate.api(estate.here, "GET", path).body == [
        {"id": estate.bills[0], "reason": "created"}
    ]
    moment = bill_of(estate, 1)["createdDate"][:-1] + "999Z"
    assert edit(estate, owner(estate)).status == 200
    changed = {"id": estate.bills[0], "reason": "modified"}
    assert changed in estate.api(estate.admin, "GET", path, date=moment).body
    assert estate.api(estate.there, "GET", path, date=moment).body == []
    assert estate.api(estate.here, "GET", path, date="yesterday").status == 400
    assert estate.api(estate.here, "GET", path, date="0001-01-01T00:00:00+14:00").status == 400
