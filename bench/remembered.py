"""A remembered key in barrier form, in process: `python -m bench.remembered`.

Verified and authorized, beside a bare SHA-256 and dictionary look-up at the same number of keys, in
one run, interleaved. The lease is held by hand, on the clock that a process on PostgreSQL uses; all
else is the product's. Bytes are what the process grew by when the keys were remembered, their texts
not included.
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
from dataclasses import replace
from pathlib import Path

from bench.world import make_engine, make_keys
from keyhalt.core.decisions import Allowed, Presented, permit
from keyhalt.core.freshness import Entry, Memory, imprint_of
from keyhalt.core.leases import Page
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.embed import Engine
from keyhalt.system.clock import boottime
from keyhalt.usecases.verify import Verify

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 21
CALLS = 4_000
RATIO_MAX, BYTES_MAX = 2.0, 400
OWNERS = 1_000
OVER_HTTPS = True


def verifier(engine: Engine, page: Page, memory: Memory) -> Verify:
    return Verify(
        reader=engine.verifying.reader,
        memory=memory,
        freshness=page,
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


def remember(engine: Engine, memory: Memory, page: Page, texts: list[bytes]) -> float:
    """Fill the memory as reading would. Returns the bytes that it grew by, for each key."""
    first = engine.verify.remembered(texts[0], OVER_HTTPS)
    assert isinstance(first, Principal)
    tag = page.current
    owners = [replace(first.user, user_id=1_000_000 + number) for number in range(OWNERS)]
    gc.collect()
    before = resident()
    for number, text in enumerate(texts):
        # As if read: numbers of its own, an owner that other keys share.
        credential = Credential(CredentialKind.KEY, number + 10_000)
        who = Principal(first.environment, owners[number % OWNERS], credential)
        memory.keep(imprint_of(text), Entry(who, tag))
    gc.collect()
    return (resident() - before) / len(texts)


def measure(verify: Verify, texts: list[bytes], engine: Engine) -> tuple[float, float, float]:
    """Microseconds bare and remembered, and the median of the rounds' ratios."""
    plain = {hashlib.sha256(text).digest(): object() for text in texts}
    need = engine.profile.catalogue.need("meters", "view")
    bare, ours = [], []
    for turn in range(ROUNDS):
        batch = random.Random(turn).sample(texts, min(CALLS, len(texts)))
        start = time.perf_counter_ns()
        for text in batch:
            plain.get(hashlib.sha256(text).digest())
        bare.append((time.perf_counter_ns() - start) / len(batch) / 1000)
        batch = random.Random(-turn - 1).sample(texts, min(CALLS, len(texts)))
        remembered = verify.remembered
        start = time.perf_counter_ns()
        for text in batch:
            principal = remembered(text, OVER_HTTPS)
            assert permit(principal, need) is None
        ours.append((time.perf_counter_ns() - start) / len(batch) / 1000)
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return statistics.median(bare), statistics.median(ours), statistics.median(ratios)


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
            texts = [known, *(random.Random(n).randbytes(48).hex().encode() for n in range(size))]
            page = Page(1)
            page.apply([], 1)
            page.extend(boottime() + 3600)
            memory = Memory(size * 2, 1 << 40)
            grown = remember(engine, memory, page, texts)
            gc.freeze()
            bare, ours, ratio = measure(verifier(engine, page, memory), texts, engine)
            rows.append({"keys": size, "bare_us": bare, "us": ours, "ratio": ratio, "bytes": grown})
            print(
                f"{size:>9,} keys: bare {bare:.2f} us, remembered {ours:.2f} us, ratio {ratio:.2f}"
                f" (at most {RATIO_MAX}); {grown:.0f} bytes a key (at most {BYTES_MAX})"
            )
        engine.close()
    if said.out:
        said.out.write_text(json.dumps(rows, indent=1) + "\n")
    good = all(row["ratio"] <= RATIO_MAX for row in rows)
    return (
        0 if good and all(row["bytes"] <= BYTES_MAX for row in rows if row["keys"] > 1_000) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
