"""The text of a key, version 1: mint, parse, check, hint.

    part 1 "." part 2 "." part 3, each in standard Base64, padded:
    <product>|<environment>    <datasource>|<userId>|<keyId>    payload

Payload, 36 bytes: version and generation (1), random (19), MAC (12), CRC-32 (4).
docs/key-text.md is the reference; its examples are run by the tests. Pure: the random bytes and
the MAC key are arguments. Nothing here raises for any input that a client can send.
"""

from __future__ import annotations

import binascii
import re
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from keyhalt.core.secrets import (
    GENERATIONS,
    Generation,
    GenerationState,
    MacKeysError,
    Secret,
    digest_of,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
RANDOM_BYTES = 19
PAYLOAD_BYTES = 36
TEXT_BYTES_MAX = 1024
ID_MAX = 2**31 - 1
_HINT = re.compile(r"([0-9]{1,10})(?:…|\.\.\.)([A-Za-z0-9+/=]{4})", re.ASCII)
SEPARATOR = "|"

_MAC_START, _MAC_END = 1 + RANDOM_BYTES, 32


class KeyClaim(NamedTuple):
    """What a well-formed key text says of itself. Nothing of it is believed before `authentic`."""

    product: str
    environment: str
    datasource: str
    user_id: int
    key_id: int
    generation: int
    digest: bytes
    """SHA-256 of the whole text."""
    signed: bytes
    """What the MAC is over: part 1 "." part 2 "." payload bytes 0-19."""
    mac: bytes

    def __repr__(self) -> str:
        """Without what a key could be put together from."""
        whose = f"{self.product}|{self.environment} {self.datasource}|{self.user_id}|{self.key_id}"
        return f"KeyClaim({whose!r}, generation={self.generation})"


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a key. `foreign`: not of our shape at all, so perhaps another system's key, imported."""

    why: Literal["foreign", "checksum"]
    digest: bytes


def mint(
    *,
    product: str,
    environment: str,
    datasource: str,
    user_id: int,
    key_id: int,
    generation: Generation,
    random: bytes,
) -> Secret:
    """Make the text of a new key.

    `random` is 19 fresh bytes from the operating system. Raises ValueError for facts that no text
    can carry (a separator in a name, an id outside 1..2^31-1): callers check names when they are
    given, so it is a bug, not bad input.
    """
    if generation.state is not GenerationState.MINT:
        raise MacKeysError(f"generation {generation.number} does not mint")
    if not 0 <= generation.number < GENERATIONS:
        raise ValueError("a generation in a key is from 0 to 15")
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key needs {RANDOM_BYTES} random bytes")
    if any(SEPARATOR in name or not name for name in (product, environment, datasource)):
        raise ValueError("a name in a key is not empty and holds no '|'")
    if not all(0 < number <= ID_MAX for number in (user_id, key_id)):
        raise ValueError("ids in a key are from 1 to 2147483647")
    where = _encode(f"{product}|{environment}".encode())
    whose = _encode(f"{datasource}|{user_id}|{key_id}".encode())
    head = bytes([VERSION << 4 | generation.number]) + random
    signed = b".".join((where, whose, head))
    body = signed + _mac(generation, signed)
    payload = body[-_MAC_END:] + zlib.crc32(body).to_bytes(4, "big")
    text = b".".join((where, whose, _encode(payload)))
    if len(text) > TEXT_BYTES_MAX:
        raise ValueError(f"a key has at most {TEXT_BYTES_MAX} characters")
    return Secret(text.decode("ascii"))


def parse(text: bytes) -> KeyClaim | Malformed:
    """Read a presented text. Never raises. There is exactly one spelling of each key.

    Both outcomes carry the digest, which is of the text as it was presented.
    """
    digest = digest_of(text)
    return _read(text, digest) or Malformed("foreign", digest)


def _read(text: bytes, digest: bytes) -> KeyClaim | Malformed | None:
    """None: it is not of our shape."""
    if len(text) > TEXT_BYTES_MAX:
        return None
    parts = text.split(b".")
    if len(parts) != 3:
        return None
    where, whose = _names(parts[0], 2), _names(parts[1], 3)
    payload = _decode(parts[2])
    if where is None or whose is None or payload is None or len(payload) != PAYLOAD_BYTES:
        return None
    user_id, key_id = _id(whose[1]), _id(whose[2])
    if payload[0] >> 4 != VERSION or user_id is None or key_id is None:
        return None
    body = b".".join((parts[0], parts[1], payload[:_MAC_END]))
    if zlib.crc32(body) != int.from_bytes(payload[_MAC_END:], "big"):
        return Malformed("checksum", digest)
    return KeyClaim(
        product=where[0],
        environment=where[1],
        datasource=whose[0],
        user_id=user_id,
        key_id=key_id,
        generation=payload[0] & 0x0F,
        digest=digest,
        signed=body[: _MAC_START - _MAC_END],
        mac=payload[_MAC_START:_MAC_END],
    )


def authentic(claim: KeyClaim, generation: Generation) -> bool:
    """Whether the MAC holds, in constant time, asking no database. A lost generation: never."""
    if generation.state is GenerationState.DIGEST_ONLY:
        return False
    return same(_mac(generation, claim.signed), claim.mac)


def hint(key_id: int, text: str) -> str:
    """What may be shown of a key afterwards: its id and its last four characters."""
    return f"{key_id}…{text[-4:]}"


def read_hint(text: str) -> tuple[int, str] | None:
    """Id and last four characters of a hint; three dots may stand for the one. None: it is none."""
    found = _HINT.fullmatch(text)
    return (int(found[1]), found[2]) if found and int(found[1]) <= ID_MAX else None


def _mac(generation: Generation, signed: bytes) -> bytes:
    return generation.mac(signed)[: _MAC_END - _MAC_START]


_encode: Callable[[bytes], bytes] = partial(binascii.b2a_base64, newline=False)


def _decode(part: bytes) -> bytes | None:
    # Decoding forgives stray bits before the padding; encoding again and comparing does not.
    try:
        data = binascii.a2b_base64(part, strict_mode=True)
    except (binascii.Error, ValueError):
        return None
    return data if _encode(data) == part else None


def _names(part: bytes, count: int) -> list[str] | None:
    data = _decode(part)
    if data is None:
        return None
    try:
        names = data.decode("utf-8").split(SEPARATOR)
    except UnicodeDecodeError:
        return None
    return names if len(names) == count and all(names) else None


def _id(text: str) -> int | None:
    # int() takes "+7", " 7", "07" and other scripts' digits; a key has one spelling.
    if not (text.isascii() and text.isdigit()) or text[0] == "0" or len(text) > 10:
        return None
    number = int(text)
    return number if number <= ID_MAX else None
