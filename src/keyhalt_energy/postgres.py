"""The schema `energy` in the installation's PostgreSQL database. Needs psycopg.

Nothing is kept in a session: a pooler may give each transaction another connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url

from keyhalt_energy.migrate import is_current, upgrade
from keyhalt_energy.options import PATIENT, WRITES

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from keyhalt_energy.options import Where

SCHEMA = "energy"
_LOCK = 0x656E6572
"""Writers take turns by it; an upgrade is a writer."""


def open_engine(where: Where) -> Engine:
    """Its transactions begin in one message, which says all that a session would."""
    assert where.database_url is not None  # noqa: S101 - the caller has looked
    engine = _engine(where, where.database_url, where.database_pool)
    event.listen(engine, "begin", _beginning(round(where.database_statement_seconds * 1000)))
    return engine


def bring_up(where: Where) -> None:
    """Make the schema and its tables, or bring them to this version's; past a pooler.

    Where all is there nothing is locked and no right to create anything is needed. Processes that
    start together take turns.
    """
    direct = _engine(where, where.database_direct_url or where.database_url or "", 1)
    event.listen(direct, "begin", _beginning(round(where.database_statement_seconds * 1000)))
    try:
        with direct.connect() as plain, plain.begin():
            if is_current(plain):
                return
        patient = {WRITES: True, PATIENT: True}
        with direct.connect().execution_options(**patient) as connection, connection.begin():
            find = "SELECT 1 FROM pg_namespace WHERE nspname = %(name)s"
            if connection.exec_driver_sql(find, {"name": SCHEMA}).first() is None:
                connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
            upgrade(connection)
    finally:
        direct.dispose()


def _engine(where: Where, url: str, pool_size: int) -> Engine:
    seconds = where.database_statement_seconds
    arguments: dict[str, Any] = {
        "autocommit": True,
        "application_name": "keyhalt-energy",
        "connect_timeout": min(max(round(seconds), 2), 5),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": round(seconds * 1000),
        # Through a pooler the next transaction may be on a connection that has not prepared it.
        "prepare_threshold": None if where.database_direct_url else 5,
    }
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=seconds,
        pool_pre_ping=True,
    )


def _beginning(limit: int) -> Any:  # noqa: ANN401 - a listener
    # Filters name tables bare, so the path is what finds them; times come back in UTC, for a year
    # may be the last that Python has.
    always = f"SET LOCAL search_path = {SCHEMA}; SET LOCAL timezone = 'UTC'; "
    limits = (
        f"SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit};"
        f" SET LOCAL idle_in_transaction_session_timeout = {limit}; "
    )
    none = (
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
        " SET LOCAL idle_in_transaction_session_timeout = 0; "
    )
    read = f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {always}{limits}"
    lock = f"SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock({_LOCK})"

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - a connection that was just checked out
        if options.get(WRITES):
            patience = none if options.get(PATIENT) else limits
            # READ COMMITTED: each statement after the lock sees what was committed before it.
            start = f"BEGIN ISOLATION LEVEL READ COMMITTED; {always}{patience}{lock}"
        else:
            start = read
        driver.execute(start, prepare=False)

    return begin
