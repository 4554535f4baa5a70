"""Each proxy's example, with the real program, attacked from outside."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.examples.conftest import ROOT, Examples, free_port
from tests.examples.wire import Got, Relay, send

PROXIES = ["nginx", "traefik", "caddy", "envoy"]
COMMANDS = {
    "nginx": ["-p", ".", "-c", "nginx.conf"],
    "traefik": ["--configFile=traefik.yml"],
    "caddy": ["run"],
    "envoy": ["-c", "envoy.yaml", "--log-level", "error", "--use-dynamic-base-id"],
}
IDENTITY = {
    "keyhalt-user-id": "2",
    "keyhalt-user-code": "jsmith",
    "keyhalt-datasource": "acme",
    "keyhalt-environment": "Lab",
    "keyhalt-permissions": "orders.view",
    "keyhalt-topmost-projects": "2",
}
pytestmark = pytest.mark.journey


def program(name: str) -> Path:
    found = ROOT / ".venv" / "proxies" / name / "bin" / name
    if name == "nginx":
        found = Path(shutil.which("nginx") or "/usr/sbin/nginx")
    if not found.exists():
        pytest.skip(f"{name} is not here; 'make proxies' installs it where it can be had")
    return found


@dataclass
class Proxy:
    name: str
    port: int
    relay: Relay
    key: str
    strict: int
    """Where a server listens that takes keys over HTTPS only."""
    slow: list[Got]
    slow_done: threading.Thread

    def ask(self, path: str = "/orders/17", *headers: tuple[str, str], **more: Any) -> Got:
        return send(self.port, path, *headers, **more)

    def with_key(self, path: str = "/orders/17", *headers: tuple[str, str], **more: Any) -> Got:
        return self.ask(path, ("ECI-ApiKey", self.key), *headers, **more)


@pytest.fixture(scope="module")
def servers(examples: Examples) -> Iterator[tuple[int, int, int]]:
    """Internal ports of a server over plain HTTP and of a strict one; the port of the backend."""
    examples.keyhalt("policy", "apply", "orders-policy.toml")
    plain, strict, backend = free_port(), free_port(), free_port()
    serve = ["keyhalt", "serve", "--port"]
    strictly = {"KEYHALT_INSECURE_HTTP": "false", "KEYHALT_TRUSTED_PROXIES": "192.0.2.1"}
    with ExitStack() as stack:
        for port, more in ((plain, {}), (strict, strictly)):
            command = [*serve, str(free_port())]
            url = f"http://127.0.0.1:{port}"
            env = {"KEYHALT_INTERNAL_PORT": str(port), **more}
            stack.enter_context(examples.started(command, url, **env))
        command = ["uvicorn", "app:app", "--port", str(backend)]
        url = f"http://127.0.0.1:{backend}"
        stack.enter_context(examples.started(command, url, examples.folder / "backend"))
        yield plain, strict, backend


@contextmanager
def started(examples: Examples, name: str, keyhalt: int, backend: int, *edit: str) -> Iterator[int]:
    """The proxy of an example, its ports put in; `edit`: what to write for what. Its port."""
    command = [program(name), *COMMANDS[name]]
    port = free_port()
    folder = examples.folder / f"{name}-{port}"
    shutil.copytree(ROOT / "examples" / name, folder)
    for file in folder.iterdir():
        text = file.read_text()
        if edit and edit[0] in text:
            text = text.replace(*edit)
        for shown, real in (("8000", port), ("8081", keyhalt), ("9000", backend)):
            text = re.sub(rf"\b{shown}\b", f"<{real}>", text)
        file.write_text(re.sub(r"<(\d+)>", r"\1", text))
    with examples.started(command, f"http://127.0.0.1:{port}", folder):
        while send(port).status == 404:
            time.sleep(0.05)  # Traefik listens before it knows its routes
        yield port


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    examples: Examples, servers: tuple[int, int, int], request: pytest.FixtureRequest
) -> Iterator[Proxy]:
    name: str = request.param
    program(name)
    plain, strict, backend = servers
    relay = Relay(plain)
    relay.start()
    with started(examples, name, relay.port, backend) as port:
        slow: list[Got] = []
        hanging = threading.Thread(
            target=lambda: slow.append(
                send(port, "/hang", ("ECI-ApiKey", examples.key), source="127.0.0.9")
            )
        )
        hanging.start()
        yield Proxy(name, port, relay, examples.key, strict, slow, hanging)
    relay.stop()


def values(seen: Any, name: str) -> list[str]:
    """What the backend got under `name`, however it is spelt."""
    return [v for n, v in seen["headers"] if re.sub(r"[^a-z0-9]", "-", n.lower()) == name]


def test_the_backend_is_told_who_calls_and_never_gets_the_key(proxy: Proxy) -> None:
    """Method, path, query and body pass as they are; every identity header stands there once."""
    got = proxy.with_key("/orders/17?x=1&y=%2F")
    assert got.status == 200, got
    seen = got.json
    assert (seen["method"], seen["path"], seen["query"]) == ("GET", "/orders/17", "x=1&y=%2F")
    assert {name: values(seen, name) for name in IDENTITY} == {
        name: [value] for name, value in IDENTITY.items()
    }
    assert values(seen, "keyhalt-assertion")[0].count(".") == 2
    assert values(seen, "eci-apikey") == values(seen, "authorization") == []
    assert proxy.key not in str(seen)
    assert proxy.with_key(method="HEAD").status == 200


def test_each_denial_reaches_the_client(proxy: Proxy) -> None:
    """With its status, its challenge and a problem document; the backend sees nothing."""
    cases = [
        (proxy.ask(), 401, "missing_credential"),
        (proxy.ask("/orders/17", ("ECI-ApiKey", "nonsense")), 401, "malformed_key"),
        (proxy.with_key("/orders", method="POST", body=b"{}"), 403, "permission_denied"),
        (proxy.with_key("/orders/17", method="DELETE"), 403, "not_in_policy"),
        (proxy.with_key("/elsewhere"), 403, "not_in_policy"),
        (proxy.with_key("/orders/17", ("ECI-ApiKey", proxy.key)), 400, "ambiguous_credential"),
        (proxy.with_key("/orders/17", ("ECI-ApiKey", "other")), 400, "ambiguous_credential"),
        (proxy.ask("/orders/17", ("ECI-ApiKey", f"{proxy.key},x")), 400, "ambiguous_credential"),
        (proxy.ask(f"/orders/17?apiKey={proxy.key}"), 401, "key_in_url"),
    ]
    for got, status, code in cases:
        assert (got.status, got.json["code"]) == (status, code), got
        assert got.header("content-type").startswith("application/problem+json")
        assert got.header("cache-control") == "no-store"
        if status == 401:
            assert 'ApiKey realm="Lab"' in got.header("www-authenticate")


LIES = [
    ("Keyhalt-User-Id", "1"),
    ("Keyhalt-User-Code", "ada"),
    ("Keyhalt-Key-Id", "999"),
    ("Keyhalt-Permissions", "settings.manage"),
    ("Keyhalt-Topmost-Projects", "1"),
    ("Keyhalt-Topmost-Other", "1"),
    ("Keyhalt-Assertion", "a.b.c"),
    ("KEYHALT-DATASOURCE", "other"),
    ("Keyhalt_User_Id", "1"),
    ("Keyhalt.User.Id", "1"),
    ("keyhalt_user_code", "ada"),
    ("Keyhalt.Permissions", "settings.manage"),
]


def test_identity_headers_of_a_client_never_arrive(proxy: Proxy) -> None:
    """Nor their aliases, whatever is told and whatever is empty."""
    got = proxy.with_key("/orders/17", *LIES)
    if got.status == 400:
        assert proxy.name == "envoy"
        return
    seen = got.json
    for name, value in IDENTITY.items():
        assert values(seen, name) == [value], name
    assert len(values(seen, "keyhalt-assertion")) == 1
    told = {n.lower() for n, _ in seen["headers"] if n.lower().startswith("keyhalt")}
    unlisted = {"keyhalt-topmost-other"} if proxy.name == "nginx" else set()
    assert told - unlisted == {*IDENTITY, "keyhalt-key-id", "keyhalt-assertion"}


def test_a_preflight_arrives_as_nobodys(proxy: Proxy) -> None:
    """A browser's OPTIONS passes without a key, and with no made-up identity."""
    asks = (("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"))
    got = proxy.ask("/orders", *asks, *LIES[:8], method="OPTIONS")
    assert got.status == 200, got
    said = {name: values(got.json, name) for name in (*IDENTITY, "keyhalt-assertion")}
    assert all(each in ([], [""]) for each in said.values()), said


