"""PostgreSQL engines: how transactions begin, what ends a statement that takes too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from keyhalt.storage.silence import ImpatientConnection
from keyhalt.storage.transactions import WRITES

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

SILENCE_GRACE_SECONDS = 1.0
"""After the time that a statement has on the server, so that the server's own word comes first."""
CONNECT_SECONDS = range(2, 6)
"""As long as a statement may take, within these bounds: the driver has no shorter time."""
VERSIONS = range(15, 19)
LOCK = "keyhalt_lock"
_APPLICATION = "keyhalt"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the stores are. `listen_url`: past a pooler, for what a pooled connection cannot do.

    Its presence says that `url` leads to a pooler, which may give each transaction another
    connection: then nothing is prepared by name.
    """

    url: str
    listen_url: str = ""
    pool_size: int = 10
    statement_seconds: float = 5.0

    @property
    def direct_url(self) -> str:
        return self.listen_url or self.url

    @property
    def pooled(self) -> bool:
        return bool(self.listen_url)


def driver_url(url: str) -> URL:
    """Raises ValueError in the user's words."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # The second of a port that is no number.
        raise ValueError("it is no URL like postgresql://user@host/database") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(f"{parsed.get_backend_name()!r} is no database that Keyhalt knows")
    return parsed.set(drivername="postgresql+psycopg")


def connect_arguments(database: Database) -> dict[str, Any]:
    """What every connection is made with. A peer that is cut off is noticed by the kernel."""
    milliseconds = round(database.statement_seconds * 1000)
    return {
        "autocommit": True,
        "application_name": _APPLICATION,
        "connect_timeout": min(
            max(round(database.statement_seconds), CONNECT_SECONDS[0]), CONNECT_SECONDS[-1]
        ),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
        "prepare_threshold": None if database.pooled else 5,
    }


def open_engine(database: Database) -> Engine:
    """An engine whose transactions begin in one message.

    Outside `transaction()` a statement commits by itself. Each store uses it with the execution
    option LOCK, a number of its own: its writers take turns by that advisory lock.
    """
    engine = create_engine(
        driver_url(database.url),
        connect_args=connect_arguments(database),
        pool_size=database.pool_size,
        max_overflow=0,
        pool_timeout=database.statement_seconds,
        pool_pre_ping=True,
    )
    event.listen(engine, "do_connect", _connecting(database))
    event.listen(engine, "begin", _beginning(database))
    return engine


def _connecting(database: Database) -> Any:  # noqa: ANN401 - a listener
    def connect(_dialect: object, _record: object, where: Any, how: Any) -> ImpatientConnection:  # noqa: ANN401
        connection = ImpatientConnection.connect(*where, **how)
        connection.silence_seconds = database.statement_seconds + SILENCE_GRACE_SECONDS
        return connection

    return connect


def _beginning(database: Database) -> Any:  # noqa: ANN401 - a listener
    limit = round(database.statement_seconds * 1000)
    limits = (
        f"SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit};"
        f" SET LOCAL idle_in_transaction_session_timeout = {limit};"
    )
    # A paused writer is ended by the server, so it cannot hold the others up for long. A commit
    # is durable before it is answered, whatever the server's own setting says.
    # Each statement after the lock sees what was committed before it was given.
    begins = f"BEGIN ISOLATION LEVEL READ COMMITTED; {limits} SET LOCAL synchronous_commit = on;"
    write = f"{begins} SELECT pg_advisory_xact_lock"
    read = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {limits}"

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get(WRITES)
        if writes is None:
            return
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - a connection that was just checked out
        driver.execute(f"{write}({options[LOCK]})" if writes else read, prepare=False)

    return begin


def open_direct(database: Database, *, channel: str | None = None) -> Engine:
    """One connection past the pooler, each statement committing by itself; hears `channel`."""
    milliseconds = round(database.statement_seconds * 1000)
    arguments = connect_arguments(database)
    arguments["prepare_threshold"] = 5
    arguments["options"] = f"-c statement_timeout={milliseconds} -c synchronous_commit=on"
    engine = create_engine(
        driver_url(database.direct_url),
        connect_args=arguments,
        pool_size=1,
        max_overflow=0,
        pool_timeout=database.statement_seconds,
    )
    event.listen(engine, "do_connect", _connecting(database))
    event.listen(engine, "begin", _beginning(database))
    if channel is not None:

        def hear(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
            connection.execute(f"LISTEN {channel}")

        event.listen(engine, "connect", hear)
    return engine


def faults_of(connection: Connection) -> list[str]:
    """What would break the promise here, in sentences; empty when nothing would."""
    ask = connection.exec_driver_sql
    faults: list[str] = []
    version = int(ask("SHOW server_version_num").scalar_one()) // 10_000
    if version not in VERSIONS:
        faults.append(f"PostgreSQL {version} is not supported; use {VERSIONS[0]} to {VERSIONS[-1]}")
    if ask("SELECT pg_is_in_recovery()").scalar_one():
        faults.append("this server is a standby: changes and verification need the primary")
    if ask("SHOW server_encoding").scalar_one() != "UTF8":
        faults.append("the database is not encoded in UTF8")
    faults.extend(
        f"{name} = off: a crash of the server could bring revoked keys back"
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if ask(f"SHOW {name}").scalar_one() == "off"
    )
    return faults
