"""The remote verifier against a real server, and against everything that is not one."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from keyhalt import Allowed, Denied, Reason, RemoteVerifier
from keyhalt.config import load_settings
from keyhalt.core.decisions import Decision, Presented, permit
from keyhalt.core.permissions import CatalogueError
from keyhalt.main import application
from keyhalt.web.server import listen
from tests.serving import Running, running, serving, url_of
from tests.world import OPERATOR, ORIGIN, World

SECRET = "a secret of sixteen"


@pytest.fixture
def server(world: World) -> Iterator[Running]:
    with serving(world, proxy_secret=SECRET) as up:
        yield up


@pytest.fixture
def remote(server: Running) -> Iterator[RemoteVerifier]:
    with closing(RemoteVerifier(server.internal, secret=SECRET)) as verifier:
        yield verifier


def ask(verifier: RemoteVerifier, *keys: str, **more: Any) -> Decision:
    presented = Presented(tuple(key.encode() for key in keys), over_https=True, **more)
    return verifier.verify_now(presented)


def post(server: Running, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection(urlsplit(server.internal).netloc)
    with closing(connection):
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        said["Content-Type"] = "application/json"
        connection.request("POST", "/api/keyhalt/v1/verify", json.dumps(body), said)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_principal_is_the_one_that_the_server_sees(
    world: World, remote: RemoteVerifier
) -> None:
    """Everything but the permission bits, which are compared by name."""
    user = world.user("jsmith", "orders.view")
    key_id, key = world.key(user)
    decision = ask(remote, key)
    assert isinstance(decision, Allowed)
    principal = decision.principal
    assert (principal.user_id, principal.user_code, principal.datasource) == (1, "jsmith", "acme")
    assert (principal.credential.id, principal.topmosts) == (key_id, {"projects": (1,)})
    assert permit(principal, remote.need("orders.view")) is None
    assert isinstance(permit(principal, remote.need("orders.create")), Denied)
    with pytest.raises(CatalogueError):
        remote.need("orders")


def test_a_forked_process_asks_over_a_connection_and_in_threads_of_its_own(world: World) -> None:
    """On its parent's each would read answers that are for the other."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    presented = Presented((key.encode(),), over_https=True)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    settings = load_settings(**{**world.settings, "internal_port": port})
    app = application(settings, world.other(), [world.orders])
    peers = set()

    async def seen(scope: Any, receive: Any, send: Any) -> None:
        peers.add(scope.get("client"))
        await app(scope, receive, send)

    with running(seen, listener), closing(RemoteVerifier(url_of(listener))) as verifier:
        assert isinstance(asyncio.run(verifier.verify(presented)), Allowed)
        child = os.fork()
        if not child:
            allowed = isinstance(asyncio.run(verifier.verify(presented)), Allowed)
            os._exit(0 if allowed else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert isinstance(asyncio.run(verifier.verify(presented)), Allowed)
    assert len(peers - {None}) == 2


def test_a_deleted_key_is_refused_at_the_next_request(world: World, remote: RemoteVerifier) -> None:
    """It asks every time."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    assert isinstance(ask(remote, key), Allowed)
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    denied = ask(remote, key)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.INVALID_KEY


@pytest.mark.parametrize(
    ("keys", "more", "reason"),
    [
        ((), {}, Reason.MISSING_CREDENTIAL),
        (("nonsense",), {}, Reason.MALFORMED_KEY),
        (("a", "b"), {}, Reason.AMBIGUOUS_CREDENTIAL),
        ((), {"authorizations": 2}, Reason.AMBIGUOUS_CREDENTIAL),
        ((), {"bearer": b"made-up", "authorizations": 1}, Reason.INVALID_TOKEN),
        ((), {"query": b"apiKey=a%2Bb"}, Reason.KEY_IN_URL),
    ],
)
def test_a_denial_has_the_reason_that_the_server_gives(
    remote: RemoteVerifier, keys: tuple[str, ...], more: dict[str, Any], reason: Reason
) -> None:
    """The order of checks is the server's; nothing is decided twice."""
    denied = ask(remote, *keys, **more)
    assert isinstance(denied, Denied)
    assert denied.reason is reason


def test_plain_http_at_the_app_is_refused_by_the_servers_rule(remote: RemoteVerifier) -> None:
    """The app says how its client came; the installation says whether that is enough."""
    denied = remote.verify_now(Presented(keys=(b"x",), over_https=False))
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.HTTPS_REQUIRED


def test_the_audit_log_has_the_client_and_not_the_app(world: World, remote: RemoteVerifier) -> None:
    """Denials are recorded at the server, under the address that the app saw."""
    ask(remote, "nonsense", source="203.0.113.9")
    engine = world.others[0]
    engine.recorder.flush()
    assert [event.origin.source for event in world.denials()] == ["203.0.113.9"]


def test_a_wrong_secret_allows_nothing(world: World, server: Running) -> None:
    """The server answers 403, and the app 503."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    with closing(RemoteVerifier(server.internal, secret="another secret, wrong")) as verifier:
        denied = ask(verifier, key)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.UNAVAILABLE
    status, problem = post(server, {"overHttps": True, "apiKey": key})
    assert (status, problem["code"]) == (403, "proxy_secret")


def test_a_server_that_is_down_allows_nothing(world: World) -> None:
    """Fail closed: 503 with Retry-After. Once it is back it is asked again."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    with serving(world) as up:
        verifier = RemoteVerifier(up.internal)
        assert isinstance(ask(verifier, key), Allowed)
    denied = ask(verifier, key)
    verifier.close()
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.retry_after_seconds) == (Reason.UNAVAILABLE, 1)


