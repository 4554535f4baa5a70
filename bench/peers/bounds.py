"""For how long each contender still accepts a deleted key, with two processes on one store.

    python -m bench.peers.bounds [--rounds N] [--wait SECONDS] [--only WORD]

A key is made and deleted in one process and probed in both (`bench.staleness` says how).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.database import Counting, counting_server
from bench.loads import ROOT
from bench.peers.contenders import ALL, Contender, MissingError, started
from bench.peers.keys import GOOD, Key, ask, delete, make
from bench.staleness import Probe, System, one_round, report


def measured() -> list[Contender]:
    """Each that has a delete; of Keyhalt, one form for each store. keyshield, deactivating, too."""
    found = []
    for each in ALL:
        if each.folder in {"bare", "pyjwt"} or "forward-auth" in each.name:
            continue
        found.append(each)
        if each.arguments == ("cached",):
            name = f"{each.name}, key deactivated"
            found.append(replace(each, name=name, arguments=("cached", "deactivate")))
    return found


def system_of(contender: Contender, ports: list[int]) -> System:
    keys: dict[str, Key] = {}

    def create() -> tuple[str, str]:
        key = make(ports[0])
        keys[key.id] = keys[key.texts[GOOD]] = key
        return key.texts[GOOD], key.id

    def probe_of(port: int) -> Probe:
        def probe(text: str) -> bool:
            headers = {**contender.headers, keys[text].header: text}
            return ask("GET", port, contender.path, headers)[0] == 200

        return probe

    return System(
        create=create,
        delete=lambda key_id: delete(ports[0], keys[key_id]),
        probes=[probe_of(port) for port in ports],
    )


def bound_of(
    contender: Contender, server: Counting | str, folder: Path, options: argparse.Namespace
) -> dict[str, object] | None:
    with ExitStack() as stack:
        try:
            if contender.database and isinstance(server, str):
                raise MissingError(server)  # noqa: TRY301
            url = server.create() if contender.database and not isinstance(server, str) else ""
            # nginx has both of its processes behind one port.
            count = 1 if contender.needs == "nginx" else 2
            ports = [stack.enter_context(started(contender, url, folder))[0] for _ in range(count)]
            system = system_of(contender, ports)
            rounds = [
                one_round(system, wait=options.wait, watch=0.5) for _ in range(options.rounds)
            ]
        except (MissingError, OSError) as error:
            print(f"left out: {contender.name}: {error}")
            return None
    return report(contender.name, rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wait", type=float, default=20, help="seconds until it is given up")
    parser.add_argument("--only", default="", help="contenders whose names have this word")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    options = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(counting_server())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = {
            each.name: bound_of(each, server, folder / str(number), options)
            for number, each in enumerate(measured())
            if options.only in each.name
        }
    (options.out / "bounds.json").write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
