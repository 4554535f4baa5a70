"""What a key's text can be looked up by in memory, and what that costs: docs/decisions/0008.

    python bench/choices/imprint.py [--json FILE]

Each way ends in 31 or 32 bytes that a dictionary finds an entry by. Best of nine rounds, in
nanoseconds, for a text of 98 characters.
"""

import argparse
import hashlib
import json
import ssl
import timeit
from collections.abc import Callable
from pathlib import Path

TEXT = b"Keyhalt.Implement.orchard.12.345." + b"A" * 65
ROUNDS, CALLS = 9, 200_000
_sha256, _blake2b = hashlib.sha256(), hashlib.blake2b(digest_size=31)
_keyed = hashlib.blake2b(digest_size=31, key=bytes(32))


def copied(begun: "hashlib._Hash") -> Callable[[], bytes]:
    begin = begun.copy

    def digest() -> bytes:
        hashing = begin()
        hashing.update(TEXT)
        return hashing.digest()

    return digest


WAYS: dict[str, Callable[[], bytes]] = {
    "SHA-256": lambda: hashlib.sha256(TEXT).digest(),
    "SHA-256, of a copy": copied(_sha256),
    "BLAKE2b": lambda: hashlib.blake2b(TEXT, digest_size=31).digest(),
    "BLAKE2b, of a copy": copied(_blake2b),
    "BLAKE2b with a key, of a copy": copied(_keyed),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    found: dict[str, object] = {"openssl": ssl.OPENSSL_VERSION}
    for name, way in WAYS.items():
        nanoseconds = min(timeit.repeat(way, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9
        found[name] = nanoseconds
        print(f"{name:32} {nanoseconds:6.0f} ns")
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
