"""The store as a verifier asks it on SQLite: plain `sqlite3`, one prepared statement a question.

Past the ORM and past worker threads: a question costs some microseconds, less than handing it to
a thread would (docs/decisions/0003). The guard is a connection that runs one PRAGMA and nothing
else. `PRAGMA data_version` opens a read transaction, so it sees every commit made before it, and
it changes when any other connection of any process has committed.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from keyhalt.core.freshness import NO_EPOCH, Freshness, Tag
from keyhalt.storage.questions import ANY_IMPORTED, STANDING, Questions
from keyhalt.storage.rows import key_facts, session_facts, token_facts
from keyhalt.storage.sqlite import VERIFY_BUSY_SECONDS, open_file
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from keyhalt.core.principals import KeyFacts, Principal, SessionFacts, TokenFacts
    from keyhalt.usecases.watch import Watch

NEVER_SEEN = -1
_guards = itertools.count(1)
_ask = Questions(SQLiteDialect_pysqlite(paramstyle="qmark"))


class SqliteReader(Freshness):
    """One per process, used from one event loop. Each method may raise StoreUnavailableError."""

    def __init__(self, rights: Path, signins: Path, watch: Watch) -> None:
        self._watch = watch
        self._path = rights
        self._closed = False
        self._standing = open_file(rights, busy_seconds=VERIFY_BUSY_SECONDS)
        self._guard = open_file(rights, busy_seconds=VERIFY_BUSY_SECONDS)
        self._look = self._guard.cursor().execute
        self._guard_id = next(_guards)
        self._number = NEVER_SEEN
        self.deadline = 0.0
        self.current = Tag(self._guard_id, NEVER_SEEN)
        self._rights = open_file(rights, busy_seconds=VERIFY_BUSY_SECONDS)
        self._signins = open_file(signins, busy_seconds=VERIFY_BUSY_SECONDS)
        self._imported: tuple[Tag, bool] | None = None
        self._abandoned: tuple[sqlite3.Connection, ...] = ()

    def tag(self, now: float = 0.0) -> Tag:
        del now
        try:
            # Unpacked, so run to its end, as in `_one`.
            ((number,),) = self._look("PRAGMA data_version")
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error
        if number != self._number:
            self._judge(self._standing)
            known = self._watch.known
            epoch = NO_EPOCH if known is None else known.epoch
            self.current = Tag(self._guard_id, number, epoch)
            self._number = number
        return self.current

    def answers(self) -> bool:
        """Whether the store can be asked, now; from any thread, over a connection of its own.

        The others belong to the event loop: one that two threads use at once ends the process.
        """
        if self._closed:
            return False
        try:
            with closing(open_file(self._path, busy_seconds=VERIFY_BUSY_SECONDS)) as connection:
                self._judge(connection)
        except StoreUnavailableError:
            return False
        return True

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        """The number says that something was committed, and never what."""
        del since, principal
        return False

    async def key(self, key_id: int) -> KeyFacts | None:
        row = self._checked(_one(self._rights, _ask.key_by_id, key_id))
        return None if row is None else key_facts(row)

    async def imported_key(self, digest: bytes) -> KeyFacts | None:
        """No statement while nothing was imported, so that garbage costs none."""
        if not self._any_imported():
            return None
        row = self._checked(_one(self._rights, _ask.key_by_digest, digest))
        return None if row is None else key_facts(row)

    async def token(self, digest: bytes) -> TokenFacts | None:
        row = _one(self._signins, _ask.token, digest)
        if row is None:
            return None
        user = self._checked(_one(self._rights, _ask.user, row[1], row[2]))
        return token_facts(row, user)

    async def session(self, digest: bytes) -> SessionFacts | None:
        row = _one(self._signins, _ask.session, digest)
        if row is None:
            return None
        user = self._checked(_one(self._rights, _ask.user, row[1], row[2]))
        return session_facts(row, user)

    def abandon(self) -> None:
        """In a forked process: SQLite's connections must not be used across a fork, nor closed."""
        self._closed = True
        self._abandoned = (self._guard, self._standing, self._rights, self._signins)
        closed = sqlite3.connect(":memory:")
        closed.close()
        self._guard = self._standing = self._rights = self._signins = closed
        self._look = closed.execute

    def close(self) -> None:
        self._closed = True
        for connection in (self._guard, self._standing, self._rights, self._signins):
            connection.close()

    def _judge(self, connection: sqlite3.Connection) -> None:
        """The store changed: is it still the one that was served, and not an older one?"""
        before = self._watch.before()
        row = _one(connection, STANDING)
        if row is not None:
            self._watch.judge(before, *row)

    def _checked(self, row: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """What was read counts only if the store was not found closed by the end of reading."""
        self.tag()
        return row

    def _any_imported(self) -> bool:
        tag = self.tag()
        if self._imported is None or self._imported[0] != tag:
            found = _one(self._rights, ANY_IMPORTED)
            self._imported = (tag, found is not None)
        return self._imported[1]


def _one(connection: sqlite3.Connection, sql: str, *values: object) -> tuple[Any, ...] | None:
    try:
        # Fetched to the end: a statement left open keeps its snapshot, and with it old rights.
        rows: list[tuple[Any, ...]] = connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailableError(str(error)) from error
    return rows[0] if rows else None
