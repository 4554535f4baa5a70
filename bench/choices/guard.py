"""What a look at the guard costs on SQLite, beside pages that processes could share.

    python bench/choices/guard.py [--json FILE]

The guard is a connection that runs `PRAGMA data_version`. Beside it: a word of a mapped page, as
writers of our own could keep it, and the header of SQLite's own wal-index, mapped, which every
commit of every program rewrites. Then how many locks the process holds on the wal-index, before and
after a second descriptor of it is closed. Best of seven rounds, in nanoseconds.
"""

import argparse
import json
import mmap
import os
import sqlite3
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path

ROUNDS, CALLS, HEADER = 7, 50_000, 48
COMMIT = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('UPDATE t SET n = n + 1')"
)


def nanoseconds(look: Callable[[], object]) -> float:
    return min(timeit.repeat(look, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9


def locks_on(path: Path) -> int:
    """Of this process, as the kernel lists them."""
    wanted = (str(os.getpid()), str(path.stat().st_ino))
    lines = Path("/proc/locks").read_text().splitlines()
    fields = (line.split() for line in lines if "->" not in line)
    return sum((row[4], row[5].rpartition(":")[2]) == wanted for row in fields)


def measure(folder: Path) -> dict[str, float]:
    store = folder / "rights.db"
    guard = sqlite3.connect(store, isolation_level=None)
    guard.execute("PRAGMA journal_mode = WAL")
    guard.execute("CREATE TABLE t (n)")
    guard.execute("INSERT INTO t VALUES (0)")
    index = folder / "rights.db-shm"
    found = {
        "PRAGMA data_version": nanoseconds(lambda: guard.execute("PRAGMA data_version").fetchone()),
        "SELECT 1": nanoseconds(lambda: guard.execute("SELECT 1").fetchone()),
    }
    with index.open("rb") as file:
        header = mmap.mmap(file.fileno(), HEADER, prot=mmap.PROT_READ)
        seen = header[:]
        found["wal-index header, mapped, compared"] = nanoseconds(lambda: header[:] == seen)
        page = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
        found["a word of a page of our own"] = nanoseconds(lambda: page[1])
        subprocess.run([sys.executable, "-c", f"{COMMIT}; c.commit()", store], check=True)
        assert header[:] != seen, "a commit of another process does not show"
        found["locks on the wal-index"] = locks_on(index)
    # `file` is closed here, and with it, as POSIX has it, every lock of the process on that file.
    found["the same, after a descriptor of it was closed"] = locks_on(index)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    for name, value in found.items():
        print(f"{name:48} {value:10,.0f}")
    if said.json:
        said.json.write_text(
            json.dumps({"sqlite": sqlite3.sqlite_version, **found}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
