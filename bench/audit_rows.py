"""What the audit log costs as it grows: `python -m bench.audit_rows [ROWS ...]`.

Rows are made by the store's own code for links and put in in bulk; then, at each size: a change
with its row, the newest page of a datasource, the look-up of a request id, and how many rows a
second `audit verify` reads. On SQLite, with what a row has in practice. With `--seconds` it grows
until so much time has passed, and says how far it came.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench.report import RESULTS
from bench.world import OPERATOR, ORIGIN, make_engine
from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.embed import Engine
from keyhalt.storage.audit import values_of
from keyhalt.storage.chain import SqlChain, link_of
from keyhalt.storage.schema import audit_event
from keyhalt.storage.transactions import transaction
from keyhalt.usecases.rows import AuditQuery

SIZES = (10_000, 1_000_000)
CHUNK = 50_000
TIMES = 200
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def event_of(number: int) -> AuditEvent:
    return AuditEvent(
        event=Event.KEY_EDIT,
        at=FIRST + timedelta(seconds=7 * number),
        actor=Actor(f"user{number % 500}", number % 500, Credential(CredentialKind.TOKEN, number)),
        origin=Origin(f"{number:016x}", f"10.0.{number % 200}.7", "PUT /api/v3/apiKey/12"),
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
        yield {**row, **link}


def grow(engine: Engine, upto: int, until: float) -> int:
    """How many rows there are then."""
    chain = SqlChain(engine.stores.rights)
    while time.monotonic() < until:
        last = chain.head()
        assert last is not None
        if last[0] >= upto:
            return last[0]
        with transaction(engine.stores.rights, write=True) as connection:
            some = list(rows_after(last, min(upto, last[0] + CHUNK)))
            connection.execute(insert(audit_event), some)
    last = chain.head()
    return last[0] if last else 0


def milliseconds(work: Callable[[int], object]) -> float:
    """The median of some."""
    took = []
    for number in range(TIMES):
        began = time.perf_counter()
        work(number)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def measure(engine: Engine, rows: int) -> dict[str, float]:
    def append(number: int) -> None:
        with engine.rights.change() as tx:
            tx.record(event_of(rows + number))

    def page(_number: int) -> None:
        found = engine.read_audit(OPERATOR, AuditQuery(datasource_id=1, limit=50), ORIGIN)
        assert len(found) == 50 or rows < 200

    def look_up(number: int) -> None:
        asked = f"{(number * 7919) % rows + 1:016x}"
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--seconds", type=float, default=3600.0)
    said = parser.parse_args()
    told = []
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(Path(folder), 1000, owners=10)
        until = time.monotonic() + said.seconds
        for size in sorted(said.rows):
            came = grow(engine, size, until)
            told.append(measure(engine, came))
            print({name: round(value, 2) for name, value in told[-1].items()}, flush=True)
            if came < size:
                print(f"only {came:,} of {size:,} rows in {said.seconds:.0f} s")
                break
        engine.close()
    (RESULTS / "audit-rows.json").write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
