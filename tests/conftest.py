"""What tests share. Everything is real: stores, processes, the official client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from starlette.testclient import TestClient

from keyhalt.storage.postgres import Database
from tests.postgres import Server, postgres_server
from tests.world import World, make_world

# No test measures time against the clock of a shared machine.
hypothesis.settings.register_profile("keyhalt", deadline=None)
hypothesis.settings.load_profile("keyhalt")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    import os

    for name in list(os.environ):
        if name.startswith("KEYHALT_"):
            monkeypatch.delenv(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="where the stores of tests lie that run on either",
    )


@pytest.fixture(scope="session")
def any_postgres() -> Iterator[Server | str]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres(any_postgres: Server | str) -> Server:
    """A PostgreSQL server, or the test is skipped and says why."""
    if isinstance(any_postgres, str):
        pytest.skip(any_postgres)
    return any_postgres


@pytest.fixture
def database_url(postgres: Server) -> Iterator[str]:
    """A new, empty database."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> str:
    """Where the world lies: sqlite or postgresql."""
    return str(request.config.getoption("--store"))


@pytest.fixture
def world(tmp_path: Path, store: str, request: pytest.FixtureRequest) -> Iterator[World]:
    """An environment on the tiny catalogue of orders and projects."""
    database = None
    if store == "postgresql":
        database = Database(request.getfixturevalue("database_url"))
    made = make_world(tmp_path / "data", database=database)
    yield made
    made.close()


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    """The world's application over HTTPS."""
    with world.client() as client:
        yield client
