"""A remembered key in both forms, in process: `python -m bench.remembered`.

Verified and authorized, beside a bare SHA-256 and dictionary look-up at the same number of keys, in
one run, interleaved; in guarded form beside a bare `PRAGMA data_version`, too. In barrier form the
lease is held by hand, on the clock that a process on PostgreSQL uses; all else is the product's.
Bytes are what the process grew by when the keys were remembered, their texts not included.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.world import make_engine, make_keys
from keyhalt.core.decisions import Allowed, Presented, permit
from keyhalt.core.freshness import Entry, Freshness, Memory, Tag, imprint_of
from keyhalt.core.leases import Page
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.embed import Engine
from keyhalt.storage.sqlite import open_file
from keyhalt.system.clock import boottime
from keyhalt.usecases.verify import Verify

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 21
CALLS = 4_000
RATIO_MAX, BYTES_MAX = 2.0, 400
OWNERS = 1_000
OVER_HTTPS = True
LEASE_SECONDS = 3600
Batch = Callable[[list[bytes]], None]


def verifier(engine: Engine, freshness: Freshness, memory: Memory) -> Verify:
    return Verify(
        reader=engine.verifying.reader,
        memory=memory,
        freshness=freshness,
        here=engine.here,
        catalogue=engine.profile.catalogue,
        recorder=engine.recorder,
        use=engine.use_recorder,
        clock=engine.clock,
        find_in_url=lambda _query: None,
    )


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def remember(engine: Engine, memory: Memory, tag: Tag, texts: list[bytes]) -> float:
    """Fill the memory as reading would. Returns the bytes that it grew by, for each key."""
    first = engine.verify.remembered(texts[0], OVER_HTTPS)
    assert isinstance(first, Principal)
    owners = [replace(first.user, user_id=1_000_000 + number) for number in range(OWNERS)]
    gc.collect()
    before = resident()
    for number, text in enumerate(texts):
        # As if read: numbers of its own, an owner that other keys share.
        credential = Credential(CredentialKind.KEY, number + 10_000)
        who = Principal(first.environment, owners[number % OWNERS], credential)
        memory.keep(imprint_of(text), Entry(who, tag, boottime()))
    gc.collect()
    return (resident() - before) / len(texts)


def looked_up(texts: list[bytes]) -> Batch:
    """The bare look-up: SHA-256 and a dictionary."""
    plain = {hashlib.sha256(text).digest(): object() for text in texts}

    def batch(some: list[bytes]) -> None:
        for text in some:
            plain.get(hashlib.sha256(text).digest())

    return batch


def answered(verify: Verify, engine: Engine) -> Batch:
    need = engine.profile.catalogue.need("meters", "view")
    remembered = verify.remembered

    def batch(some: list[bytes]) -> None:
        for text in some:
            principal = remembered(text, OVER_HTTPS)
            assert permit(principal, need) is None

    return batch


def pragma(engine: Engine) -> Batch:
    guard = open_file(engine.stores.rights_path)

    def batch(some: list[bytes]) -> None:
        for _ in some:
            # Run to its end, as the guard must.
            ((_,),) = guard.execute("PRAGMA data_version")

    return batch


def measure(
    batches: dict[str, Batch], texts: list[bytes]
) -> tuple[dict[str, float], dict[str, float]]:
    """Microseconds of each, the median of the rounds; of those beside the first, their ratios."""
    took: dict[str, list[float]] = {name: [] for name in batches}
    for turn in range(ROUNDS):
        for number, (name, batch) in enumerate(batches.items()):
            some = random.Random(turn * 10 + number).sample(texts, min(CALLS, len(texts)))
            start = time.perf_counter_ns()
            batch(some)
            took[name].append((time.perf_counter_ns() - start) / len(some) / 1000)
    first = took[next(iter(took))]
    ratios = {
        name: statistics.median(one / other for one, other in zip(times, first, strict=True))
        for name, times in took.items()
    }
    return {name: statistics.median(times) for name, times in took.items()}, ratios


def row(engine: Engine, texts: list[bytes]) -> dict[str, float]:
    """Both forms at one size."""
    page = Page(1)
    page.apply([], 1)
    page.extend(boottime() + LEASE_SECONDS)
    guarded = engine.freshness.tag(boottime())
    assert guarded is not None
    by_lease, by_guard = Memory(len(texts), 1 << 40), Memory(len(texts), 1 << 40)
    grown = remember(engine, by_lease, page.current, texts)
    remember(engine, by_guard, guarded, texts)
    gc.freeze()
    batches = {
        "bare_us": looked_up(texts),
        "us": answered(verifier(engine, page, by_lease), engine),
        "pragma_us": pragma(engine),
        "guarded_us": answered(verifier(engine, engine.freshness, by_guard), engine),
    }
    took, ratios = measure(batches, texts)
    limit = RATIO_MAX * took["bare_us"] + took["pragma_us"]
    return {
        "keys": len(texts),
        **took,
        "ratio": ratios["us"],
        "guarded_of_limit": took["guarded_us"] / limit,
        "bytes": grown,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.remembered", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--out", type=Path, help="write the figures here")
    said = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(Path(folder), memory_entries=16, owners=2)
        (known,) = make_keys(engine, 1)
        asked = engine.verify.verify(Presented(keys=(known,), over_https=True))
        assert isinstance(asyncio.run(asked), Allowed)
        for size in said.sizes:
            texts = [
                known,
                *(random.Random(n).randbytes(48).hex().encode() for n in range(1, size)),
            ]
            told = row(engine, texts)
            rows.append(told)
            print(
                f"{size:>10,} keys: bare {told['bare_us']:.2f} us,"
                f" under a lease {told['us']:.2f} us, ratio {told['ratio']:.2f}"
                f" (at most {RATIO_MAX}); {told['bytes']:.0f} bytes a key (at most {BYTES_MAX});"
                f" guarded {told['guarded_us']:.2f} us, {told['guarded_of_limit']:.2f} of"
                f" {RATIO_MAX} bare and a bare PRAGMA",
                flush=True,
            )
        engine.close()
    if said.out:
        said.out.write_text(json.dumps(rows, indent=1) + "\n")
    return int(not all(map(_holds, rows)))


def _holds(told: dict[str, float]) -> bool:
    # With few keys, what else the process did shows more than they.
    small = told["keys"] <= SIZES[0] or told["bytes"] <= BYTES_MAX
    return small and told["ratio"] <= RATIO_MAX and told["guarded_of_limit"] <= 1


if __name__ == "__main__":
    sys.exit(main())
