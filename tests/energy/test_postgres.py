"""The energy API's schema in a PostgreSQL database: its own, and honest when the server is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import keyhalt_energy
from keyhalt import AppContext, Call, Denied, Reason
from keyhalt_energy.sample_bills import write_numbered
from keyhalt_energy.schema import metadata, vendor
from tests.energy.estate import ORIGIN, Api, Estate, place_body, principal, sized
from tests.postgres import OwnServer, Server
from tests.world import until


@pytest.fixture
def store() -> str:
    return "postgresql"


def test_all_that_is_made_lies_in_a_schema_of_its_own(api: Api, empty: AppContext) -> None:
    """Its tables and its line of versions; nothing in `public`, where Keyhalt's are."""
    assert api.app.operations()
    with psycopg.connect(str(empty.database_url)) as connection:
        query = (
            b"select schemaname, tablename from pg_tables where schemaname !~ '^(pg_|information)'"
        )
        found = set(connection.execute(query))
    assert found == {("energy", name) for name in (*metadata.tables, "alembic_version")}
    assert list((empty.folder or Path()).iterdir()) == []


def test_who_may_only_use_the_tables_opens_them(
    estate: Estate, where: AppContext, postgres: Server
) -> None:
    """Once the schema is there, no right to make anything is needed; an upgrade asks for one."""
    role = "energy_user"
    with psycopg.connect(str(where.database_url), autocommit=True) as admin:
        for statement in (
            f"drop role if exists {role}",
            f"create role {role} login",
            f"grant usage on schema energy to {role}",
            f"grant select, insert, update, delete on all tables in schema energy to {role}",
            f"grant usage on all sequences in schema energy to {role}",
        ):
            admin.execute(statement.encode())
        url = make_url(str(where.database_url)).set(username=role, password=None)
        least = url.render_as_string(hide_password=False)
        app = keyhalt_energy.app(replace(where, database_url=least))
        try:
            made = Api(app)(estate.admin, "POST", "/api/v3/place", place_body(estate.root, "L"))
            assert made.status == 200
        finally:
            app.close()
            admin.execute(f"drop owned by {role}".encode())
            admin.execute(f"drop role {role}".encode())


def test_a_writer_that_stands_still_is_waited_for_only_so_long(
    estate: Estate, where: AppContext
) -> None:
    """Unavailable, to be tried again in a second; a read goes on, and so does the next writer."""
    other = keyhalt_energy.app(replace(where, database_statement_seconds=0.5))
    api = Api(other)
    with psycopg.connect(str(where.database_url)) as still:
        still.execute(b"select pg_advisory_xact_lock(%d)" % 0x656E6572)
        row, _ = api.row("POST", "/api/v3/place")
        body = row.body.model_validate(place_body(estate.root, "W"))
        answer = row.handler(Call(estate.admin, {}, {}, body, ORIGIN))
        assert answer == Denied(Reason.UNAVAILABLE, retry_after_seconds=1)
        assert api(estate.admin, "GET", "/api/v3/place").status == 200
    assert api(estate.admin, "POST", "/api/v3/place", place_body(estate.root, "W")).status == 200
    other.close()


def test_a_new_node_never_gets_an_id_that_the_sample_used(api: Api) -> None:
    """The sample numbers its rows itself; what is made after it goes on behind."""
    roots = api.app.load_sample(1, 1, **sized(meters=20, bills=60))[0]
    caller = principal(places=(roots["places"],), centers=(roots["costCenters"],))
    used = api(caller, "GET", "/api/v3/place").ids
    made = api(caller, "POST", "/api/v3/place", place_body(roots["places"], "NEW"))
    assert made.body["placeId"] == max(used) + 1


def test_more_rows_than_are_written_at_once_are_numbered_on(api: Api) -> None:
    """Large samples write thousands of rows of a kind in several pieces."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    by = {"by_id": 1, "by_code": "c", "by_name": "n", "at": at}
    made = {f"{verb}_{name}": each for verb in ("created", "modified") for name, each in by.items()}
    rows = ({"datasource_id": 1, "code": f"{n}", "info": "i", **made} for n in range(5_002))
    with api.app._store.bulk() as connection:
        ids = write_numbered(connection, vendor, rows)
    assert ids == list(range(ids[0], ids[0] + 5_002))


def test_the_sample_leaves_statistics_of_its_tables(api: Api, empty: AppContext) -> None:
    """So a query is planned by what there is, from the first request on."""
    api.app.load_sample(1, 1, **sized(meters=200, bills=2_000))
    with psycopg.connect(str(empty.database_url)) as connection:
        query = b"select relname, reltuples from pg_class where relname in ('bill', 'meter')"
        counted = dict(connection.execute(query).fetchall())
        connection.execute(b"set search_path = energy")
        plan = connection.execute(
            b"explain select id from bill where datasource_id = 1"
            b" and lower(invoice_number) = lower('202607-7')"
        ).fetchall()
    assert counted == {"bill": 2_000, "meter": 200}
    assert "ix_bill_lower_invoice_number" in str(plan)


@pytest.fixture
def own_server(postgres: Server) -> Iterator[OwnServer]:
    if not isinstance(postgres, OwnServer):
        pytest.skip("the server is not ours to stop")
    yield postgres
    postgres.start()


def test_a_server_that_is_away_is_said_to_be_so_and_its_return_is_noticed(
    estate: Estate, where: AppContext, own_server: OwnServer
) -> None:
    """503 for reads and changes, no exception; then all goes on, and nothing is half-written."""
    app = keyhalt_energy.app(replace(where, database_statement_seconds=1.0))
    api = Api(app)
    before = api(estate.admin, "GET", "/api/v3/place").ids
    own_server.stop()
    for _ in range(2):
        read = api(estate.admin, "GET", "/api/v3/place")
        written = api(estate.admin, "POST", "/api/v3/place", place_body(estate.root, "A"))
        assert [(a.status, a.why) for a in (read, written)] == [(503, "unavailable")] * 2
    own_server.start()
    until(lambda: api(estate.admin, "GET", "/api/v3/place").status == 200)
    assert api(estate.admin, "GET", "/api/v3/place").ids == before
    assert api(estate.admin, "POST", "/api/v3/place", place_body(estate.root, "A")).status == 200
    app.close()
