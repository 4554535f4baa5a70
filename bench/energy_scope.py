"""What a page of meters or bills costs in a small and in a large portfolio, as ratios.

Run it from the checkout: `python -m bench.energy_scope` (100,000 meters and 1,000,000 bills against
1,000 and 10,000; some minutes to fill), or with `--meters` and `--bills` of your own. Each row is a
handler's whole work on SQLite: condition, total, rows and answer, for a caller that reaches all.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

import keyhalt_energy
from keyhalt import AppContext, Call, Principal, Reply
from keyhalt.config import load_profile
from keyhalt.core.audit import Origin
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import Credential, CredentialKind

RUNS = 15
RATIO_MAX = 2.0
LIKE_MS_MAX = 250
PAGE = 250
SMALL = 1_000, 10_000

Ask = Callable[[Mapping[str, str]], Reply]


def asks_of(folder: Path, meters: int, bills: int) -> dict[str, Ask]:
    """A portfolio of this size, and how its two lists are asked."""
    app = keyhalt_energy.app(AppContext(load_profile("energycap"), folder))
    start = perf_counter()
    roots = app.load_sample(1, 1, meters=meters, bills=bills)
    seconds = perf_counter() - start
    sys.stdout.write(f"{meters} meters and {bills} bills made in {seconds:.0f} s\n")
    caller = Principal(
        environment="Bench",
        datasource_id=1,
        datasource="bench",
        user_id=1,
        user_code="bench",
        full_name="Bench",
        email="",
        role_id=1,
        role_name="all",
        permissions=PermissionSet(0),
        topmosts={name: (roots[name],) for name in ("places", "costCenters")},
        credential=Credential(CredentialKind.KEY, 1),
    )
    origin = Origin(request_id="r", source="127.0.0.1", operation="bench")
    handlers = {row.name: row.handler for row in app.operations()}

    def ask(name: str) -> Ask:
        def asked(query: Mapping[str, str]) -> Reply:
            reply = handlers[name](Call(caller, {}, query, None, origin))
            assert isinstance(reply, Reply), reply
            return reply

        return asked

    return {"meter": ask("GetMetersV3"), "bill": ask("GetBillsV3")}


def queries(noun: str, total: int) -> dict[str, dict[str, str]]:
    indexed, like = {
        "meter": ("meterCode equals 'M000777'", "meterInfo like 'gas meter 2'"),
        "bill": ("invoiceNumber equals '202601-7'", "invoiceNumber like '-77'"),
    }[noun]
    return {
        "first page": {},
        "last page": {"pageNumber": str(-(-total // PAGE))},
        "by an indexed field": {"filter": indexed},
        "like": {"filter": like},
    }


def milliseconds(ask: Ask, query: Mapping[str, str]) -> float:
    ask(query)
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        ask(query)
        times.append((perf_counter() - start) * 1000)
    return median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=100_000)
    parser.add_argument("--bills", type=int, default=1_000_000)
    size = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = [(*SMALL,), (size.meters, size.bills)]
        both = [asks_of(Path(folder) / str(meters), meters, bills) for meters, bills in sizes]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sys.stdout.write(f"\n{'milliseconds':28}{'small':>10}{'large':>10}{'ratio':>8}\n")
        for index, noun in enumerate(("meter", "bill")):
            totals = [counts[index] for counts in sizes]
            asked = [queries(noun, total) for total in totals]
            for label in asked[0]:
                pairs = zip(both, asked, strict=True)
                small, large = (milliseconds(asks[noun], query[label]) for asks, query in pairs)
                row = f"{noun}, {label}"
                sys.stdout.write(f"{row:28}{small:10.1f}{large:10.1f}{large / small:8.2f}\n")
                over = large > LIKE_MS_MAX if label == "like" else large / small > RATIO_MAX
                failed += [row] if over else []
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        sys.stdout.write(f"\nmemory grown while asking: {grown / 1024:.0f} MiB\n")
    sys.stdout.write(f"over the limit: {', '.join(failed) or 'none'}\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