def test_what_a_client_says_of_its_request_is_not_believed(proxy: Proxy) -> None:
    """Neither another method or path, nor another policy in the query."""
    lies = [
        (f"X-{stem}-{what}", value)
        for stem in ("Forwarded", "Original")
        for what, value in (("Method", "GET"), ("Uri", "/orders/17"), ("URL", "/orders/17"))
    ]
    got = proxy.with_key("/admin/users?policy=other&uri=/orders/17", *lies, method="DELETE")
    assert got.status == 403, got
    got = proxy.with_key("/admin/users", *lies)
    assert (got.status, got.json["code"]) == (403, "permission_denied")


ODD = [
    "/orders/../admin/users", "/orders/%2e%2e/admin/users", "/orders/..%2fadmin/users",
    "/orders/.%2e/admin/users", "//admin/users", "/orders//../admin/users", "/./admin/users",
    "/admin;x/users", "/orders/17/../../admin/users", "/orders/..\\..\\admin\\users",
    "/%61dmin/users", "/ADMIN/users", "/orders/17%00/../../admin", "/orders/%252e%252e/admin/x",
    "/orders/17/..;/..;/admin/users", "/orders/17#/../../admin", "/orders/17?/../../admin",
    "http://api.example/admin/users", "/orders/%c0%ae%c0%ae/admin/users",
]  # fmt: skip


