"""The store as a verifier asks it on SQLite: plain `sqlite3`, one prepared statement a question.

Past the ORM and past worker threads: a question costs some microseconds, less than handing it to
a thread would (docs/decisions/0003). The guard is a connection that runs one PRAGMA and nothing
else. `PRAGMA data_version` opens a read transaction, so it sees every commit made before it, and
it changes when any other connection of any process has committed.
"""

from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from keyhalt.core.freshness import Tag
from keyhalt.core.principals import TokenFacts
from keyhalt.storage.rows import (
    KEY_COLUMNS,
    USER_COLUMNS,
    key_facts,
    key_from,
    owner,
    user_facts,
    user_from,
)
from keyhalt.storage.schema import Utc, api_key, bearer_token
from keyhalt.storage.sqlite import VERIFY_BUSY_SECONDS, open_file
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Select

    from keyhalt.core.principals import KeyFacts, Principal

_guards = itertools.count(1)
_utc = Utc()
_dialect = SQLiteDialect_pysqlite(paramstyle="qmark")


def _sql(query: Select[Any]) -> str:
    return str(query.compile(dialect=_dialect, compile_kwargs={"render_postcompile": True}))


_KEY = select(*KEY_COLUMNS, *USER_COLUMNS).select_from(key_from())
# By the key's own unique id or digest: the row's datasource is compared with the text's.
KEY_BY_ID = _sql(_KEY.where(api_key.c.id == bindparam("id", None)))
KEY_BY_DIGEST = _sql(
    _KEY.where(api_key.c.digest == bindparam("digest", None), api_key.c.imported_mac.is_not(None))
)
ANY_IMPORTED = "SELECT 1 FROM api_key WHERE imported_mac IS NOT NULL LIMIT 1"
TOKEN = _sql(
    select(
        bearer_token.c.id,
        bearer_token.c.datasource_id,
        bearer_token.c.user_id,
        bearer_token.c.sign_in_generation,
        bearer_token.c.expires_at,
        bearer_token.c.ended_at,
    ).where(bearer_token.c.digest == bindparam("digest", None))
)
USER = _sql(
    select(*USER_COLUMNS)
    .select_from(user_from())
    .where(
        owner.c.datasource_id == bindparam("datasource_id", None),
        owner.c.id == bindparam("user_id", None),
    )
)


class SqliteReader:
    """One per process, used from one event loop. Each method may raise StoreUnavailableError."""

    def __init__(self, rights: Path, signins: Path) -> None:
        self._guard = open_file(rights, busy_seconds=VERIFY_BUSY_SECONDS)
        self._guard_id = next(_guards)
        self._last_tag = Tag(self._guard_id, -1)
        self._rights = open_file(rights, busy_seconds=VERIFY_BUSY_SECONDS)
        self._signins = open_file(signins, busy_seconds=VERIFY_BUSY_SECONDS)
        self._imported: tuple[Tag, bool] | None = None

    def tag(self) -> Tag:
        try:
            # Unpacked, so run to its end, as in `_one`.
            ((number,),) = self._guard.execute("PRAGMA data_version")
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error
        last = self._last_tag
        if number != last.number:
            self._last_tag = last = Tag(self._guard_id, number)
        return last

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        """The number says that something was committed, and never what."""
        del since, principal
        return False

    async def key(self, key_id: int) -> KeyFacts | None:
        row = _one(self._rights, KEY_BY_ID, key_id)
        return None if row is None else key_facts(row)

    async def imported_key(self, digest: bytes) -> KeyFacts | None:
        """No statement while nothing was imported, so that garbage costs none."""
        if not self._any_imported():
            return None
        row = _one(self._rights, KEY_BY_DIGEST, digest)
        return None if row is None else key_facts(row)

    async def token(self, digest: bytes) -> TokenFacts | None:
        row = _one(self._signins, TOKEN, digest)
        if row is None:
            return None
        user = _one(self._rights, USER, row[1], row[2])
        expires_at = _utc.process_result_value(row[4], _dialect)
        assert expires_at is not None  # noqa: S101 - the column is not null
        return TokenFacts(
            token_id=row[0],
            sign_in_generation=row[3],
            expires_at=expires_at,
            ended=row[5] is not None,
            user=None if user is None else user_facts(user),
        )

    def close(self) -> None:
        for connection in (self._guard, self._rights, self._signins):
            connection.close()

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
