"""What the audit log costs as it grows: `python -m bench.audit_rows [ROWS ...]`.

On both stores, on disk. Rows are linked by the store's own code and put in by the driver in bulk,
with what a row has in practice and request ids in no order; then, at each size: a change with its
row, the newest page of a datasource, the look-up of a request id, and how many rows a second
`audit verify` reads. Ten million take about five minutes a store and 12 GB in the folder of
temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from tests.postgres import EmbeddedServer

from bench.report import RESULTS
from bench.world import OPERATOR, ORIGIN, make_engine
from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.embed import Engine
from keyhalt.storage.audit import values_of
from keyhalt.storage.chain import SqlChain, link_of
from keyhalt.storage.columns import text_of
from keyhalt.storage.postgres import Database
from keyhalt.storage.schema import audit_event
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.rows import AuditQuery

SIZES = (10_000, 1_000_000, 10_000_000)
CHUNK = 100_000
TIMES = 200
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
MIXED = 0x9E3779B97F4A7C15
"""Odd, so that no two request ids are alike, and none stands beside the one before."""
NAMES = [each.name for each in audit_event.c]


def request_id(number: int) -> str:
    return f"{number * MIXED % 2**64:016x}"


def event_of(number: int) -> AuditEvent:
    return AuditEvent(
        event=Event.KEY_EDIT,
        at=FIRST + timedelta(seconds=7 * number),
        actor=Actor(f"user{number % 500}", number % 500, Credential(CredentialKind.TOKEN, number)),
        origin=Origin(request_id(number), f"10.0.{number % 200}.7", "PUT /api/v3/apiKey/12"),
        datasource_id=1 + number % 3,
        object_type="key",
        object_id=number % 10_000,
        details={"before": {"name": "Billing export"}, "after": {"name": f"Billing {number}"}},
    )


def rows_after(last: tuple[int, bytes], upto: int) -> Iterator[dict[str, Any]]:
    row_id, previous = last
    while row_id < upto:
        row_id += 1
        row: dict[str, Any] = {"id": row_id, **values_of(event_of(row_id))}
        link = link_of(previous, row)
        previous = link["hash"]
        yield {**row, **link, "details": json.dumps(row["details"])}


def put_in_sqlite(driver: sqlite3.Connection, rows: Iterator[dict[str, Any]]) -> None:
    places = ", ".join("?" * len(NAMES))
    sql = f"INSERT INTO audit_event ({', '.join(NAMES)}) VALUES ({places})"
    at = NAMES.index("at")

    def values() -> Iterator[list[Any]]:
        for row in rows:
            stored = [row[name] for name in NAMES]
            stored[at] = text_of(stored[at])
            yield stored

    driver.executemany(sql, values())


def put_in_postgres(driver: psycopg.Connection[Any], rows: Iterator[dict[str, Any]]) -> None:
    sql = f"COPY audit_event ({', '.join(NAMES)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(sql.encode()) as copy:
        for row in rows:
            copy.write_row([row[name] for name in NAMES])


def grow(engine: Engine, upto: int) -> None:
    """Up to so many rows; indexes are made anew, which is quicker than to keep them."""
    rights = engine.stores.rights
    on_postgres = rights.dialect.name == "postgresql"
    put_in = put_in_postgres if on_postgres else put_in_sqlite
    with transaction(rights, write=True) as connection:
        for index in audit_event.indexes:
            index.drop(connection)
    chain = SqlChain(rights)
    while (last := chain.head()) is not None and last[0] < upto:
        with transaction(rights, write=True) as connection:
            driver: Any = connection.connection.driver_connection
            put_in(driver, rows_after(last, min(upto, last[0] + CHUNK)))
    # As long as it takes: a statement of the product has a few seconds.
    with rights.connect() as connection:
        for index in audit_event.indexes:
            index.create(connection)
        connection.commit()
        if on_postgres:
            sequence = "SELECT setval(pg_get_serial_sequence('audit_event', 'id'), max(id))"
            connection.exec_driver_sql(f"{sequence} FROM audit_event")
            connection.exec_driver_sql("VACUUM ANALYZE audit_event")


def milliseconds(work: Callable[[int], object]) -> float:
    """The median of some."""
    took = []
    for number in range(TIMES):
        began = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def measure(engine: Engine) -> dict[str, float]:
    # What growing left to the disk would be waited for by the first that commit after it.
    os.sync()
    head = SqlChain(engine.stores.rights).head()
    assert head is not None
    rows = head[0]

    def append(number: int) -> None:
        with engine.rights.change() as tx:
            tx.record(event_of(rows + number))

    def page(_number: int) -> None:
        found = engine.read_audit(OPERATOR, AuditQuery(datasource_id=1, limit=50), ORIGIN)
        assert len(found) == 50 or rows < 200

    def look_up(number: int) -> None:
        asked = request_id(number * 7919 % rows + 1)
        query = AuditQuery(datasource_id=None, request_id=asked)
        assert engine.read_audit(OPERATOR, query, ORIGIN) or number * 7919 % rows < 10

    told = {
        "append_ms": milliseconds(append),
        "page_ms": milliseconds(page),
        "look_up_ms": milliseconds(look_up),
    }
    began = time.perf_counter()
    seen = engine.audit_chain.verify()
    told["verified_a_second"] = seen.rows / (time.perf_counter() - began)
    assert seen.findings == (), seen.findings
    return {"rows": seen.rows, **told}


@contextmanager
def stores() -> Iterator[Iterator[tuple[str, Database | None]]]:
    """By name, those that there are; on disk, where PostgreSQL has what it has by default."""
    with tempfile.TemporaryDirectory(prefix="keyhalt-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder))
        try:
            found = [
                ("SQLite", None),
                ("PostgreSQL", Database(server.create(), pool_size=2, statement_seconds=60)),
            ]
            yield iter(found)
        finally:
            server.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    said = parser.parse_args()
    told: list[dict[str, Any]] = []
    with stores() as each:
        for name, database in each:
            with tempfile.TemporaryDirectory() as folder:
                engine = make_engine(Path(folder), 1000, owners=10, database=database)
                for size in sorted(said.rows):
                    grow(engine, size)
                    told.append({"store": name, **measure(engine)})
                    print(told[-1], flush=True)
                engine.close()
    (RESULTS / "audit-rows.json").write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
