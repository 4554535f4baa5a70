"""A PostgreSQL for measurements, on the core of the load, that counts its statements."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tests.postgres import OwnServer, Server, postgres_server

from bench.loads import LOAD_CORE

COUNTED = (
    "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
    " WHERE d.datname = current_database() AND query !~* '^(begin|commit|rollback|show|set)'"
)


class Counting:
    """A server for contenders; each has a database of its own."""

    def __init__(self, server: Server, *, counts: bool) -> None:
        self._server = server
        self._counts = counts

    def create(self) -> str:
        url = self._server.create()
        if self._counts:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION pg_stat_statements")
        return url

    def statements(self, url: str) -> int | None:
        """How many were executed in this database so far, without transaction control."""
        if not (self._counts and url):
            return None
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(COUNTED).fetchone()
        return int(found[0]) if found else None


@contextmanager
def counting_server() -> Iterator[Counting | str]:
    """The server, or why there is none. One that was given by address counts nothing."""
    with postgres_server() as server:
        if isinstance(server, str):
            yield server
            return
        if not isinstance(server, OwnServer):
            yield Counting(server, counts=False)
            return
        server.run("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        server.stop()
        server.start()
        with psycopg.connect(server.admin_url) as connection:
            found = connection.execute("SHOW data_directory").fetchone()
        assert found is not None
        postmaster = int((Path(found[0]) / "postmaster.pid").read_text().split()[0])
        os.sched_setaffinity(postmaster, {int(LOAD_CORE)})
        yield Counting(server, counts=True)
