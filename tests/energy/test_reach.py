"""Who sees what: the rule of scope.py, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyhalt import Principal
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

LISTS = ("place", "meter", "costcenter", "account", "bill")


def seen(api: Api, caller: Principal) -> dict[str, list[int]]:
    return {name: api(caller, "GET", f"/api/v3/{name}").ids for name in LISTS}


def test_a_caller_sees_its_topmosts_and_what_lies_below(estate: Estate) -> None:
    """The first building's user sees it, its meter, department, account and bill; no more."""
    assert seen(estate.api, estate.here) == {
        "place": [estate.buildings[0]],
        "meter": [estate.meters[0]],
        "costcenter": [estate.centers[0]],
        "account": [estate.accounts[0]],
        "bill": [estate.bills[0]],
    }


def test_several_topmosts_are_a_union_and_nothing_counts_twice(estate: Estate) -> None:
    """Two buildings and, nested, the root above them: totals and pages agree."""
    both = principal(places=estate.buildings, centers=estate.centers)
    assert seen(estate.api, both)["bill"] == list(estate.bills)
    nested = principal(
        places=(estate.root, *estate.buildings), centers=(estate.center_root, *estate.centers)
    )
    for name in LISTS:
        answer = estate.api(nested, "GET", f"/api/v3/{name}")
        assert answer.headers is not None
        assert answer.headers["TotalNumberOfRecords"] == str(len(answer.body))
        assert answer.ids == estate.api(estate.admin, "GET", f"/api/v3/{name}").ids


def test_a_bill_goes_by_its_cost_center_and_a_meter_by_its_place(estate: Estate) -> None:
    """The first building with the second department: the hierarchies are independent."""
    mixed = principal(places=(estate.buildings[0],), centers=(estate.centers[1],))
    visible = seen(estate.api, mixed)
    assert (visible["meter"], visible["bill"]) == ([estate.meters[0]], [estate.bills[1]])


def test_a_link_is_shown_only_to_who_reaches_both_ends(estate: Estate) -> None:
    """The meter's account and the account's meter are hidden beyond the other hierarchy."""
    places_only = principal(places=(estate.buildings[0],))
    meter = estate.api(places_only, "GET", f"/api/v3/meter/{estate.meters[0]}").body
    assert meter["accounts"] == []
    centers_only = principal(centers=(estate.centers[0],))
    account = estate.api(centers_only, "GET", f"/api/v3/account/{estate.accounts[0]}").body
    assert account["meters"] == []
    here = estate.api(estate.here, "GET", f"/api/v3/meter/{estate.meters[0]}").body
    assert [each["accountId"] for each in here["accounts"]] == [estate.accounts[0]]


@pytest.mark.parametrize("side", [0, 1])
def test_linking_needs_both_ends_and_writes_all_or_nothing(estate: Estate, side: int) -> None:
    """One foreign end, on either side, and not even the good link beside it is made."""
    pair = [
        (estate.accounts[0], estate.meters[1]),
        (estate.accounts[1], estate.meters[0]),
    ][side]
    early = "2001-01-01T00:00:00Z"
    good = link_body(estate.accounts[0], estate.meters[0], beginDate=early)
    answer = estate.api(estate.here, "POST", "/api/v3/accountmeter", [good, link_body(*pair)])
    assert answer.why == "not_found"
    meter = estate.api(estate.admin, "GET", f"/api/v3/meter/{estate.meters[0]}").body
    assert len(meter["accounts"]) == 1


def test_a_foreign_account_cannot_be_found_out_by_filtering_meters(estate: Estate) -> None:
    """Whoever sees the meter but not its account does not match it by the account's code."""
    text = "accountCode equals 'A1'"
    assert len(estate.api(estate.here, "GET", "/api/v3/meter", filter=text).body) == 1
    for centers in ((), (estate.centers[1],)):
        other = principal(places=(estate.buildings[0],), centers=centers)
        assert estate.api(other, "GET", "/api/v3/meter", filter=text).body == []


def test_the_parent_beyond_the_topmost_is_not_shown(estate: Estate) -> None:
    """In lists and single answers, for places and cost centers."""
    path = f"/api/v3/place/{estate.buildings[0]}"
    assert estate.api(estate.here, "GET", path).body["parent"] is None
    assert estate.api(estate.admin, "GET", path).body["parent"]["placeId"] == estate.root
    assert estate.api(estate.here, "GET", "/api/v3/costcenter").body[0]["parent"] is None


def test_nothing_is_made_under_or_moved_to_a_foreign_parent(estate: Estate) -> None:
    """Not found, as if the parent did not exist, and nothing written."""
    api, here = estate.api, estate.here
    (_, foreign), (meter, _) = estate.buildings, estate.meters
    before = seen(api, estate.admin)
    refused = [
        api(here, "POST", "/api/v3/place", place_body(foreign)),
        api(here, "PUT", f"/api/v3/place/{estate.buildings[0]}", place_body(foreign)),
        api(here, "PUT", f"/api/v3/place/{estate.buildings[0]}", place_body(estate.root)),
        api(here, "POST", "/api/v3/meter", meter_body(foreign)),
        api(here, "PUT", f"/api/v202307/meter/{meter}", meter_edit(foreign)),
        api(here, "POST", "/api/v3/account", account_body(estate.centers[1], estate.vendor)),
        api(
            here,
            "POST",
            "/api/v3/account",
            account_body(estate.centers[0], estate.vendor, meters=[estate.meters[1]]),
        ),
        api(here, "POST", "/api/v3/bill", bill_body(estate.accounts[1], None)),
        api(here, "POST", "/api/v3/bill", bill_body(estate.accounts[0], estate.meters[1])),
        api(
            here,
            "PUT",
            f"/api/v3/bill/{estate.bills[0]}",
            bill_body(estate.accounts[1], estate.meters[0]),
        ),
    ]
    assert [answer.why for answer in refused] == ["not_found"] * len(refused)
    assert seen(api, estate.admin) == before


def test_what_is_foreign_and_what_is_absent_look_the_same(estate: Estate) -> None:
    """Get, edit and delete of a foreign id and of one that never was."""
    for path, body in (
        ("/api/v3/place/{}", place_body(None)),
        ("/api/v3/account/{}", account_body(estate.centers[0], estate.vendor)),
    ):
        foreign = estate.buildings[1] if "place" in path else estate.accounts[1]
        for method in ("GET", "PUT", "DELETE"):
            answers = [
                estate.api(estate.here, method, path.format(number), body)
                for number in (foreign, 999_999)
            ]
            assert answers[0] == answers[1]
            assert answers[0].status == 404


def test_moving_a_place_moves_what_is_seen_at_once(estate: Estate) -> None:
    """A whole branch: its meter leaves one caller's lists, totals and ids and enters another's."""
    api, admin = estate.api, estate.admin
    first, second = estate.buildings
    answer = api(admin, "PUT", f"/api/v3/place/{first}", place_body(second, "P1"))
    assert answer.status == 200
    there = api(estate.there, "GET", "/api/v3/meter")
    assert there.ids == list(estate.meters)
    assert there.headers is not None
    assert there.headers["TotalNumberOfRecords"] == "2"
    assert api(estate.there, "GET", f"/api/v3/place/{first}").status == 200
    back = api(admin, "PUT", f"/api/v3/place/{first}", place_body(estate.root, "P1"))
    assert back.status == 200
    assert api(estate.there, "GET", "/api/v3/meter").ids == [estate.meters[1]]
    assert api(estate.there, "GET", f"/api/v3/meter/{estate.meters[0]}").status == 404


def test_moving_an_account_moves_its_bills(estate: Estate) -> None:
    """To a department that somebody else sees."""
    body = account_body(estate.centers[1], estate.vendor, "A1")
    answer = estate.api(estate.admin, "PUT", f"/api/v3/account/{estate.accounts[0]}", body)
    assert answer.status == 200
    assert seen(estate.api, estate.here)["bill"] == []
    bills = estate.api(estate.there, "GET", "/api/v3/bill")
    assert bills.ids == list(estate.bills)


