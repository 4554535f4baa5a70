"""What must not be seen: texts that redact themselves, digests, and the MAC keys."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

MAC_KEY_BYTES_MIN = 32
TOKEN_BYTES = 32
GENERATIONS = 16
"""A generation is four bits of a key's payload (docs/key-text.md)."""


class Secret:
    """A text that every way of printing shows as `****`. `reveal()` is the one way to read it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Each call of this is a place to review."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(****)"

    def __str__(self) -> str:
        return "****"

    def __format__(self, spec: str) -> str:
        return format("****", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")


def token_from(random: bytes) -> Secret:
    """The text of a bearer token: `TOKEN_BYTES` random bytes in URL-safe Base64 without padding."""
    return Secret(base64.urlsafe_b64encode(random).rstrip(b"=").decode())


def digest_of(text: bytes) -> bytes:
    """SHA-256 of a credential's text, 32 bytes: what is stored and remembered of it.

    A key holds 152 random bits and a token 256, so a fast hash is enough (docs/decisions/0004).
    """
    return hashlib.sha256(text).digest()


def masked(text: Secret, pad: bytes) -> bytes:
    """`text` under a one-time pad that is at least as long: either half alone says nothing."""
    return _exclusive_or(text.reveal().encode(), pad)


def unmasked(mask: bytes, pad: bytes) -> Secret | None:
    """What `masked` hid; None where the two do not go together."""
    try:
        return Secret(_exclusive_or(mask, pad).decode("ascii"))
    except ValueError:
        return None


def _exclusive_or(left: bytes, pad: bytes) -> bytes:
    if len(pad) < len(left):
        raise ValueError("a pad is at least as long as what it hides")
    return bytes(a ^ b for a, b in zip(left, pad, strict=False))


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time. The only comparison of digests and MACs in the program."""
    return hmac.compare_digest(left, right)


class GenerationState(enum.StrEnum):
    """What a generation of MAC keys is good for (docs/key-text.md, "MAC keys")."""

    ACCEPT = "accept"
    MINT = "mint"
    DIGEST_ONLY = "digest-only"


@dataclass(frozen=True, slots=True)
class Generation:
    """One MAC key. `key` is at least 32 bytes, and empty exactly when the key was lost."""

    number: int
    state: GenerationState
    key: bytes

    def __repr__(self) -> str:
        return f"Generation({self.number}, {self.state.value}, ****)"

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA256 of `message`, 32 bytes. A lost generation has no MAC: it raises."""
        if self.state is GenerationState.DIGEST_ONLY:
            raise MacKeysError(f"the MAC key of generation {self.number} is lost")
        return hmac.digest(self.key, message, "sha256")


class MacKeysError(ValueError):
    """The MAC keys are not usable; the text says why, in a person's words."""


@dataclass(frozen=True, slots=True)
class MacKeys:
    """The generations by number. Exactly one mints. Lives outside the database."""

    generations: Mapping[int, Generation]

    def __post_init__(self) -> None:
        minting = [g for g in self.generations.values() if g.state is GenerationState.MINT]
        if len(minting) != 1:
            raise MacKeysError(f"exactly one MAC-key generation must mint, {len(minting)} do")
        for number, generation in self.generations.items():
            if number != generation.number or not 0 <= number < GENERATIONS:
                raise MacKeysError(f"a MAC-key generation is numbered 0 to 15, not {number}")
            lost = generation.state is GenerationState.DIGEST_ONLY
            if not lost and len(generation.key) < MAC_KEY_BYTES_MIN:
                raise MacKeysError(
                    f"the MAC key of generation {number} has {len(generation.key)} bytes;"
                    f" it needs at least {MAC_KEY_BYTES_MIN}",
                )

    @property
    def minting(self) -> Generation:
        """The generation that new keys are made with."""
        return next(g for g in self.generations.values() if g.state is GenerationState.MINT)

    def get(self, number: int) -> Generation | None:
        return self.generations.get(number)