@pytest.mark.parametrize("path", ODD)
def test_an_odd_path_leads_nowhere_that_the_key_may_not_go(proxy: Proxy, path: str) -> None:
    """The backend gets only what was decided on, however often it decodes and tidies it."""
    got = proxy.with_key(path)
    if got.status == 200:
        reached = got.json["path"]
        for _ in range(3):
            reached = posixpath.normpath(unquote(reached.replace("\\", "/")))
            assert not reached.lower().lstrip("/").startswith("admin"), got
        assert reached.startswith("/orders/")
    else:
        assert got.status in (0, 400, 401, 403, 404), got


def test_a_revoked_key_is_refused_at_the_next_request(proxy: Proxy, examples: Examples) -> None:
    """Through the proxy, which keeps nothing."""
    key_id, key = examples.new_key()
    header = ("ECI-ApiKey", key)
    assert [proxy.ask("/orders/17", header).status for _ in range(3)] == [200] * 3
    examples.keyhalt("key", "delete", key_id, "--yes")
    got = proxy.ask("/orders/17", header)
    assert (got.status, got.json["code"]) == (401, "invalid_key")


def test_too_many_failures_are_429_with_retry_after(proxy: Proxy) -> None:
    """The proxy's client is the source that is counted; a good key of the same is not refused."""
    source = f"127.0.1.{PROXIES.index(proxy.name) + 1}"
    said = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/"), ("X-Forwarded-Host", "h")]
    said += [("X-Forwarded-Proto", "http"), ("X-Forwarded-For", source)]
    for _ in range(6_000):
        if send(proxy.relay.target, "/forward-auth/generic/orders", *said).status == 429:
            break
    answers = [proxy.ask(source=source) for _ in range(20)]
    limited = [got for got in answers if got.status == 429]
    assert limited, answers[-1]
    assert limited[-1].json["code"] == "too_many_requests"
    assert int(limited[-1].header("retry-after")) >= 1
    assert proxy.with_key(source=source).status == 200


