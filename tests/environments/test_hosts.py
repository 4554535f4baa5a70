"""Which host leads where."""

from __future__ import annotations

import asyncio
import itertools
import subprocess

import httpx2
from starlette.testclient import TestClient

from keyhalt.client.middleware import ASGIApp, Message, Receive, Scope, Send
from keyhalt.web.environments import Served, by_host
from keyhalt.web.server import listen
from tests.cli.conftest import KEYHALT
from tests.environments.conftest import HOSTS, Installation, table


def test_the_host_leads_to_its_environment(three: Installation) -> None:
    """Whatever its case and port; the challenge says where one is."""
    with three.client() as http:
        for name, host in HOSTS.items():
            for spelling in (host, host.upper(), f"{host}:8443", f"{host}."):
                answer = http.get("/api/v3/me", headers={"Host": spelling})
                assert f'realm="{name}"' in answer.headers["www-authenticate"]


def test_an_unknown_host_is_misdirected(three: Installation) -> None:
    """421, whatever is asked for and with whatever key; no environment is named."""
    hosts = ("other.example.com", "127.0.0.1:8080", "", "app.example.com,x")
    paths = ("/api/v3/me", "/api/v3/environment", "/docs", "/")
    with three.client() as http:
        for host, path in itertools.product(hosts, paths):
            headers = {"ECI-ApiKey": three.keys["Production"], "Host": host}
            answer = http.get(path, headers=headers)
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (421, "misdirected_request")
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["requestId"] == answer.headers["x-request-id"]
            assert "www-authenticate" not in answer.headers
            assert "Production" not in answer.text


def test_two_hosts_are_none(three: Installation) -> None:
    """RFC 9112 3.2: who sends two means nobody."""
    hosts = [("Host", host) for host in HOSTS.values()]
    with three.client() as http:
        assert http.get("/api/v3/environment", headers=hosts).status_code == 421


def test_what_a_proxy_says_of_the_host_is_not_believed(three: Installation) -> None:
    """Only `Host` decides."""
    headers = {"X-Forwarded-Host": HOSTS["EU Production"], "Host": "other.example.com"}
    with three.client() as http:
        assert http.get("/api/v3/environment", headers=headers).status_code == 421


def test_a_health_check_by_address_is_told_of_every_environment(three: Installation) -> None:
    """At a host, of the one there; under a name that is nobody's, of none."""
    with three.client() as http:
        for host in ("192.0.2.7:8080", "[2001:db8::1]", "localhost", ""):
            assert http.get("/livez", headers={"Host": host}).json() == {"status": "alive"}
            ready = http.get("/readyz", headers={"Host": host}).json()
            assert ready == {"status": "ready", "checks": dict.fromkeys(HOSTS, True)}
        own = http.get("/readyz", headers={"Host": HOSTS["EU Production"]})
        assert own.json() == {"status": "ready", "checks": {"rights": True}}
        for path in ("/livez", "/readyz"):
            assert http.get(path, headers={"Host": "other.example.com"}).status_code == 421


def counting(log: list[str], name: str, *, starts: bool = True) -> ASGIApp:
    """An application that notes its start and its end."""

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        for kind in ("startup", "shutdown"):
            await receive()
            log.append(f"{name} {kind}")
            ended = "complete" if starts else "failed"
            await send({"type": f"lifespan.{kind}.{ended}", "message": "no disk"})

    return app


def test_one_environment_that_is_not_ready_is_named() -> None:
    """And the installation is not ready; each starts and ends with the server."""
    log: list[str] = []
    served = [
        Served(name, [f"{name}.example"], counting(log, name), lambda ready=ready: ready)
        for name, ready in (("one", True), ("other", False))
    ]
    with TestClient(by_host(served), base_url="http://127.0.0.1") as http:
        answer = http.get("/readyz")
        assert sorted(log) == ["one startup", "other startup"]
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"] == {"one": True, "other": False}
    assert sorted(log[2:]) == ["one shutdown", "other shutdown"]


def test_an_environment_that_cannot_start_stops_the_start() -> None:
    """The server would answer for it with nothing."""
    served = [
        Served(name, [f"{name}.example"], counting([], name, starts=starts), lambda: True)
        for name, starts in (("one", True), ("other", False))
    ]
    said: list[str] = []

    async def asked() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        said.append(message["type"])

    asyncio.run(by_host(served)({"type": "lifespan"}, asked, send))
    assert said == ["lifespan.startup.failed"]


def test_at_the_listener_for_proxies_the_port_decides(three: Installation) -> None:
    """A proxy sends the host of the app that it protects; each environment has its own port."""
    ports = {name: 40_001 + number for number, name in enumerate(HOSTS)}
    three.write(*(table(name, f"internal_port = {port}") for name, port in ports.items()))
    with three.client() as http:
        for made, used in itertools.product(HOSTS, HOSTS):
            answer = http.post(
                f"http://orders.example:{ports[used]}/api/keyhalt/v1/verify",
                json={"overHttps": True, "apiKey": three.keys[made]},
            ).json()
            assert answer["allowed"] is (made == used)
            if made == used:
                assert answer["principal"]["environment"] == used
            else:
                assert answer["reason"] == "wrong_environment"
        at_a_host = http.post("/api/keyhalt/v1/verify", json={}).json()
        assert at_a_host["code"] == "missing_credential"


def test_the_server_listens_for_the_proxies_of_each_environment(three: Installation) -> None:
    """At free ports that it is told; each is said at the start."""
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        ports = [each.getsockname()[1] for each in (one, other)]
    names = ("Production", "EU Production")
    tables = [
        table(name, f"internal_port = {port}") for name, port in zip(names, ports, strict=True)
    ]
    three.write("insecure_http = true\n", *tables)
    command = [KEYHALT, "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        found = []
        for name, port in zip(names, ports, strict=True):
            question = {"overHttps": True, "apiKey": three.keys[name]}
            url = f"http://127.0.0.1:{port}/api/keyhalt/v1/verify"
            found.append(httpx2.post(url, json=question, timeout=60).json()["allowed"])
        process.terminate()
        process.communicate(timeout=60)
    assert found == [True, True]
    assert [line.strip().rpartition(":")[2] for line in said[1:]] == [str(port) for port in ports]
