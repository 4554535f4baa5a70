"""SQLite files as the stores need them: WAL, foreign keys, full sync, private to their user."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from keyhalt.storage.transactions import WRITES
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUSY_SECONDS = 5.0
UPGRADE_BUSY_SECONDS = 600.0
VERIFY_BUSY_SECONDS = 0.25


def open_file(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A plain connection, autocommit. The file exists. For one thread at a time."""
    with in_our_words(path):
        connection = sqlite3.connect(
            f"file:{quoted(path)}?mode=rw",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def create_file(path: Path) -> None:
    """Make an empty store that only its user can read, in WAL mode; leave one that is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    with in_our_words(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        with closing(connection):
            connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{path}: {error}") from error


def open_engine(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose transactions begin as SQLite's own do, not as the driver guesses."""

    def connect() -> sqlite3.Connection:
        return open_file(path, busy_seconds=busy_seconds)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: upgrading a read can fail at once.
    immediate = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def quoted(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
