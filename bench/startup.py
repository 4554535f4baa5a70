"""How long `keyhalt --help` takes, and a server until it is ready on a store that exists.

python -m bench.startup [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from bench.figures import figure
from bench.loads import ROOT, free_port
from bench.world import make_engine

HELP_MAX_MS, READY_MAX_MS = 250, 1500


def bare_interpreter() -> float:
    return _run(sys.executable, "-c", "pass")


def help_text() -> float:
    return _run(sys.executable, "-m", "keyhalt", "--help")


def _run(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def ready(folder: Path) -> float:
    port = free_port()
    variables = {"KEYHALT_DATA": str(folder), "KEYHALT_INSECURE_HTTP": "true"}
    began = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, "-m", "keyhalt", "serve", "--port", str(port)],
        env={**os.environ, **variables},
        stderr=subprocess.DEVNULL,
    )
    try:
        while running.poll() is None:
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer,
            ):
                if answer.status == 200:
                    return (time.perf_counter() - began) * 1000
            time.sleep(0.005)
        raise OSError("the server ended")
    finally:
        running.terminate()
        running.wait(20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        make_engine(folder, memory_entries=1_000).close()
        found: dict[str, list[float]] = {"python": [], "help": [], "ready": []}
        for _ in range(options.rounds):
            found["python"].append(bare_interpreter())
            found["help"].append(help_text())
            found["ready"].append(ready(folder))
    result = {row: figure(times).median for row, times in found.items()}
    print(f"an interpreter that does nothing {result['python']:7.0f} ms")
    print(f"keyhalt --help                   {result['help']:7.0f} ms (at most {HELP_MAX_MS})")
    print(f"keyhalt serve, until ready       {result['ready']:7.0f} ms (at most {READY_MAX_MS})")
    (ROOT / "bench" / "results" / "startup.json").write_text(json.dumps(result, indent=1) + "\n")
    return int(result["help"] > HELP_MAX_MS or result["ready"] > READY_MAX_MS)


if __name__ == "__main__":
    sys.exit(main())
