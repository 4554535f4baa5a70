"""What a page costs as a portfolio grows, in steps of SQLite's machine: the same on any machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event

import keyhalt_energy
from keyhalt import AppContext
from tests.energy.estate import PROFILE, Api, principal, sized

SIZES = (200, 500), (2_000, 5_000)
Steps = Callable[..., int]


def counting(app: Any, meters: int, bills: int) -> Steps:
    """A portfolio of this size; calling the result asks it and tells the steps taken."""
    roots = app.load_sample(1, 1, **sized(meters=meters, bills=bills))[0]
    caller = principal(places=(roots["places"],), centers=(roots["costCenters"],))
    [building] = Api(app)(caller, "GET", "/api/v3/place", filter="placeCode equals 'B00003'").ids
    taken = 0

    def tick() -> int:
        nonlocal taken
        taken += 1
        return 0

    def watch(connection: Any) -> None:  # SQLAlchemy's own
        connection.connection.driver_connection.set_progress_handler(tick, 10)

    event.listen(app._store._engine, "begin", watch)
    totals = {"meter": meters, "bill": bills, "account": 1}

    def steps(noun: str, what: str) -> int:
        nonlocal taken
        path, query = f"/api/v3/{noun}", {"pageSize": "50"}
        if what == "last":
            query["pageNumber"] = str(totals[noun] // 50)
        elif what == "one":
            path, query = f"{path}/{building}", {}
        elif what != "first":
            query["filter"] = what
        taken = 0
        assert Api(app)(caller, "GET", path, **query).status == 200
        return taken

    return steps


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Steps]]:
    contexts = [AppContext(PROFILE, tmp_path_factory.mktemp("size")) for _ in SIZES]
    apps = [keyhalt_energy.app(context) for context in contexts]
    yield [counting(app, *size) for app, size in zip(apps, SIZES, strict=True)]
    for app in apps:
        app.close()


@pytest.mark.parametrize(
    ("noun", "what"),
    [
        ("meter", "first"),
        ("meter", "last"),
        ("meter", "meterCode equals 'M000077'"),
        ("meter", "placeCode equals 'B00003'"),
        ("meter", "topmostPlaceCode equals 'B00003'"),
        ("bill", "first"),
        ("bill", "last"),
        ("bill", "invoiceNumber equals '202607-7'"),
        ("bill", "accountInfo equals 'Electric, building 3'"),
        ("bill", "topmostPlaceCode equals 'B00003'"),
        ("account", "first"),
        ("place", "one"),
    ],
)
def test_a_page_costs_the_same_in_ten_times_the_portfolio(
    both: list[Steps], noun: str, what: str
) -> None:
    """At most twice the steps, with its total, and in truth about as many."""
    small, large = (steps(noun, what) for steps in both)
    assert 0 < large <= 2 * small
