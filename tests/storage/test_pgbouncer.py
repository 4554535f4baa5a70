"""Through PgBouncer in transaction mode, with leases past it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import keyhalt_energy
from keyhalt import AppContext
from keyhalt.core.decisions import Allowed, Denied
from keyhalt.storage.postgres import Database
from tests.energy.estate import PROFILE, Api, place_body, principal, sized
from tests.postgres import Server
from tests.storage.test_guard import ask, changes, remembers
from tests.world import World, make_world, until

CONFIG = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 200
default_pool_size = 2
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def store() -> str:
    """Once, not per store."""
    return "postgresql"


@pytest.fixture
def pooler(database_url: str, postgres: Server) -> Iterator[str]:
    """The address of a pooler in front of `database_url`."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    with psycopg.connect(database_url) as connection:
        info = connection.info
        at = {"host": info.host, "port": info.port, "user": info.user}
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="keyhalt-pgbouncer-"))
    (folder / "pgbouncer.ini").write_text(CONFIG.format(folder=folder, listen=listen, **at))
    # It does not run as root, and needs to reach the server's socket.
    user = None
    if os.geteuid() == 0:
        socket_of = Path(str(at["host"]))
        user = socket_of.stat().st_uid if socket_of.is_dir() else pwd.getpwnam("nobody").pw_uid
        os.chown(folder, user, -1)
    process = subprocess.Popen(
        [program, "-q", folder / "pgbouncer.ini"], user=user, stderr=subprocess.PIPE, text=True
    )
    url = make_url(database_url).set(host="127.0.0.1", port=listen, query={}, username=at["user"])

    def answers() -> bool:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        until(answers)
        yield url.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.communicate(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pooled(tmp_path: Path, database_url: str, pooler: str) -> Iterator[World]:
    """A world whose every process goes through the pooler, but for its lease."""
    database = Database(pooler, listen_url=database_url, pool_size=3)
    made = make_world(tmp_path / "data", database=database)
    yield made
    made.close()


def test_everything_works_through_a_pooler(pooled: World) -> None:
    """More statements and processes than the pooler has connections; no prepared one is lost."""
    keys = [pooled.key(pooled.user(f"user{n}", "orders.view"))[1] for n in range(8)]
    others = [pooled.other() for _ in range(2)]
    for _ in range(3):
        for engine in (pooled.engine, *others):
            for key in keys:
                assert isinstance(ask(engine, key), Allowed)


def test_a_delete_through_a_pooler_is_waited_for(pooled: World) -> None:
    """Leases, acknowledgements and hints take the direct way."""
    _, key = pooled.key(pooled.user("jsmith", "orders.view"))
    other = pooled.other()
    assert isinstance(ask(other, key), Allowed)
    assert remembers(other, key)
    receipt = changes(pooled)["delete_key"]()
    assert (receipt.form, receipt.acknowledged, receipt.timed_out) == ("barrier", 2, 0)
    assert isinstance(ask(other, key), Denied)


def test_the_energy_api_keeps_nothing_in_a_connection(pooler: str, database_url: str) -> None:
    """Brought up past the pooler; then two apps in turn, on connections that are anybody's."""
    context = AppContext(PROFILE, None, pooler, database_url)
    apps = [keyhalt_energy.app(context) for _ in range(2)]
    roots = apps[0].load_sample(1, 1, **sized(meters=9, bills=9))[0]
    caller = principal(places=(roots["places"],), centers=(roots["costCenters"],))
    for number in range(12):
        api = Api(apps[number % 2])
        place = api(caller, "POST", "/api/v3/place", place_body(roots["places"], f"P{number}"))
        assert place.status == 200
        with psycopg.connect(pooler, autocommit=True) as stranger:
            assert stranger.execute("SHOW search_path").fetchone() != ("energy",)
        found = Api(apps[1 - number % 2])(
            caller, "GET", "/api/v3/place", filter=f"placeCode equals 'p{number}'"
        )
        assert found.ids == [place.body["placeId"]]
    for app in apps:
        app.close()
