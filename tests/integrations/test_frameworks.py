"""Every framework, attacked in the same way, with the engine in the app's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from keyhalt.client.blocking import BlockingVerifier
from keyhalt.client.middleware import Authenticate
from keyhalt.client.wsgi import WaitingGate
from keyhalt.core.permissions import CatalogueError
from keyhalt.integrations.fastapi import protect, require
from keyhalt.integrations.litestar import KeyhaltPlugin
from keyhalt.library import EmbeddedVerifier
from keyhalt.usecases.uses import KeyUse
from tests.integrations.apps import APPS, Ask
from tests.world import OPERATOR, ORIGIN, World, until


@pytest.fixture(params=sorted(APPS))
def ask(world: World, request: pytest.FixtureRequest) -> Iterator[Ask]:
    with APPS[request.param](lambda: EmbeddedVerifier(world.other())) as asking:
        yield asking
    world.others.clear()


def key_header(world: World, *grants: str) -> tuple[int, tuple[str, str]]:
    key_id, key = world.key(world.user("jsmith", *grants))
    return key_id, ("ECI-ApiKey", key)


def test_a_key_with_the_permission_acts_as_its_owner(world: World, ask: Ask) -> None:
    """The view runs, and knows who calls."""
    _, key = key_header(world, "orders.view")
    answer = ask("/orders", key)
    assert (answer.status, answer.json) == (200, {"by": "jsmith"})


def test_nothing_is_answered_without_a_key_that_counts(world: World, ask: Ask) -> None:
    """401 with challenges and a problem document, for paths that do not exist, too."""
    for headers in ([], [("ECI-ApiKey", "nonsense")], [("Authorization", "Bearer made-up")]):
        answer = ask("/orders", *headers)
        assert answer.status == 401
        assert answer.header("content-type") == "application/problem+json"
        assert 'ApiKey realm="Lab"' in answer.header("www-authenticate")
        assert answer.header("cache-control") == "no-store"
        assert answer.json["requestId"]
    denials = world.others[0]
    denials.recorder.flush()
    assert {event.reason for event in world.denials()} == {
        "missing_credential",
        "foreign_text",
        "unknown_token",
    }


def test_a_missing_permission_is_403_and_named(world: World, ask: Ask) -> None:
    """The problem says which; the audit log says who."""
    _, key = key_header(world, "orders.view")
    answer = ask("/orders/new", key)
    assert (answer.status, answer.json["code"]) == (403, "permission_denied")
    assert answer.json["permission"] == "orders.create"
    world.others[0].recorder.flush()
    (denial,) = world.denials()
    assert (denial.actor.name, denial.reason) == ("jsmith", "permission_denied")


def test_what_keys_do_is_counted(world: World, ask: Ask) -> None:
    """A view that ran by its permission; one that did not, as denied and not as allowed."""
    key_id, key = key_header(world, "orders.view")
    agent = ("User-Agent", "night-job/1.2")
    for path in ("/orders", "/orders/new", "/orders"):
        ask(path, key, agent)

    def seen() -> KeyUse:
        world.others[0].use_recorder.flush()
        return world.engine.look_up_use.of(world.datasource_id, [key_id])[key_id]

    until(lambda: seen().last_24_hours == (2, 1))
    use = seen()
    assert use.last is not None
    assert (use.last.agent, use.last.operation[-6:]) == ("night-job", "orders")
    assert use.permissions == world.engine.profile.catalogue.need("orders", "view").bits
    assert use.denied == {"permission_denied": 1}


def test_two_keys_are_refused(world: World, ask: Ask) -> None:
    """Whether they arrive apart or joined by the server."""
    _, key = key_header(world, "orders.view")
    assert ask("/orders", key, key).status == 400
    assert ask("/orders", ("ECI-ApiKey", f"{key[1]},{key[1]}")).status == 400


def test_plain_http_is_refused(world: World, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """A key that travelled in clear is refused, its owner is warned, the log names the setting."""
    _, key = key_header(world, "orders.view")
    answer = ask("/orders", key, scheme="http")
    assert (answer.status, answer.json["code"]) == (400, "https_required")
    world.others[0].recorder.flush()
    (warned,) = [event for event in world.events() if event.event.value == "key.exposed"]
    assert warned.details["where"] == "plain http"
    ask("/orders", key, scheme="http")
    told = [line for line in caplog.messages if "KEYHALT_INSECURE_HTTP=true" in line]
    assert len(told) == 1


def test_open_paths_compare_exactly(ask: Ask) -> None:
    """What is not literally an open path asks for a key."""
    assert ask("/health").status == 200
    for path in ("/HEALTH", "/health/x", "/healthy", "/orders"):
        assert ask(path).status in (401, 404), path


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [("/health", TypeError, "such as"), (["health"], ValueError, "'health' is no path")],
)
def test_open_paths_that_are_none_are_an_error_at_once(
    world: World, wrong: Any, error: type[Exception], says: str
) -> None:
    """A text would open a path for each of its letters, `/` among them."""
    verifier = world.engine.verify
    for make in (
        lambda: Authenticate(FastAPI(), verifier, open_paths=wrong),
        lambda: protect(FastAPI(), verifier, open_paths=wrong),
        lambda: KeyhaltPlugin(verifier, open_paths=wrong),
        lambda: WaitingGate(BlockingVerifier(lambda: verifier), wrong),
    ):
        with pytest.raises(error, match=says):
            make()


def test_a_misspelt_permission_stops_the_start_of_a_fastapi_app(world: World) -> None:
    """Also of a router that is included; the app's own lifespan runs when all are known."""
    ran = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ran.append("start")
        yield
        ran.append("end")

    def made(*names: str) -> FastAPI:
        app, router = FastAPI(lifespan=lifespan), APIRouter()
        protect(app, world.engine.verify)
        for name in names:
            router.add_api_route(f"/{name}", lambda: None, dependencies=[Depends(require(name))])
        app.include_router(router)
        return app

    says = r"no permission order\.view in this catalogue; did you mean orders\.view"
    with pytest.raises(CatalogueError, match=says), TestClient(made("orders.view", "order.view")):
        pass
    assert ran == []
    with TestClient(made("orders.view")):
        assert ran == ["start"]
    assert ran == ["start", "end"]