def test_over_plain_http_a_strict_server_refuses_whatever_the_client_says(proxy: Proxy) -> None:
    """The proxy tells how its client came, not the client."""
    plain, proxy.relay.target = proxy.relay.target, proxy.strict
    proxy.relay.cut()
    lies = [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https"), ("X-Scheme", "https")]
    try:
        for headers in ([], lies):
            got = proxy.with_key("/orders/17", *headers)
            assert (got.status, got.json["code"]) == (400, "https_required"), got
    finally:
        proxy.relay.target = plain
        proxy.relay.cut()


def test_while_keyhalt_is_down_nothing_passes(proxy: Proxy) -> None:
    """5xx, and once it is back it goes on."""
    proxy.relay.down()
    try:
        got = proxy.with_key()
        assert got.status >= 500
        assert b"jsmith" not in got.body
    finally:
        proxy.relay.up()
    assert proxy.with_key().status == 200


def test_a_server_that_does_not_answer_lets_nothing_pass(proxy: Proxy) -> None:
    """It ends with the proxy's time-out: two seconds, or Traefik's thirty, which are fixed."""
    proxy.slow_done.join(60)
    (got,) = proxy.slow
    assert got.status >= 500


def doctor(examples: Examples, port: int) -> dict[str, str]:
    """Rule to verdict, of those that are broken."""
    url = f"http://127.0.0.1:{port}/orders/17"
    command = ["doctor", "proxy", "--url", url, "--key-file", "key.txt", "-o", "json"]
    rows = json.loads(examples.keyhalt(*command, exits=3))
    assert len(rows) == 9
    assert all(row["change"] for row in rows if row["verdict"] not in ("ok", "not checked"))
    return {row["rule"]: row["verdict"] for row in rows if row["verdict"] != "ok"}


IN_CLEAR = "no key over plain HTTP"


def test_the_doctor_finds_nothing_wrong_but_that_it_is_in_clear(
    proxy: Proxy, examples: Examples
) -> None:
    """The examples listen without TLS; everything else is as it must be."""
    assert doctor(examples, proxy.port) == {IN_CLEAR: "a key over plain HTTP passes"}


SPOILT = [
    ("nginx", "auth_request /keyhalt;", "", "without a key nothing passes"),
    ("nginx", "error_page 401 403 500 = @denied;", "", "each status reaches the client"),
    ("nginx", "proxy_set_header Keyhalt-User-Id $user_id;", "", "identity headers are Keyhalt's"),
    ("nginx", 'proxy_set_header ECI-ApiKey "";', "", "the key ends at the proxy"),
    ("nginx", "X-Original-URI $request_uri;", "X-Other 1;", "a client does not say its own path"),
    ("traefik", "Strategy: delete", "Strategy: keep", "identity headers are Keyhalt's"),
    ("traefik", 'ECI-ApiKey: ""', 'X-Other: ""', "the key ends at the proxy"),
    ("caddy", "header_up -ECI-ApiKey", "header_up -X-Other", "the key ends at the proxy"),
    ("envoy", "keyhalt[^a-z].*", "other", "identity headers are Keyhalt's"),
]


@pytest.mark.parametrize(("name", "line", "instead", "rule"), SPOILT)
def test_the_doctor_names_the_rule_that_a_missing_line_breaks(
    examples: Examples,
    servers: tuple[int, int, int],
    name: str,
    line: str,
    instead: str,
    rule: str,
) -> None:
    """One line away from the example, and it says which."""
    plain, _, backend = servers
    with started(examples, name, plain, backend, line, instead) as port:
        assert rule in doctor(examples, port)