def test_a_place_cannot_lie_in_itself(estate: Estate) -> None:
    """Neither directly nor below; the tree stays a tree. The root stays the root."""
    api, admin = estate.api, estate.admin
    first = estate.buildings[0]
    child = api(admin, "POST", "/api/v3/place", place_body(first, "IN")).body["placeId"]
    for parent in (first, child):
        answer = api(admin, "PUT", f"/api/v3/place/{first}", place_body(parent, "P1"))
        assert (answer.status, answer.field) == (400, "parentPlaceId")
    assert api(admin, "PUT", f"/api/v3/place/{estate.root}", place_body(first)).status == 400
    assert api(admin, "DELETE", f"/api/v3/place/{estate.root}").status == 400
    assert api(admin, "DELETE", f"/api/v3/place/{first}").status == 400


def test_another_datasource_is_another_world(estate: Estate) -> None:
    """The same topmosts and all permissions, in another datasource: nothing is there to see."""
    other = replace(estate.admin, user=replace(estate.admin.user, datasource_id=2))
    for name in LISTS:
        answer = estate.api(other, "GET", f"/api/v3/{name}")
        assert answer.body == []
        assert answer.headers is not None
        assert answer.headers["TotalNumberOfRecords"] == "0"
    for path in (
        f"/api/v3/place/{estate.root}",
        f"/api/v3/meter/{estate.meters[0]}",
        f"/api/v3/account/{estate.accounts[0]}",
        f"/api/v3/bill/{estate.bills[0]}",
    ):
        assert estate.api(other, "GET", path).status == 404
    assert estate.api(other, "POST", "/api/v3/place", place_body(estate.root)).status == 404
    assert estate.api(other, "GET", "/api/v3/vendor").body == []
    body = {"ids": list(estate.bills)}
    assert estate.api(other, "POST", "/api/v3/bill/delete", body).body["deleted"] == 0
    assert len(estate.api(estate.admin, "GET", "/api/v3/bill").body) == 2


def test_codes_of_others_are_not_found_out_by_a_conflict(estate: Estate) -> None:
    """A code is unique among siblings only: taken beside one another, free elsewhere."""
    api, here = estate.api, estate.here
    assert api(here, "POST", "/api/v3/meter", meter_body(estate.buildings[0], "M2")).status == 200
    again = api(here, "POST", "/api/v3/meter", meter_body(estate.buildings[0], "M2"))
    assert (again.status, again.field) == (409, "meterCode")


def test_codes_beside_ones_topmost_are_not_found_out_by_renaming_it(estate: Estate) -> None:
    """Taken and free codes are refused alike; who sees the parent renames, others change the rest.

    The code may change together with a move to where the siblings are reached.
    """
    api, path = estate.api, f"/api/v3/place/{estate.buildings[0]}"
    taken, free, same = (
        api(estate.here, "PUT", path, place_body(None, code)) for code in ("P2", "FREE", "P1")
    )
    assert taken == free
    assert (taken.status, taken.field, same.status) == (400, "placeCode", 200)
    assert api(estate.admin, "PUT", path, place_body(None, "P2")).status == 409
    assert api(estate.admin, "PUT", path, place_body(None, "FREE")).status == 200
    hidden = api(estate.here, "PUT", path, place_body(estate.root, "NEW"))
    assert hidden == api(estate.here, "PUT", path, place_body(999_999, "NEW"))
    both = principal(places=estate.buildings)
    moved = api(both, "PUT", path, place_body(estate.buildings[1], "MOVED"))
    assert moved.body["placeCode"] == "MOVED"


def test_the_engine_is_told_of_the_same_trees(estate: Estate) -> None:
    """`contains` and `describe`, which the engine asks when topmosts are given to a user."""
    app = estate.api.app
    first, second = estate.buildings
    assert app.contains(1, "places", estate.root, first)
    assert app.contains(1, "places", first, first)
    assert not app.contains(1, "places", first, second)
    assert not app.contains(2, "places", estate.root, first)
    assert not app.contains(1, "projects", estate.root, first)
    nodes = app.describe(1, "places", [second, 999_999, first])
    assert [(node.id, node.code) for node in nodes] == [(second, "P2"), (first, "P1")]
    assert app.describe(2, "places", [first]) == []
