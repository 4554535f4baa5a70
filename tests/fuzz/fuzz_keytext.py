"""Fuzz the reading of key texts: `python tests/fuzz/fuzz_keytext.py -runs=N`.

Coverage-guided where atheris is installed; its other options (-seed=, -max_len=, corpus folders)
work as usual. Without it, or with --plain, golden texts are mutated at random, from a seed that is
printed first and can be given again.

For any bytes: parse does not raise; the digest is of those bytes; a claim, spelled again, gives
those bytes; and a claim is authentic only if the bytes are a golden text, unmodified.
"""

from __future__ import annotations

import base64
import json
import os
import random  # noqa: TID251 - a fuzzer's choices; the seed is an argument
import sys
import zlib
from hashlib import sha256
from pathlib import Path

from keyhalt.core import keytext
from keyhalt.core.keytext import KeyClaim
from keyhalt.core.secrets import Generation, GenerationState

_GOLDEN = json.loads(
    (Path(__file__).parents[1] / "core" / "golden_keys.json").read_text(encoding="utf-8")
)["version_1"]
TEXTS = frozenset(golden["text"].encode() for golden in _GOLDEN)
GENERATIONS = tuple(
    Generation(golden["generation"], GenerationState.ACCEPT, bytes.fromhex(golden["mac_key_hex"]))
    for golden in _GOLDEN
)
_TEXTS = sorted(TEXTS)
_RUNS = 200_000
_PIECES = (
    b".", b"=", b"==", b"|", b"+", b"/", b"-", b"_", b" ", b"\n", b"\0", b"\xff", b"A", b"MTI=",
)  # fmt: skip


class BrokenRuleError(AssertionError):
    """One of the rules above does not hold for the text."""


def spelled(claim: KeyClaim) -> bytes:
    """The text of a claim, made from its facts, its payload and nothing else."""
    where = base64.b64encode(f"{claim.product}|{claim.environment}".encode())
    whose = f"{claim.datasource}|{claim.user_id}|{claim.key_id}".encode()
    names = where + b"." + base64.b64encode(whose) + b"."
    head = claim.signed[len(names) :]
    body = head + claim.mac
    checksum = zlib.crc32(names + body).to_bytes(4, "big")
    return names + base64.b64encode(body + checksum)


def check(text: bytes) -> bool:
    """Hold the rules against one text. Returns whether it is an authentic key."""
    claim = keytext.parse(text)
    if claim.digest != sha256(text).digest():
        raise BrokenRuleError(f"the digest is of another text: {text!r}")
    if not isinstance(claim, KeyClaim):
        return False
    if spelled(claim) != text or claim.signed[-20] != 0x10 | claim.generation:
        raise BrokenRuleError(f"a second spelling: {text!r}")
    authentic = any(
        generation.number == claim.generation and keytext.authentic(claim, generation)
        for generation in GENERATIONS
    )
    if authentic is not (text in TEXTS):
        raise BrokenRuleError(f"authentic is {authentic}: {text!r}")
    return authentic


def mutate(runs: int, seed: int) -> int:
    """Check `runs` mutated golden texts. Returns how many were checked."""
    choose = random.Random(seed)  # noqa: S311 - not a secret
    for _ in range(runs):
        text = choose.choice(_TEXTS)
        for _ in range(choose.randrange(4)):
            text = _mutated(text, choose)
        check(text)
        check(_resealed(text))
    return runs


def _mutated(text: bytes, choose: random.Random) -> bytes:
    at, to = sorted(choose.randrange(len(text) + 1) for _ in range(2))
    other = choose.choice(_TEXTS)
    match choose.randrange(7):
        case 0:
            return text[:at] + bytes([choose.randrange(256)]) + text[at + 1 :]
        case 1:
            return text[:at] + choose.choice(_PIECES) + text[at:]
        case 2:
            return text[:at] + text[to:]
        case 3:
            return text[:to] + text[at:to] + text[to:]
        case 4:
            return text[:at] + text[at:to].swapcase() + text[to:]
        case 5:
            return text[:at] + other[at:]
        case _:
            parts, others = text.split(b"."), other.split(b".")
            parts[choose.randrange(len(parts))] = choose.choice(others)
            return b".".join(parts)


def _resealed(text: bytes) -> bytes:
    """The text with a checksum that holds, if its last part can be read at all."""
    names, _, last = text.rpartition(b".")
    try:
        payload = base64.b64decode(last, validate=True)[:32]
    except ValueError:
        return text
    checksum = zlib.crc32(names + b"." + payload).to_bytes(4, "big")
    return names + b"." + base64.b64encode(payload + checksum)


def _guided(text: bytes) -> None:
    check(text)
    check(_resealed(text))


def main(arguments: list[str]) -> int:
    options = dict(each.partition("=")[::2] for each in arguments[1:] if each.startswith("-"))
    if "--plain" not in options:
        try:
            import atheris
        except ImportError:
            sys.stdout.write("atheris is not installed: mutating golden texts at random\n")
        else:

            def mutator(text: bytes, bytes_max: int, choice: int) -> bytes:
                # Bytes from nowhere never hold a checksum: half of the tries start at a key.
                choose = random.Random(choice)  # noqa: S311 - not a secret
                if choose.randrange(2):
                    return _mutated(text or choose.choice(_TEXTS), choose)[:bytes_max]
                return bytes(atheris.Mutate(text or choose.choice(_TEXTS), bytes_max))

            for reading in (keytext.parse, keytext._decode, keytext._names, keytext._id):
                atheris.instrument_func(reading)
            atheris.Setup(arguments, _guided, custom_mutator=mutator)
            atheris.Fuzz()
    seed = int(options.get("-seed") or int.from_bytes(os.urandom(4), "big"))
    runs = int(options.get("-runs") or _RUNS)
    sys.stdout.write(f"seed {seed}, {runs} runs\n")
    sys.stdout.flush()
    sys.stdout.write(f"{mutate(runs, seed)} runs, every rule held\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
