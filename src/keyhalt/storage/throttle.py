"""The sign-in throttle, in the store of use: shared by all processes, kept across restarts.

1. At most 10 tries a minute per (account, source), and 60 per source.
2. After 100 failures in a row an account takes one try per 30 seconds, except from sources that
   have signed in to it: who fails on purpose locks nobody out.
3. Known and unknown accounts are treated alike. Names are kept as digests: people type passwords
   into the wrong field.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from keyhalt.core.limits import NEW, Rate, admit
from keyhalt.storage.schema_use import sign_in_bucket, sign_in_failures, sign_in_source
from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Table

PER_ACCOUNT_AND_SOURCE = Rate(10, 60.0)
PER_SOURCE = Rate(60, 60.0)
FAILURES_MAX = 100
SLOW_SECONDS = 30.0
FORGET_SECONDS = 30 * 86_400.0
FORGET_SOURCE_SECONDS = 366 * 86_400.0


class SqlThrottle:
    def __init__(self, use: Engine) -> None:
        self._engine = use

    def admit(self, account: str, source: str, now: datetime) -> float:
        """Spend one try. Returns the seconds to wait; above 0 means refused and nothing spent."""
        at = now.timestamp()
        name = _digest(account)
        pair = (f"a:{_digest(f'{account} {source}')}", PER_ACCOUNT_AND_SOURCE)
        alone = (f"s:{source}", PER_SOURCE)
        with transaction(self._engine, write=True) as connection:
            tried = [_admit(connection, bucket, rate, at) for bucket, rate in (pair, alone)]
            wait = max([_slow_wait(connection, name, source, at), *(w for _, _, w in tried)])
            if wait <= 0:
                for bucket, full_at, _ in tried:
                    _put(connection, sign_in_bucket, {"name": bucket}, {"full_at": full_at})
                slow = sign_in_failures.c.account == name
                connection.execute(sign_in_failures.update().where(slow).values(last_try=at))
        return wait

    def failed(self, account: str, source: str, now: datetime) -> None:
        del source
        at = now.timestamp()
        name = _digest(account)
        with transaction(self._engine, write=True) as connection:
            query = select(sign_in_failures.c.in_a_row).where(sign_in_failures.c.account == name)
            in_a_row = connection.execute(query).scalar() or 0
            values = {"in_a_row": in_a_row + 1, "last_try": at}
            _put(connection, sign_in_failures, {"account": name}, values)
            self._forget(connection, at)

    def succeeded(self, account: str, source: str, now: datetime) -> None:
        name = _digest(account)
        with transaction(self._engine, write=True) as connection:
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.account == name))
            keys = {"account": name, "source": source}
            _put(connection, sign_in_source, keys, {"last_success": now.timestamp()})

    def _forget(self, connection: Connection, at: float) -> None:
        # A full bucket is as good as none; an account nobody tried for a month starts anew.
        connection.execute(delete(sign_in_bucket).where(sign_in_bucket.c.full_at < at))
        old = sign_in_failures.c.last_try < at - FORGET_SECONDS
        connection.execute(delete(sign_in_failures).where(old))
        unused = sign_in_source.c.last_success < at - FORGET_SOURCE_SECONDS
        connection.execute(delete(sign_in_source).where(unused))


def _admit(connection: Connection, bucket: str, rate: Rate, at: float) -> tuple[str, float, float]:
    query = select(sign_in_bucket.c.full_at).where(sign_in_bucket.c.name == bucket)
    before = connection.execute(query).scalar()
    if before is None or before > at + 2 * rate.seconds:
        before = NEW  # it was written before the clock was set back
    full_at, wait = admit(before, at, rate)
    return bucket, full_at, wait


def _slow_wait(connection: Connection, account: str, source: str, at: float) -> float:
    query = select(sign_in_failures).where(sign_in_failures.c.account == account)
    row = connection.execute(query).one_or_none()
    if row is None or row.in_a_row < FAILURES_MAX:
        return 0.0
    known = select(sign_in_source.c.source).where(
        sign_in_source.c.account == account, sign_in_source.c.source == source
    )
    if connection.execute(known).scalar() is not None:
        return 0.0
    wait = float(row.last_try) + SLOW_SECONDS - at
    return wait if wait <= 2 * SLOW_SECONDS else 0.0  # as in `_admit`


def _put(
    connection: Connection, table: Table, keys: dict[str, str], values: dict[str, float]
) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(table).values(**keys, **values)
    connection.execute(row.on_conflict_do_update(index_elements=list(keys), set_=values))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
