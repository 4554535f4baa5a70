"""The file `energy.db`: WAL, foreign keys, private to its user, brought to this version on opening.

It lives apart from the store of rights on purpose: a bill that is written must not move what
verifiers watch.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUSY_SECONDS = 5.0
_IMMEDIATE = "energy_immediate"
_MIGRATIONS = Path(__file__).parent / "migrations"


class DuplicateError(Exception):
    """A code is taken among its siblings."""


class Store:
    """Connections to one energy database. For any number of threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._engine = _open(path)
        with self.write() as connection:
            _upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: what several statements read belongs together."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start. Raises DuplicateError."""
        with self._transaction(write=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{_IMMEDIATE: write})
                with connection.begin():
                    yield connection
        except IntegrityError as error:
            if "UNIQUE" in str(error.orig):
                raise DuplicateError from error
            raise

    def close(self) -> None:
        self._engine.dispose()


def _open(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, max_overflow=40)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # A transaction that will write takes the lock at once: upgrading a read can fail at once.
    immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _upgrade(connection: Connection) -> None:
    """Under the write lock, so that processes that start together take turns."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
