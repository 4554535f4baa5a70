"""What tests share. Everything is real: stores, processes, the official client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.world import World, make_world


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    import os

    for name in list(os.environ):
        if name.startswith("KEYHALT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An environment on the tiny catalogue of orders and projects."""
    made = make_world(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    """The world's application over HTTPS."""
    with world.client() as client:
        yield client
