"""For how long a system still accepts a key that was deleted, as its clients see it.

    python -m bench.staleness --create CMD --delete CMD --probe CMD [--probe CMD ...] [--rounds N]

Any system can be asked, by commands of the shell. `--create` makes a key and prints it, and its id
as a second word if that is another; `--delete` deletes {id}; each `--probe` ends with 0 when {key}
is accepted, with anything else when it is not. Name a probe for every process or machine that
answers. Each key is probed until all accept it, so that whatever they keep is kept; then it is
deleted, and probed until none of them does.

Two figures a round. What the delete took; and the bound: from the moment it returned to the last
probe that began later and was accepted, 0 if none was. Every answer that was wrong counts: the
probes go on for `--watch` seconds after the first refusal, since a cache may give a key back.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.figures import figure

Probe = Callable[[str], bool]
"""Given a key's text: whether it is accepted."""
ACCEPT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """`create` returns (text, id). `probes`: one for each process that answers."""

    create: Callable[[], tuple[str, str]]
    delete: Callable[[str], None]
    probes: Sequence[Probe]


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """Seconds. `delete`: until the delete returned. `bound`: how long after it was accepted still.

    `ended`: whether all refused it before the time to wait was over.
    """

    delete: float
    bound: float
    accepted: int
    ended: bool


def one_round(system: System, *, wait: float, watch: float) -> Staleness:
    """Raises OSError when a new key is not accepted everywhere."""
    text, key_id = system.create()
    for probe in system.probes:
        limit = time.monotonic() + ACCEPT_SECONDS
        while not probe(text):
            if time.monotonic() > limit:
                raise OSError("a new key is not accepted")
    began = time.monotonic()
    system.delete(key_id)
    returned = time.monotonic()
    with ThreadPoolExecutor(len(system.probes)) as pool:
        asked = [
            pool.submit(_until_refused, probe, text, returned + wait, watch)
            for probe in system.probes
        ]
        found = [each.result() for each in asked]
    return Staleness(
        delete=returned - began,
        bound=max(last - returned if count else 0.0 for last, count, _ in found),
        accepted=sum(count for _, count, _ in found),
        ended=all(refused for _, _, refused in found),
    )


def _until_refused(probe: Probe, text: str, limit: float, watch: float) -> tuple[float, int, bool]:
    """When the last accepted probe began, how many were, and whether it ended refused."""
    last, count, refused_at = 0.0, 0, None
    while True:
        now = time.monotonic()
        if probe(text):
            last, count, refused_at = now, count + 1, None
            if now > limit:
                return last, count, False
        else:
            refused_at = refused_at or now
            if now - refused_at >= watch:
                return last, count, True


def report(name: str, found: Sequence[Staleness]) -> dict[str, object]:
    """Print the figures of one system; what is written down of them."""
    deletes = sorted(each.delete * 1000 for each in found)
    bound = max(each.bound for each in found)
    ended = all(each.ended for each in found)
    more = "" if ended else " at least: it was still accepted when the wait was over"
    accepted = sum(each.accepted for each in found)
    print(
        f"{name:42} delete {figure(deletes).median:8.1f} ms, at most {deletes[-1]:8.1f} ms;"
        f" accepted afterwards for {bound:7.3f} s{more} ({accepted} times)"
    )
    return {
        "delete_ms": {"median": figure(deletes).median, "max": deletes[-1]},
        "bound_seconds": bound,
        "ended": ended,
        "accepted_after_delete": accepted,
        "rounds": len(found),
    }


def _run(command: str, **values: str) -> subprocess.CompletedProcess[str]:
    filled = command
    for name, value in values.items():
        filled = filled.replace("{" + name + "}", shlex.quote(value))
    return subprocess.run(["sh", "-c", filled], capture_output=True, text=True, check=False)


def of_commands(create: str, delete: str, probes: Sequence[str]) -> System:
    def make() -> tuple[str, str]:
        ran = _run(create)
        words = ran.stdout.split()
        if ran.returncode or not words:
            raise OSError(f"--create failed: {ran.stderr.strip()}")
        return words[0], words[-1]

    def end(key_id: str) -> None:
        ran = _run(delete, id=key_id)
        if ran.returncode:
            raise OSError(f"--delete failed: {ran.stderr.strip()}")

    def probe_of(command: str) -> Probe:
        return lambda text: not _run(command, key=text).returncode

    return System(create=make, delete=end, probes=[probe_of(each) for each in probes])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--create", required=True)
    parser.add_argument("--delete", required=True)
    parser.add_argument("--probe", required=True, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wait", type=float, default=60, help="seconds until it is given up")
    parser.add_argument("--watch", type=float, default=0.5, help="seconds that a refusal must last")
    options = parser.parse_args()
    system = of_commands(options.create, options.delete, options.probe)
    try:
        rounds = [
            one_round(system, wait=options.wait, watch=options.watch) for _ in range(options.rounds)
        ]
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    report("the system", rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
