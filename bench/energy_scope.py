"""What a page of a list costs in a small and in a large portfolio, as ratios.

`python -m bench.energy_scope --out bench/results/energy-scope.json`: 100,000 meters and 1,000,000
bills against 1,000 and 10,000; some minutes to fill. `make bench` runs a smaller one. Each row is a
handler's whole work on SQLite, total and answer included, for a caller that reaches all: processor
time, since nothing is waited for and other work on the machine must not count. Memory is that of a
process of its own that only asks.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import keyhalt_energy
from keyhalt import AppContext, Call, Principal, Reply
from keyhalt.config import load_profile
from keyhalt.core.audit import Origin
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, UserFacts

RUNS = 15
RATIO_MAX = 2.0
LIKE_MS_MAX = 250
MEMORY_MIB_MAX = 16
PAGE = 250
SMALL = 1_000, 10_000
OPERATIONS = {"meter": "GetMetersV3", "account": "GetAccountsV3", "bill": "GetBillsV3"}
FILTERS = {
    "meter": (
        "meterCode equals 'M000777'",
        "placeCode equals 'B00007'",
        "accountCode equals '{account}'",
        "topmostPlaceCode equals 'B00007'",
        "meterInfo like 'gas meter 2'",
        "accountCode like '77'",
    ),
    "account": ("accountCode equals '{account}'", "meterCode equals 'M000777'"),
    "bill": (
        "invoiceNumber equals '202601-7'",
        "accountId equals '77'",
        "accountCode equals '{account}'",
        "topmostPlaceCode equals 'B00007'",
        "invoiceNumber like '-7777'",
        "invoiceNumber like '-77'",
        "invoiceNumber like '5'",
        "controlCode like '77'",
        "accountCode like '77'",
        "accountInfo like 'building 7'",
        "batchCode like '2026'",
        "createdBy like 'sample'",
    ),
}

Ask = Callable[[str, Mapping[str, str]], Reply]


def opened(folder: Path) -> keyhalt_energy.energy.EnergyApp:
    return keyhalt_energy.app(AppContext(load_profile("energycap"), folder))


def fill(folder: Path, meters: int, bills: int) -> None:
    app = opened(folder)
    sizes = {"meters": meters, "bills": bills}
    start = perf_counter()
    app.load_sample(1, 1, sizes=sizes, progress=lambda _done, _whole: None)
    app.close()
    seconds, peak = perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{meters} meters and {bills} bills made in {seconds:.0f} s, {peak // 1024} MiB at most")


PART = {
    "bill": (
        "invoiceNumber like '-77'",
        "invoiceNumber like '5'",
        "batchCode like '2026'",
        "createdBy like 'sample'",
    ),
    "meter": ("accountCode like '77'",),
}
"""For one who reaches a third. Much passes most of these, and each is compared with the reach."""


def asking(folder: Path, top: int = 1) -> Ask:
    """Asks the lists of a portfolio, seeing from `top`: 1 is the root, 2 a third of all."""
    caller = Principal(
        "Bench",
        UserFacts(
            datasource_id=1,
            datasource="bench",
            user_id=1,
            user_code="bench",
            full_name="Bench",
            email="",
            role_id=1,
            role_name="all",
            permissions=PermissionSet(0),
            topmosts={"places": (top,), "costCenters": (top,)},
            active=True,
            datasource_active=True,
            sign_in_generation=0,
        ),
        Credential(CredentialKind.KEY, 1),
    )
    origin = Origin(request_id="r", source="127.0.0.1", operation="bench")
    handlers = {row.name: row.handler for row in opened(folder).operations()}

    def ask(noun: str, query: Mapping[str, str]) -> Reply:
        reply = handlers[OPERATIONS[noun]](Call(caller, {}, query, None, origin))
        assert isinstance(reply, Reply), reply
        return reply

    return ask


def queries(ask: Ask) -> dict[str, tuple[str, dict[str, str]]]:
    """By label, each as the list and the query."""
    first = ask("account", {"pageSize": "1"}).body
    assert isinstance(first, list)
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for noun, texts in FILTERS.items():
        total = int(dict(ask(noun, {"pageSize": "1"}).headers)["TotalNumberOfRecords"])
        found[f"{noun}: first page"] = noun, {}
        # The last that is full: of two that are not, the emptier one would seem the cheaper.
        found[f"{noun}: last page"] = noun, {"pageNumber": str(total // PAGE)}
        for text in texts:
            filled = text.format(account=first[0]["accountCode"])
            found[f"{noun}: {text.replace('{account}', '...')}"] = noun, {"filter": filled}
    return found


def milliseconds(ask: Ask, noun: str, query: Mapping[str, str]) -> float:
    ask(noun, query)
    times = []
    for _ in range(RUNS):
        start = process_time()
        ask(noun, query)
        times.append((process_time() - start) * 1000)
    return median(times)


def peak_of_asking(folder: Path) -> float:
    """MiB of a process that asks everything once."""
    command = [sys.executable, "-m", "bench.energy_scope", "--ask", str(folder)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(small: Path, large: Path) -> tuple[list[dict[str, object]], list[str]]:
    rows, over = [], []
    asks = asking(small), asking(large)
    both = [queries(ask) for ask in asks]
    print(f"\n{'milliseconds':44}{'small':>9}{'large':>9}{'ratio':>8}")
    for label in both[0]:
        quick, slow = (milliseconds(ask, *q[label]) for ask, q in zip(asks, both, strict=True))
        print(f"{label:44}{quick:9.1f}{slow:9.1f}{slow / quick:8.2f}")
        rows.append({"what": label, "small_ms": round(quick, 2), "large_ms": round(slow, 2)})
        if slow > LIKE_MS_MAX if " like " in label else slow / quick > RATIO_MAX:
            over.append(label)
    return rows, over


def measure_part(small: Path, large: Path) -> tuple[list[dict[str, object]], list[str]]:
    rows, over = [], []
    asks = asking(small, top=2), asking(large, top=2)
    for noun, texts in PART.items():
        for text in texts:
            label = f"a third of all, {noun}: {text}"
            quick, slow = (milliseconds(ask, noun, {"filter": text}) for ask in asks)
            print(f"{label:52}{quick:9.1f}{slow:9.1f}{slow / quick:8.2f}")
            rows.append({"what": label, "small_ms": round(quick, 2), "large_ms": round(slow, 2)})
            over += [label] if slow > LIKE_MS_MAX else []
    return rows, over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=100_000)
    parser.add_argument("--bills", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, help="write the figures here")
    parser.add_argument("--folder", type=Path, help="keep the portfolios here, and use them again")
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.ask:
        ask = asking(said.ask)
        for noun, query in queries(ask).values():
            ask(noun, query)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folders = []
        for meters, bills in (SMALL, (said.meters, said.bills)):
            folder = (said.folder or Path(scratch)) / f"{meters}-{bills}"
            if not folder.exists():
                fill(folder, meters, bills)
            folders.append(folder)
        small, large = folders
        rows, over = measure(small, large)
        part, over_part = measure_part(small, large)
        rows, over = rows + part, over + over_part
        peaks = [peak_of_asking(folder) for folder in folders]
    print(f"\na process that asks all of it takes {peaks[0]:.0f} MiB, and {peaks[1]:.0f} MiB")
    over += ["memory"] if peaks[1] - peaks[0] > MEMORY_MIB_MAX else []
    print(f"over the limit: {', '.join(over) or 'none'}")
    if said.out:
        result = {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "small": dict(zip(("meters", "bills"), SMALL, strict=True)),
            "large": {"meters": said.meters, "bills": said.bills},
            "rows": rows,
            "peak_mib": {"small": round(peaks[0], 1), "large": round(peaks[1], 1)},
        }
        said.out.write_text(json.dumps(result, indent=2) + "\n")
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())
