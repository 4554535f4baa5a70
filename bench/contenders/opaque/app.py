"""An opaque token, looked up by its digest in PostgreSQL for each request.

app.py PORT DATABASE FOLDER
"""

from __future__ import annotations

import hashlib
import secrets
import sys

import plain
from psycopg_pool import AsyncConnectionPool

TABLE = "CREATE TABLE IF NOT EXISTS token (digest bytea PRIMARY KEY, id text NOT NULL UNIQUE)"


class Tokens:
    def __init__(self, database: str) -> None:
        self._database = database
        self._opened: AsyncConnectionPool | None = None

    async def pool(self) -> AsyncConnectionPool:
        if self._opened is None:
            arguments = {"autocommit": True, "prepare_threshold": 0}
            self._opened = AsyncConnectionPool(
                self._database, min_size=4, max_size=4, kwargs=arguments, open=False
            )
            await self._opened.open(wait=True)
            async with self._opened.connection() as connection:
                await connection.execute(TABLE)
        return self._opened

    async def check(self, value: bytes) -> bool:
        digest = hashlib.sha256(value.removeprefix(b"Bearer ")).digest()
        async with (await self.pool()).connection() as connection:
            cursor = await connection.execute("SELECT id FROM token WHERE digest = %s", (digest,))
            return await cursor.fetchone() is not None

    async def create(self) -> dict[str, str]:
        key_id, text = secrets.token_hex(8), secrets.token_urlsafe(32)
        async with (await self.pool()).connection() as connection:
            digest = hashlib.sha256(text.encode()).digest()
            await connection.execute("INSERT INTO token VALUES (%s, %s)", (digest, key_id))
        forged = plain.other(text)
        return plain.made(
            key_id, "Authorization", f"Bearer {text}", f"Bearer {forged}", "Bearer no-token"
        )

    async def delete(self, key_id: str) -> None:
        async with (await self.pool()).connection() as connection:
            await connection.execute("DELETE FROM token WHERE id = %s", (key_id,))

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()


if __name__ == "__main__":
    tokens = Tokens(sys.argv[2])
    guarded = plain.checking(b"authorization", tokens.check)
    plain.serve(
        plain.contender(guarded, tokens.create, tokens.delete, tokens.close), int(sys.argv[1])
    )
