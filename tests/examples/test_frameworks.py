"""Every framework's example, run by the server that its README names, and attacked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.examples.conftest import Examples, ask, free_port

FRAMEWORKS = ["fastapi", "starlette", "litestar", "flask", "django", "remote"]
pytestmark = pytest.mark.journey


@pytest.fixture(scope="module", params=FRAMEWORKS)
def url(examples: Examples, request: pytest.FixtureRequest) -> Iterator[str]:
    name: str = request.param
    port = str(free_port())
    commands = {
        "flask": ["flask", "run", "--port", port],
        "django": [sys.executable, "site_orders.py", "runserver", "--noreload", port],
    }
    command = commands.get(name, ["uvicorn", "app:app", "--port", port])
    with ExitStack() as stack:
        env: dict[str, str] = {}
        if name == "remote":
            internal = str(free_port())
            server = ["keyhalt", "serve", "--port", str(free_port())]
            env["KEYHALT_URL"] = f"http://127.0.0.1:{internal}"
            up = examples.started(server, env["KEYHALT_URL"], KEYHALT_INTERNAL_PORT=internal)
            stack.enter_context(up)
        address = f"http://127.0.0.1:{port}"
        stack.enter_context(examples.started(command, address, examples.folder / name, **env))
        yield address


def test_the_example_does_what_its_page_says(examples: Examples, url: str) -> None:
    """A key reads orders as its owner, may not place one, and nobody gets in without."""
    answer = ask(f"{url}/orders", ECI_ApiKey=examples.key)
    assert answer.status == 200, answer.body
    assert b"jsmith" in answer.body or json.loads(answer.body) == [10, 12]
    assert ask(f"{url}/orders", method="POST", ECI_ApiKey=examples.key).status == 403
    assert ask(f"{url}/health").status == 200
    for attack in (
        {},
        {"ECI_ApiKey": "nonsense"},
        {"ECI_ApiKey": examples.key[:-1]},
        {"Authorization": f"Bearer {examples.key}"},
        {"ECI_ApiKey": examples.key.swapcase()},
    ):
        answer = ask(f"{url}/orders", **attack)
        assert answer.status == 401, attack
        assert answer.headers["Content-Type"] == "application/problem+json"
    joined = f"{examples.key},{examples.key}"
    assert ask(f"{url}/orders", ECI_ApiKey=joined).status == 400
    assert ask(f"{url}/orders?apiKey={examples.key}").status == 401


def test_a_key_deleted_on_the_command_line_is_refused_at_the_next_request(
    examples: Examples, url: str
) -> None:
    """In the app's process, which remembered it."""
    key_id, key = examples.new_key()
    for _ in range(2):
        assert ask(f"{url}/orders", ECI_ApiKey=key).status == 200
    examples.keyhalt("key", "delete", key_id, "--yes")
    assert ask(f"{url}/orders", ECI_ApiKey=key).status == 401


def test_fastapi_shows_only_what_lies_under_the_topmost(examples: Examples) -> None:
    """The app's own look-up of ancestors decides: project 2 and below, nothing beside."""
    port = str(free_port())
    address = f"http://127.0.0.1:{port}"
    command = ["uvicorn", "app:app", "--port", port]
    with examples.started(command, address, examples.folder / "fastapi"):
        found = {
            number: ask(f"{address}/orders/{number}", ECI_ApiKey=examples.key).status
            for number in (10, 11, 12, 13)
        }
    assert found == {10: 200, 11: 404, 12: 200, 13: 404}
