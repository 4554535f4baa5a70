"""keyshield in its FastAPI form, with Argon2, on PostgreSQL by asyncpg.

    app.py PORT DATABASE FOLDER plain|cached [deactivate]

With `deactivate`, a delete only deactivates the key.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import plain
from fastapi import Depends, FastAPI
from keyshield import ApiKey, ApiKeyService
from keyshield.api import create_depends_api_key
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import SqlAlchemyApiKeyRepository
from keyshield.services.cached import CachedApiKeyService
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

port, database, form = int(sys.argv[1]), urlsplit(sys.argv[2]), sys.argv[4]
query = parse_qs(database.query)
engine = create_async_engine(
    database._replace(scheme="postgresql+asyncpg", query="").geturl(),
    connect_args={"host": query["host"][0]} if "host" in query else {},
    pool_size=16,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
hasher = Argon2ApiKeyHasher(pepper="of this benchmark")
cached = {"cache_ttl": 300} if form == "cached" else {}
if cached:
    from aiocache import SimpleMemoryCache

    cached["cache"] = SimpleMemoryCache()


async def service() -> AsyncIterator[ApiKeyService]:
    async with sessions() as session, session.begin():
        repository = SqlAlchemyApiKeyRepository(session)
        kind = CachedApiKeyService if cached else ApiKeyService
        yield kind(repo=repository, hasher=hasher, **cached)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with sessions() as session:
        await SqlAlchemyApiKeyRepository(session).ensure_table(engine)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
Service = Annotated[Any, Depends(service)]


@app.get("/")
async def guarded(
    _key: Annotated[ApiKey, Depends(create_depends_api_key(service))],
) -> dict[str, str]:
    return {}


@app.post("/keys")
async def create(keys: Service) -> dict[str, str]:
    row, text = await keys.create(name="bench")
    kinds = (text, plain.other(text), "no-key")
    return plain.made(row.id_, "Authorization", *(f"Bearer {each}" for each in kinds))


@app.delete("/keys/{key_id}")
async def delete(key_id: str, keys: Service) -> dict[str, str]:
    if sys.argv[5:]:
        row = await keys.get_by_id(key_id)
        row.is_active = False
        await keys.update(row)
    else:
        await keys.delete_by_id(key_id)
    return {}


if __name__ == "__main__":
    plain.serve(app, port)
