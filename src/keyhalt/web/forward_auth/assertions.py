"""Signed assertions (RFC 7515, RFC 8037): what a backend can check instead of trusting headers.

An assertion vouches for a request to a backend, for a minute. Keyhalt itself never accepts one.
Its signing keys follow from the MAC keys, one per generation, so that they rotate as those do:
`keyhalt mac-key add` publishes the next key, `keyhalt mac-key mint` signs with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keyhalt.core.secrets import Generation, GenerationState, MacKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

LIFETIME_SECONDS = 60
REUSED_SECONDS = 30
JWKS_PATH = "/.well-known/keyhalt/jwks.json"
_PURPOSE = b"assertion|signing key|1"
_TYPE = "keyhalt-assertion+jwt"


class Signer:
    """Signs with the generation that mints; publishes every one that is not lost."""

    def __init__(self, mac_keys: Callable[[], MacKeys]) -> None:
        self._mac_keys = mac_keys
        self._made: dict[bytes, _Key] = {}

    def sign(self, claims: Mapping[str, object], now: datetime) -> str:
        """A compact JWS of `claims` with their times. `now` is aware UTC."""
        key = self._key(self._mac_keys().minting)
        at = int(now.timestamp())
        payload = {**claims, "iat": at, "exp": at + LIFETIME_SECONDS}
        signed = key.header + b"." + _b64(_json(payload))
        return (signed + b"." + _b64(key.private.sign(signed))).decode("ascii")

    def jwks(self) -> dict[str, Any]:
        """RFC 7517: the public keys, the signing one first."""
        keys = self._mac_keys()
        usable = [
            each
            for each in keys.generations.values()
            if each.state is not GenerationState.DIGEST_ONLY
        ]
        usable.sort(key=lambda each: each.state is not GenerationState.MINT)
        return {"keys": [self._key(each).public for each in usable]}

    def _key(self, generation: Generation) -> _Key:
        seed = generation.mac(_PURPOSE)
        name = hashlib.sha256(seed).digest()
        if name not in self._made:
            self._made[name] = _Key(seed)
        return self._made[name]


class _Key:
    def __init__(self, seed: bytes) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        x = _b64(self.private.public_key().public_bytes_raw()).decode()
        # RFC 7638: the thumbprint is over exactly these members, in this order.
        thumbprint = hashlib.sha256(_json({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
        kid = _b64(thumbprint).decode()
        self.public = {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid}
        self.public |= {"alg": "EdDSA", "use": "sig"}
        self.header = _b64(_json({"alg": "EdDSA", "kid": kid, "typ": _TYPE}))


def request_digest(method: bytes, host: bytes, uri: bytes) -> str:
    """What a bound assertion says of its request: the digest of method, host and URI in lines."""
    return _b64(hashlib.sha256(b"\n".join((method, host, uri))).digest()).decode()


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
