"""An app that cannot be put behind the keys stops the start, in one line that says what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from keyhalt import AppContext, Call, Operation, Reply
from keyhalt.client.checking import AppError, check_app
from tests.cli.conftest import Keyhalt
from tests.world import Orders, World

ORDERS = Path(__file__).parents[1] / "orders.toml"


def handler(_call: Call) -> Reply:
    return Reply()


async def waiting(_call: Call) -> Reply:
    return Reply()


def operation(**changes: Any) -> Operation:
    return Operation(**{
        "name": "Find", "method": "GET", "path": "/api/x", "need": None, "handler": handler,
        **changes,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "/desk"}, "'/desk' does not begin with /api/"),
        ({"path": "api/desk"}, "'api/desk' does not begin with /api/"),
        ({"also": ("/v2/desk",)}, "'/v2/desk' does not begin with /api/"),
        ({"path": "/api/desk/"}, "ends with /"),
        ({"path": "/api/desk/{deskId:int}"}, "a parameter of its path '/api/desk/{deskId:int}'"),
        ({"path": "/api/desk/{deskId"}, "a parameter of its path"),
        ({"method": "get"}, "its method 'get' is none of GET, POST"),
        ({"need": "desks.view"}, r"'desks.view' is no Need; make one with context"),
        ({"instead": "desks.view"}, "'desks.view' is no Need"),
        ({"handler": "list"}, "its handler 'list' cannot be called"),
        ({"handler": waiting}, "its handler is async"),
    ],
)
def test_an_operation_that_cannot_be_served_is_named(
    world: World, changes: dict[str, Any], says: str
) -> None:
    """Not found at the request that meets it, but when the app opens."""
    app: Any = Orders(AppContext(world.engine.profile))
    check_app(app, "orders")
    app.operations = lambda: [
        operation(),
        operation(**{"path": "/api/y", "name": "Odd", **changes}),
    ]
    with pytest.raises(AppError, match=f"the app 'orders', operation Odd: .*{re.escape(says)}"):
        check_app(app, "orders")


def test_what_the_engine_asks_of_an_app_must_be_there() -> None:
    """Each method but `load_sample`, which only the demo asks for; and no address twice."""

    class Bare:
        def operations(self) -> list[Operation]:
            return [operation(), operation(name="Again", path="/api/X")]

    bare: Any = Bare()
    for name in ("contains", "describe", "close"):
        with pytest.raises(AppError, match=f"the app 'bare' has no method '{name}'"):
            check_app(bare, "bare")
        setattr(bare, name, handler)
    with pytest.raises(AppError, match="Find and Again are both GET /api/X"):
        check_app(bare, "bare")


def test_an_app_of_another_profile_is_one_line(
    bare: Keyhalt, password: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who forgot KEYHALT_APPS, and so has the app that ships, is told so by every command."""
    monkeypatch.setenv("KEYHALT_PROFILE", str(ORDERS))
    monkeypatch.setenv("KEYHALT_INSECURE_HTTP", "true")
    monkeypatch.delenv("KEYHALT_APPS")
    init = ("init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada")
    assert bare(*init, "--password-file", password).code == 0
    assert bare("key", "create", "--owner", "ada", "--name", "k", "-o", "key").code == 0
    assert bare("user", "set-topmost", "ada", "projects=1").code == 0
    explain = ("explain", "--key", "1", "--permission", "orders.view", "--node", "projects=2")
    monkeypatch.setenv("KEYHALT_PORT", "0")
    for command in (("serve",), explain):
        done = bare(*command)
        assert (done.code, done.err.count("\n")) == (78, 1), done
        assert "the app 'energy' does not go with the profile 'orders'" in done.err
        assert "KEYHALT_APPS" in done.err


def test_a_handler_that_returns_something_else_is_named_in_the_log(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client hears of a fault here, and nothing more; the log says which operation it was."""
    app: Any = world.orders
    app.list = lambda _call: [1, 2]
    _, key = world.key(world.user("jsmith", "*"))
    with world.client() as http:
        answer = http.get("/api/v3/order", headers={"ECI-ApiKey": key})
    assert answer.status_code == 500
    assert "list" not in answer.text
    assert "List returned a list, not Reply, Denied or Refused" in capsys.readouterr().err
