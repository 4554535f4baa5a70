"""A running demo server, as a stranger starts it, and the official client, as its users use it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.installing import KEYHALT, Installation, install
from tests.postgres import Server as Postgres


@dataclass(frozen=True)
class Server:
    """What the demo printed."""

    url: str
    environment: str
    datasource: str
    key: str
    user_code: str
    password: str
    passwords: dict[str, str]
    made: Installation | None = None
    """Where commands about it go, for those who need them."""

    def client(self, **headers: str) -> Any:
        """The official client, unmodified, with the headers its users set."""
        from energycap.sdk import EnergyCapApi

        client = EnergyCapApi(base_url=self.url)
        for name, value in headers.items():
            client.config.headers[name.replace("_", "-")] = value
        return client

    def with_key(self, key: str | None = None) -> Any:
        return self.client(ECI_ApiKey=key or self.key)


def read_server(process: subprocess.Popen[str]) -> Server:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else "no output"
    return server_of(json.loads(line))


def server_of(said: Any) -> Server:
    return Server(
        url=said["url"],
        environment=said["environment"],
        datasource=said["datasource"],
        key=said["apiKey"],
        user_code=said["userCode"],
        password=said["password"],
        passwords={user["userCode"]: user["password"] for user in said["users"]},
    )


Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start_demo() -> Iterator[Start]:
    """Starts demos; stops them at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Server:
        process = subprocess.Popen(
            [KEYHALT, "demo", "--port", "0", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return read_server(process)

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module", params=["one process on SQLite", "two workers on PostgreSQL"])
def server_on_either(
    request: pytest.FixtureRequest,
    start_demo: Start,
    any_postgres: Postgres | str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The same sample, as a demo, and as `keyhalt serve` has it where one process is not enough.

    A module's `SIZE` is what its demo is told beside.
    """
    size = getattr(request.module, "SIZE", ())
    if request.param == "one process on SQLite":
        data = tmp_path_factory.mktemp("demo")
        yield replace(start_demo("--data", str(data), *size), made=Installation(data))
        return
    if isinstance(any_postgres, str):
        pytest.skip(any_postgres)
    url = any_postgres.create()
    made = Installation(tmp_path_factory.mktemp("served"), url)
    demo = subprocess.Popen(
        [KEYHALT, "demo", "--port", "0", "--json", "--data", made.data, *size],
        env=made.environment(apps="energy"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sample = read_server(demo)
    demo.terminate()
    demo.communicate(timeout=30)
    _, address = made.serve(apps="energy", workers="2", drain_seconds="0.2")
    yield replace(sample, url=address, made=made)
    made.stop()
    any_postgres.drop(url)


@pytest.fixture(scope="module")
def server(start_demo: Start) -> Server:
    """One demo for a module of tests."""
    return start_demo()


@pytest.fixture(params=["sqlite", "postgresql"])
def on_either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """What `keyhalt init` made, on each store; its servers are stopped at the end."""
    on_postgres = request.param == "postgresql"
    url = request.getfixturevalue("database_url") if on_postgres else ""
    made = install(tmp_path / "data", url)
    yield made
    made.stop()
