"""What is kept: counts that stay right, a file that is private, sample data that is the same."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

import keyhalt_energy
from keyhalt import AppContext
from keyhalt_energy import tallies
from keyhalt_energy.sample import NotEmptyError
from keyhalt_energy.schema import cost_center, metadata, place, place_above
from tests.energy.estate import (
    PROFILE,
    Api,
    Estate,
    account_body,
    bill_body,
    meter_body,
    meter_edit,
    place_body,
    principal,
    sized,
)

SQLITE = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["place", "meter", "move place", "move meter", "move account", "bill"]),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
@given(steps=STEPS)
def test_counts_and_branches_stay_right_whatever_happens(estate: Estate, steps: list[Step]) -> None:
    """After any creates, moves and deletes they are what counting anew finds."""
    for index, step in enumerate(steps):
        take(estate, step, f"{index}-{abs(hash(step)) % 10**6}")
    with estate.api.app._store.write() as connection:
        counted = [
            connection.execute(select(place.c.id, place.c.meters_below).order_by(place.c.id)).all(),
            connection.execute(
                select(
                    cost_center.c.id, cost_center.c.accounts_below, cost_center.c.bills_below
                ).order_by(cost_center.c.id)
            ).all(),
        ]
        tallies.recount(connection, 1)
        again = [
            connection.execute(select(place.c.id, place.c.meters_below).order_by(place.c.id)).all(),
            connection.execute(
                select(
                    cost_center.c.id, cost_center.c.accounts_below, cost_center.c.bills_below
                ).order_by(cost_center.c.id)
            ).all(),
        ]
        pairs = connection.execute(select(place_above.c.node_id, place_above.c.above_id)).all()
        above = {(row[0], row[1]) for row in pairs}
        parents = dict(iter(connection.execute(select(place.c.id, place.c.parent_id))))
    assert counted == again
    assert above == {(node, over) for node in parents for over in chain(parents, node)}


def chain(parents: dict[int, int | None], node: int | None) -> list[int]:
    found = []
    while node is not None:
        found.append(node)
        node = parents[node]
    return found


def take(estate: Estate, step: Step, code: str) -> None:
    """One step; some are refused, such as a place into itself, and must change nothing."""
    what, first, second = step
    api, admin = estate.api, estate.admin
    places = api(admin, "GET", "/api/v3/place").ids
    meters = api(admin, "GET", "/api/v3/meter").ids
    here, there = places[first % len(places)], places[second % len(places)]
    meter = meters[first % len(meters)]
    account, center = estate.accounts[first % 2], estate.centers[second % 2]
    if what == "place":
        api(admin, "POST", "/api/v3/place", place_body(here, code))
    elif what == "meter":
        api(admin, "POST", "/api/v3/meter", meter_body(here, code))
    elif what == "move place":
        api(admin, "PUT", f"/api/v3/place/{here}", place_body(there, code))
        api(admin, "DELETE", f"/api/v3/place/{there}")
    elif what == "move meter":
        api(admin, "PUT", f"/api/v202307/meter/{meter}", meter_edit(there, code))
    elif what == "move account":
        body = account_body(center, estate.vendor, code)
        api(admin, "PUT", f"/api/v3/account/{account}", body)
    else:
        bill = api(admin, "POST", "/api/v3/bill", bill_body(account, None)).body["billId"]
        if second % 2:
            api(admin, "POST", "/api/v3/bill/delete", {"ids": [bill, 999_999]})


def test_processes_may_open_the_same_new_store_at_once(empty: AppContext) -> None:
    """Each finds the schema made, whoever made it."""
    url = empty.database_url
    code = (
        "import sys; from pathlib import Path; import keyhalt_energy\n"
        "from keyhalt import AppContext\n"
        "from tests.energy.estate import PROFILE\n"
        "url = sys.argv[2] or None\n"
        "keyhalt_energy.app(AppContext(PROFILE, Path(sys.argv[1]), url)).close()\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(empty.folder), url or ""]
    opening = [subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE) for _ in range(4)]
    assert [(each.communicate()[1], each.returncode) for each in opening] == [(b"", 0)] * 4


@SQLITE
def test_the_file_is_private_and_in_wal_mode(api: Api, tmp_path: Path) -> None:
    """Only its user reads it; readers do not wait for writers."""
    assert api.app.operations()
    for path in tmp_path.glob("energy.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = sqlite3.connect(tmp_path / "energy.db")
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_migrations_make_the_schema_that_the_code_has(api: Api) -> None:
    """Nothing is missing and nothing is left over; opening again changes nothing."""
    with api.app._store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        with warnings.catch_warnings():
            # SQLite cannot tell what an index on an expression is over; it is looked for below.
            warnings.simplefilter("ignore")
            assert compare_metadata(context, metadata) == []
        catalogue = {
            "sqlite": "select name from sqlite_master where type = 'index'",
            "postgresql": "select indexname from pg_indexes where schemaname = 'energy'",
        }
        indexes = connection.exec_driver_sql(catalogue[connection.dialect.name])
        assert {"ix_meter_lower_code", "ix_bill_lower_invoice_number"} <= set(indexes.scalars())


@SQLITE
def test_opening_again_writes_nothing_and_takes_no_statistics(
    estate: Estate, tmp_path: Path
) -> None:
    """SQLite is told once, by a migration, what is typical; of every index of the large tables."""
    before = (tmp_path / "energy.db").read_bytes()
    with estate.api.app._store.read() as connection:
        told = dict(iter(connection.exec_driver_sql("select idx, stat from sqlite_stat1")))
        indexes = connection.exec_driver_sql(
            "select name from sqlite_master where type = 'index' and tbl_name in"
            " (select tbl from sqlite_stat1)"
        )
        without_rowid = {"place_above", "cost_center_above"}
        assert set(indexes.scalars()) | without_rowid == set(told)
    keyhalt_energy.app(AppContext(PROFILE, tmp_path)).close()
    estate.api.app.close()
    assert (tmp_path / "energy.db").read_bytes() == before
    assert all(stat.split()[1] in ("1000", "100") for stat in told.values())


def test_what_was_written_is_there_after_opening_again(estate: Estate, where: AppContext) -> None:
    """Two apps on one store, as two processes have it, see the same."""
    other = keyhalt_energy.app(where)
    assert len(Api(other)(estate.admin, "GET", "/api/v3/bill").body) == 2
    other.close()


@SQLITE
def test_a_busy_database_is_said_to_be_so(estate: Estate, tmp_path: Path) -> None:
    """Unavailable, to be tried again; a read goes on."""
    connection = sqlite3.connect(tmp_path / "energy.db", isolation_level=None)
    connection.execute("begin immediate")
    answer = estate.api(estate.admin, "POST", "/api/v3/place", place_body(estate.root, "W"))
    assert (answer.status, answer.why) == (503, "unavailable")
    assert estate.api(estate.admin, "GET", "/api/v3/place").status == 200
    connection.execute("rollback")
    connection.close()


def test_the_sample_is_the_same_each_time_and_made_once(tmp_path: Path) -> None:
    """All but nothing: ids in a fresh file included. A second time in a datasource is refused."""
    seen = []
    for name in ("a", "b"):
        app = keyhalt_energy.app(AppContext(PROFILE, tmp_path / name))
        roots = app.load_sample(1, 1, **sized(meters=20, bills=144))[0]
        caller = principal(places=(roots["places"],), centers=(roots["costCenters"],))
        api = Api(app)
        nouns = ("place", "meter", "costcenter", "vendor", "account", "bill")
        seen.append([api(caller, "GET", f"/api/v3/{noun}").body for noun in nouns])
        with pytest.raises(NotEmptyError):
            app.load_sample(1, 1, **sized())
        assert app.load_sample(2, 1, **sized(meters=0, bills=0))[0]["places"] != roots["places"]
        app.close()
    assert seen[0] == seen[1]
    assert len(seen[0][1]) == 20
    assert len(seen[0][0]) == 12


def test_the_sample_scales_and_tells_how_far_it_is(api: Api) -> None:
    """A university of 40 buildings, 200 meters and about 36 months of bills."""
    told: list[tuple[int, int]] = []
    views = api.app.load_sample(1, 1, sizes={}, progress=lambda *how_far: told.append(how_far))
    totals = []
    for view in views:
        caller = principal(places=(view["places"],), centers=(view["costCenters"],))
        for noun in ("place", "meter", "bill"):
            headers = api(caller, "GET", f"/api/v3/{noun}", pageSize="1").headers
            assert headers is not None
            totals.append(int(headers["TotalNumberOfRecords"]))
    assert totals[:3] == [44, 200, 7200]
    assert 0 < totals[7] < totals[4] < 200
    assert 0 < totals[8] < totals[5] < 7200
    assert told == sorted(told)
    assert told[-1] == (7400, 7400)


def test_a_sample_that_cannot_be_is_refused_and_nothing_is_written(api: Api) -> None:
    """With a sentence for who asked."""
    for sizes, says in (
        ({"meters": 0, "bills": 1}, "there must be meters"),
        ({"meters": -1}, "fewer than 0"),
        ({"meters": 2, "bills": 10_000}, "at most 3000"),
    ):
        with pytest.raises(ValueError, match=says):
            api.app.load_sample(1, 1, **sized(**sizes))
    everybody = principal(places=(1,), centers=(1,))
    assert api(everybody, "GET", "/api/v3/place").body == []
