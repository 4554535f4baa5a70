"""One transaction of a store, on either database, with the same meaning.

Writers of one store take turns from the first statement on, as SQLite has it: on PostgreSQL by an
advisory lock. So what is true of two changes at once is true on both. Readers see one snapshot.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from keyhalt.usecases.ports import DuplicateError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

WRITES = "keyhalt_writes"
"""The execution option that an engine's `begin` listener looks at."""
_UNIQUE_VIOLATION = "23505"


@contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """Commits at the end. Raises DuplicateError, and StoreUnavailableError for all else.

    After StoreUnavailableError from a commit its outcome is unknown: do it again.
    """
    try:
        with engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: write})
            with connection.begin():
                yield connection
    except IntegrityError as error:
        if _is_duplicate(error):
            raise DuplicateError from error
        raise
    except (DBAPIError, PoolTimeoutError, engine.dialect.loaded_dbapi.Error) as error:
        raise StoreUnavailableError(str(getattr(error, "orig", error))) from error


def _is_duplicate(error: IntegrityError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == _UNIQUE_VIOLATION or (state is None and "UNIQUE" in str(error.orig))