def test_a_deleted_key_is_refused_at_the_next_request(world: World, ask: Ask) -> None:
    """Remembered or not: deleted in another process, refused here."""
    key_id, key = key_header(world, "orders.view")
    for _ in range(3):
        assert ask("/orders", key).status == 200
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    assert ask("/orders", key).status == 401


def test_what_a_role_loses_its_keys_lose_at_once(world: World, ask: Ask) -> None:
    """And what it gets, they get."""
    _, key = key_header(world, "orders.view")
    assert ask("/orders", key).status == 200
    world.grant("jsmith", "orders.create")
    assert ask("/orders", key).status == 403
    assert ask("/orders/new", key).status == 200


@pytest.mark.parametrize(
    ("name", "path"), [("fastapi", "/openapi.json"), ("litestar", "/schema/openapi.json")]
)
def test_the_apps_own_document_tells_of_keys(world: World, name: str, path: str) -> None:
    """The scheme, and what 401 and 403 look like, in the document that the app serves."""
    with APPS[name](lambda: EmbeddedVerifier(world.other())) as ask:
        document = ask(path).json
    world.others.clear()
    scheme = document["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "ECI-ApiKey")
    assert "Problem" in document["components"]["schemas"]
    orders = document["paths"]["/orders"]["get"]
    assert orders["security"] == [{"ApiKey": []}]
    assert "orders.view" in orders["responses"]["403"]["description"]
    assert "application/problem+json" in orders["responses"]["401"]["content"]
    assert (
        "orders.create"
        in document["paths"]["/orders/new"]["get"]["responses"]["403"]["description"]
    )
    assert "security" not in document["paths"]["/health"]["get"]
