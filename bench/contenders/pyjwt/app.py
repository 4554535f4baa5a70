"""PyJWT: an ES256 token of five minutes, verified with the public key for each request.

    app.py PORT DATABASE FOLDER

There is nothing to delete: a token counts until it expires.
"""

from __future__ import annotations

import sys
import time

import jwt
import plain
from cryptography.hazmat.primitives.asymmetric import ec

LIFETIME_SECONDS = 300
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()


async def check(value: bytes) -> bool:
    try:
        jwt.decode(value.removeprefix(b"Bearer "), PUBLIC, ["ES256"], audience="bench")
    except jwt.InvalidTokenError:
        return False
    return True


async def create() -> dict[str, str]:
    claims = {"sub": "17", "aud": "bench", "exp": int(time.time()) + LIFETIME_SECONDS}
    good = jwt.encode(claims, PRIVATE, "ES256")
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256")
    return plain.made(0, "Authorization", f"Bearer {good}", f"Bearer {forged}", "Bearer no-token")


if __name__ == "__main__":
    app = plain.contender(plain.checking(b"authorization", check), create, None)
    plain.serve(app, int(sys.argv[1]))