def test_an_idle_connection_that_broke_is_replaced(world: World, server: Running) -> None:
    """A server that closed its idle connections costs no request."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    with closing(RemoteVerifier(server.internal, secret=SECRET)) as verifier:
        assert isinstance(ask(verifier, key), Allowed)
        idle = verifier._idle[0]
        assert idle.sock is not None
        idle.sock.shutdown(socket.SHUT_RDWR)
        assert isinstance(ask(verifier, key), Allowed)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"allowed":true}',
        b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"allowed":"true"}',
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * 100_000,
        None,
    ],
    ids=["closed", "no-http", "empty", "half", "text", "204", "302", "500", "huge", "silent"],
)
def test_whatever_else_is_answered_allows_nothing(answer: bytes | None) -> None:
    """Only a complete decision in a 200 counts; silence ends with the time-out."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            if answer is None:
                stop.wait(30)
            else:
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with closing(listener), closing(RemoteVerifier(url, timeout_seconds=0.5)) as verifier:
        denied = ask(verifier, "x")
        stop.set()
        thread.join(30)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.UNAVAILABLE


def test_a_permission_can_be_asked_with_the_credential(world: World, server: Running) -> None:
    """For everybody who does not use the library: one question, one answer."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    question = {"overHttps": True, "apiKey": key, "permission": "orders.view"}
    status, answer = post(server, question, Keyhalt_Proxy_Secret=SECRET)
    assert (status, answer["allowed"]) == (200, True)
    assert answer["principal"]["permissions"] == ["orders.view"]
    question["permission"] = "orders.create"
    _, answer = post(server, question, Keyhalt_Proxy_Secret=SECRET)
    assert answer["reason"] == "permission_denied"
    assert answer["permission"] == "orders.create"
    question["permission"] = "orders.fly"
    status, problem = post(server, question, Keyhalt_Proxy_Secret=SECRET)
    assert (status, problem["code"], problem["field"]) == (400, "invalid_body", "permission")
    status, problem = post(
        server, {"apiKey": "\u20ac", "overHttps": True}, Keyhalt_Proxy_Secret=SECRET
    )
    assert (status, problem["code"]) == (400, "invalid_body")


def test_the_public_listener_does_not_verify(world: World, server: Running) -> None:
    """Who holds a key and nothing else finds no such address."""
    public = Running(server.url, server.url)
    _, key = world.key(world.user("jsmith", "orders.view"))
    status, problem = post(public, {"overHttps": True, "apiKey": key}, Keyhalt_Proxy_Secret=SECRET)
    assert status in (400, 401)
    assert problem["code"] in ("https_required", "missing_credential")


def test_an_address_that_is_none_is_refused_at_once() -> None:
    """A mistake in the set-up is told when it is made."""
    with pytest.raises(ValueError, match="http://host:port"):
        RemoteVerifier("127.0.0.1:8081")
