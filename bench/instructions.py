"""How many instructions a request takes, counted: the guard against getting slower unnoticed.

    python -m bench.instructions [--write]

Runs ways of bench/ways.py under valgrind's callgrind and compares with what was written down in
bench/results/instructions.json: 5 % more is a failure. A count says nothing of caches and of
waiting, but it is the same however busy the machine is. It is of one build of Python; elsewhere,
and where there is no valgrind, the comparison is left out, and why is said.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.loads import ROOT
from bench.ways import ways
from keyhalt.storage import recorder

RECORDED = ROOT / "bench" / "results" / "instructions.json"
COUNTED = (
    "middleware, barrier, good",
    "middleware, guarded, good",
    "forward-auth, barrier, good",
    "middleware, barrier, malformed",
    "middleware, barrier, deleted",
    "forward-auth, barrier, forged",
)
MORE_MAX = 0.05
FEW, MANY = 200, 1_200
"""Requests of two counts, whose difference has nothing of what surrounds them."""
NEVER_SECONDS = 3600.0
_GO = "\n"


def build() -> str:
    """What a count is of: these decide which instructions run."""
    words = (platform.python_implementation(), platform.python_version(), platform.machine())
    return ", ".join((*words, ssl.OPENSSL_VERSION))


def compared(
    recorded: Mapping[str, float], counted: Mapping[str, float]
) -> tuple[list[str], list[str]]:
    """A line for each, and the names of those that got too slow."""
    lines, slower = [], []
    for name, count in counted.items():
        before = recorded.get(name)
        if before is None:
            lines.append(f"{name:36} {count:10,.0f} instructions, never recorded")
            continue
        more = count / before - 1
        lines.append(f"{name:36} {count:10,.0f} instructions, {more:+.1%}")
        if count > before * (1 + MORE_MAX):
            slower.append(name)
    return lines, slower


def serve() -> None:
    """The counted process: at each line that comes, one more batch of requests."""
    # A batch that is written meanwhile would begin a new one, whose first denials are kept whole.
    recorder.EVERY_SECONDS = NEVER_SECONDS
    with ways() as found:
        chosen = {name: found[name] for name in COUNTED}
        for way in chosen.values():
            asyncio.run(way.check())
            asyncio.run(way.run(FEW))
        gc.collect()
        gc.freeze()
        gc.disable()
        for way in chosen.values():
            for calls in (FEW, MANY):
                _say_and_wait()
                asyncio.run(way.run(calls))
        _say_and_wait()


def _say_and_wait() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def count(folder: Path) -> dict[str, float]:
    """Instructions a request, by way. Raises OSError where it cannot be counted."""
    out = folder / "callgrind.out"
    # Of the first thread only: what others write in the background comes when it comes.
    command = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes")
    with subprocess.Popen(
        [
            *command,
            f"--callgrind-out-file={out}",
            sys.executable,
            "-m",
            "bench.instructions",
            "serve",
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None

        def step() -> None:
            if running.stdout.readline() != "ready\n":
                raise OSError("the counted process ended too early")

        def go() -> None:
            running.stdin.write(_GO)
            running.stdin.flush()

        step()
        _control(running.pid, "-i", "on")
        counts = {}
        dumps = 0
        for name in COUNTED:
            totals = []
            for _ in (FEW, MANY):
                _control(running.pid, "-z")
                go()
                step()
                _control(running.pid, "-d")
                dumps += 1
                totals.append(_total(out.with_name(f"{out.name}.{dumps}-01")))
            counts[name] = (totals[1] - totals[0]) / (MANY - FEW)
        go()
    return counts


def _control(pid: int, *words: str) -> None:
    ran = subprocess.run(
        ["callgrind_control", *words, str(pid)], capture_output=True, text=True, check=False
    )
    if ran.returncode or "OK" not in ran.stdout:
        raise OSError(f"callgrind_control {words[0]}: {ran.stderr.strip() or ran.stdout.strip()}")


def _total(dump: Path) -> int:
    for line in dump.read_text().splitlines():
        if line.startswith(("totals:", "summary:")) and line.split()[1] != "0":
            return int(line.split()[1])
    raise OSError(f"{dump.name} has no total")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("serve",), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write down anew what is counted")
    said = parser.parse_args()
    if said.what == "serve":
        serve()
        return 0
    if shutil.which("valgrind") is None or shutil.which("callgrind_control") is None:
        print("instructions: not counted, there is no valgrind here")
        return 0
    recorded = (
        json.loads(RECORDED.read_text()) if RECORDED.exists() else {"build": "", "counts": {}}
    )
    if recorded["build"] != build() and not said.write:
        print(f"instructions: not compared, recorded for {recorded['build']}; this is {build()}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        counted = count(Path(folder))
    lines, slower = compared(recorded["counts"], counted)
    print("\n".join(lines))
    if said.write:
        text = json.dumps({"build": build(), "counts": counted}, indent=1)
        RECORDED.write_text(text + "\n")
        return 0
    if slower:
        print(f"more than {MORE_MAX:.0%} above what is recorded: {', '.join(slower)}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
