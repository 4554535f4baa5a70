"""The data of this app: a file of its own, or a schema of its own in a PostgreSQL database.

It lives apart from the store of rights on purpose: a bill that is written must not move what
verifiers watch. Writers take turns from their first statement, readers see one snapshot: what is
true of two requests at once is true on both.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from keyhalt_energy import sqlite
from keyhalt_energy.migrate import upgrade
from keyhalt_energy.options import PATIENT, WRITES
from keyhalt_energy.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from keyhalt_energy.options import Where

_UNIQUE_VIOLATION = "23505"


class DuplicateError(Exception):
    """A code is taken among its siblings."""


class UnavailableError(Exception):
    """The database is busy or gone. It may be asked again."""


class Store:
    """Connections to one energy database. For any number of threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot: what several statements read belongs together."""
        with self._transaction({WRITES: False}) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start. Raises DuplicateError."""
        with self._transaction({WRITES: True}) as connection:
            yield connection

    @contextmanager
    def bulk(self) -> Iterator[Connection]:
        """As `write`, for as long as it takes; at its end PostgreSQL counts what there is now.

        SQLite was told once what is typical (docs/energy.md).
        """
        with self._transaction({WRITES: True, PATIENT: True}) as connection:
            yield connection
            if connection.dialect.name == "postgresql":
                names = ", ".join(metadata.tables)
                connection.exec_driver_sql(f"ANALYZE {names}")

    @contextmanager
    def _transaction(self, options: dict[str, bool]) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**options)
                with connection.begin():
                    yield connection
        except IntegrityError as error:
            if _is_duplicate(error):
                raise DuplicateError from error
            raise
        except (DBAPIError, PoolTimeoutError, self._engine.dialect.loaded_dbapi.Error) as error:
            if _is_a_bug(error):
                raise
            raise UnavailableError(str(getattr(error, "orig", error))) from error

    def close(self) -> None:
        self._engine.dispose()


def open_store(where: Where) -> Store:
    """Where the installation says, brought to this version's schema."""
    if where.database_url is None:
        assert where.folder is not None  # noqa: S101 - one of them is there
        return _on_sqlite(where.folder / "energy.db")
    from keyhalt_energy import postgres  # noqa: PLC0415 - its driver is an extra

    postgres.bring_up(where)
    return Store(postgres.open_engine(where))


def _on_sqlite(path: Path) -> Store:
    sqlite.create_file(path)
    store = Store(sqlite.open_engine(path))
    # Under the write lock, so that processes that start together take turns.
    with store.write() as connection:
        upgrade(connection)
    return store


def _is_duplicate(error: IntegrityError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == _UNIQUE_VIOLATION or (state is None and "UNIQUE" in str(error.orig))


def _is_a_bug(error: Exception) -> bool:
    """A statement that can never succeed is not to be tried again."""
    return isinstance(error, ProgrammingError | DataError | NotSupportedError)
