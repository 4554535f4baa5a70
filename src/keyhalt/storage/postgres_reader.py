"""The store as a verifier asks it on PostgreSQL: psycopg in the event loop, on the primary.

Autocommit, one prepared statement a question. A connection that fails or takes too long is thrown
away and the store counts as unavailable; the next question makes a new one. One that the server had
ended while it lay idle says nothing of the server now: then the question is asked once more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from keyhalt.storage.postgres import Database, connect_arguments, driver_url
from keyhalt.storage.questions import ANY_IMPORTED, STANDING, Questions
from keyhalt.storage.rows import key_facts, session_facts, token_facts
from keyhalt.storage.silence import ImpatientAsyncConnection, SilentError
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import AsyncCursor

    from keyhalt.core.freshness import Freshness, Tag
    from keyhalt.core.principals import KeyFacts, SessionFacts, TokenFacts
    from keyhalt.usecases.watch import Watch

_ask = Questions(PGDialect_psycopg(paramstyle="format"))  # type: ignore[no-untyped-call]


def _with_standing(question: str) -> bytes:
    """The question, and where the store stands in the same snapshot: the last two columns."""
    sql = f"SELECT asked.*, stand.* FROM ({question}) AS asked, ({STANDING}) AS stand"  # noqa: S608
    return sql.encode()


_KEY_BY_ID, _KEY_BY_DIGEST = map(_with_standing, (_ask.key_by_id, _ask.key_by_digest))
_USER = _with_standing(_ask.user)
_TOKEN, _SESSION, _IMPORTED, _STANDING = (
    sql.encode() for sql in (_ask.token, _ask.session, ANY_IMPORTED, STANDING)
)
_Row = tuple[Any, ...]


class _EndedError(psycopg.OperationalError):
    """The server had ended the connection while it lay idle."""


class PostgresReader:
    """One per process, used from one event loop at a time. May raise StoreUnavailableError.

    Holds at most `pool_size` connections, each made when it is first needed.
    """

    def __init__(
        self,
        database: Database,
        freshness: Freshness,
        watch: Watch,
        clock: Callable[[], float],
    ) -> None:
        self._watch = watch
        self._clock = clock
        url = driver_url(database.url)
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._arguments = connect_arguments(database)
        self._seconds = database.statement_seconds
        self._room = asyncio.Semaphore(database.pool_size)
        self._idle: list[AsyncCursor[_Row]] = []
        self._closed = False
        self._freshness = freshness
        self._imported: tuple[Tag, bool] | None = None

    async def key(self, key_id: int) -> KeyFacts | None:
        row = await self._rights(_KEY_BY_ID, key_id)
        return None if row is None else key_facts(row)

    async def imported_key(self, digest: bytes) -> KeyFacts | None:
        """No statement while nothing was imported, so that garbage costs none."""
        if not await self._any_imported():
            return None
        row = await self._rights(_KEY_BY_DIGEST, digest)
        return None if row is None else key_facts(row)

    async def token(self, digest: bytes) -> TokenFacts | None:
        row = await self._one(_TOKEN, digest)
        if row is None:
            return None
        return token_facts(row, await self._rights(_USER, row[1], row[2]))

    async def session(self, digest: bytes) -> SessionFacts | None:
        row = await self._one(_SESSION, digest)
        if row is None:
            return None
        return session_facts(row, await self._rights(_USER, row[1], row[2]))

    async def ping(self) -> None:
        """Whether the database answers, now."""
        await self._one(b"SELECT 1")

    def close(self) -> None:
        """For good: what is asked after this cannot be answered."""
        self._closed = True
        self._let_go()

    def abandon(self) -> None:
        """In a forked process: the connections are its parent's, so not one byte is sent."""
        self._closed = True
        self._idle.clear()

    async def _any_imported(self) -> bool:
        # Importing raises the epoch, so a tag that is held knows of it.
        tag = self._freshness.tag(self._clock())
        if tag is None or self._imported is None or self._imported[0] != tag:
            found = await self._one(_IMPORTED) is not None
            if tag is None:
                return found
            self._imported = (tag, found)
        return self._imported[1]

    async def _rights(self, sql: bytes, *values: object) -> _Row | None:
        """The row of a question of `_with_standing`, if the store is not an older one."""
        known = self._watch.known
        row = await self._one(sql, *values)
        if row is None:
            return None
        self._watch.stands(known, *row[-2:])
        return row[:-2]

    async def _one(self, sql: bytes, *values: object) -> _Row | None:
        if self._closed:
            raise StoreUnavailableError("closed")
        try:
            try:
                row = await self._asked(sql, values)
            except _EndedError:
                row = await self._asked(sql, values)
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise StoreUnavailableError(str(error)) from error
        # The lease's thread may have found meanwhile that this is not the store it was.
        self._watch.check()
        return row

    async def _asked(self, sql: bytes, values: tuple[object, ...]) -> _Row | None:
        if self._room.locked():
            async with asyncio.timeout(self._seconds):
                await self._room.acquire()
        else:
            # At once, so without a timer of its own.
            await self._room.acquire()
        try:
            # One cursor for each connection: making one costs as much as a tenth of a question.
            lay_idle = bool(self._idle)
            cursor = self._idle.pop() if lay_idle else (await self._connect()).cursor()
            row = await self._fetched(cursor, sql, values, lay_idle=lay_idle)
            if self._closed:
                cursor.connection.pgconn.finish()
            else:
                self._idle.append(cursor)
        finally:
            self._room.release()
        return row

    async def _fetched(
        self, cursor: AsyncCursor[_Row], sql: bytes, values: tuple[object, ...], *, lay_idle: bool
    ) -> _Row | None:
        """Whatever goes wrong ends the connection: nobody knows what it is in the middle of."""
        try:
            await cursor.execute(sql, values)
            return await cursor.fetchone()
        except psycopg.OperationalError as error:
            ended = lay_idle and cursor.connection.closed and not isinstance(error, SilentError)
            cursor.connection.pgconn.finish()
            if not ended:
                raise
            # The others lay idle as long, and will have ended with it.
            self._let_go()
            raise _EndedError(str(error)) from error
        except BaseException:
            cursor.connection.pgconn.finish()
            raise

    def _let_go(self) -> None:
        for cursor in self._idle:
            cursor.connection.pgconn.finish()
        self._idle.clear()

    async def _connect(self) -> ImpatientAsyncConnection:
        """Looks at what it leads to: a database that came back may be another, or an older one."""
        connect = ImpatientAsyncConnection.connect
        connection = await connect(self._conninfo, **self._arguments)
        connection.silence_seconds = self._seconds
        try:
            before = self._watch.before()
            standing = await (await connection.execute(_STANDING)).fetchone()
            if standing is not None:
                self._watch.judge(before, *standing)
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection
