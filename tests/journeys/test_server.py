"""The server as a process: what the official client does not show."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.journeys.conftest import KEYHALT, Server

PASSWORD = "correct horse battery staple"


def raw(server: Server, data: bytes) -> bytes:
    """What the server answers to these bytes, up to its end or a second of silence."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.settimeout(2)
        got = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                got += chunk
                if b"\r\n\r\n" in got:
                    break
        except OSError:
            pass
        return got


def test_a_mebibyte_of_header_is_431(server: Server) -> None:
    """The server stops collecting at 64 KiB and says so."""
    head = b"GET /api/v3/me HTTP/1.1\r\nHost: x\r\nECI-ApiKey: " + b"k" * (1 << 20) + b"\r\n\r\n"
    assert raw(server, head).startswith(b"HTTP/1.1 431 ")
    many = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 100) for n in range(10_000))
    head = b"GET /api/v3/me HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n"
    assert raw(server, head).startswith(b"HTTP/1.1 431 ")


def test_a_body_is_not_counted_as_header(server: Server) -> None:
    """A large body on a connection kept alive reaches the application, twice."""
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    for _ in range(2):
        body = json.dumps({"apiKeyName": "x", "apiKeyDescription": "d" * 300_000})
        headers = {"ECI-ApiKey": server.key, "Content-Type": "application/json"}
        connection.request("POST", "/api/v3/apiKey", body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (400, "invalid_body")
    connection.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        (
            b"POST /api/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        b"GET /api/v3/me\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_400(server: Server, data: bytes) -> None:
    """Framing is left to a tested parser; it is never a 500, and never silence."""
    assert raw(server, data).startswith(b"HTTP/1.1 4")


def test_live_and_ready(server: Server) -> None:
    """For a load balancer; no credential."""
    for path in ("/livez", "/readyz"):
        with urllib.request.urlopen(server.url + path) as answer:  # noqa: S310
            assert answer.status == 200


# ------------------------------------------------------------------ serve


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that `keyhalt init` made, with a key in `key.txt`."""
    data = tmp_path / "data"
    arguments = ["--environment", "Production", "--datasource", "acme", "--admin", "ada"]
    command = [KEYHALT, "init", "--data", data, *arguments, "--password-file", "-"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)
    return data


def serve(data: Path, **settings: str) -> tuple[subprocess.Popen[str], str]:
    """Start `keyhalt serve` on a free port; returns once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [KEYHALT, "serve", "--data", data, "--port", port],
        env={**os.environ, **{f"KEYHALT_{n.upper()}": v for n, v in settings.items()}},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urllib.request.urlopen(url + "/livez").close()  # noqa: S310
        except OSError:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        else:
            return process, url
    raise AssertionError("the server did not answer")


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.terminate()
        process.communicate(timeout=30)


def ask(url: str, path: str, **headers: str) -> tuple[int, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url + path, headers=sent)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def make_key(data: Path) -> str:
    command = [
        KEYHALT,
        "key",
        "create",
        "--data",
        data,
        "--owner",
        "ada",
        "--name",
        "k",
        "-o",
        "key",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_serve_refuses_until_transport_is_decided(installed: Path) -> None:
    """It says the three ways, and exits with 78."""
    done = subprocess.run(
        [KEYHALT, "serve", "--data", installed], capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    for way in ("KEYHALT_CERTIFICATE", "KEYHALT_TRUSTED_PROXIES", "KEYHALT_INSECURE_HTTP"):
        assert way in done.stderr
    assert "Traceback" not in done.stderr


def test_only_a_listed_proxy_may_say_that_it_was_https(
    installed: Path, running: list[subprocess.Popen[str]]
) -> None:
    """X-Forwarded-Proto counts from trusted addresses only."""
    key = make_key(installed)
    process, url = serve(installed, trusted_proxies="127.0.0.0/8")
    running.append(process)
    assert ask(url, "/api/v3/me", ECI_ApiKey=key)[1]["code"] == "https_required"
    said = {"ECI_ApiKey": key, "X_Forwarded_Proto": "https"}
    assert ask(url, "/api/v3/me", **said)[0] == 200
    process, url = serve(installed, trusted_proxies="192.0.2.1")
    running.append(process)
    assert ask(url, "/api/v3/me", **said)[1]["code"] == "https_required"


def test_several_workers_keep_the_promise_and_stop_in_order(
    installed: Path, running: list[subprocess.Popen[str]]
) -> None:
    """A key deleted through one worker is refused by all of them on the next request."""
    process, url = serve(installed, insecure_http="true", workers="2")
    running.append(process)
    keep = make_key(installed)
    for _ in range(5):
        key = make_key(installed)
        assert {ask(url, "/api/v3/me", ECI_ApiKey=key)[0] for _ in range(8)} == {200}
        key_id = max(k["apiKeyId"] for k in ask(url, "/api/v3/apiKey", ECI_ApiKey=keep)[1])
        request = urllib.request.Request(  # noqa: S310
            f"{url}/api/v3/apiKey/{key_id}", method="DELETE", headers={"ECI-ApiKey": keep}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert answer.status == 204
        assert {ask(url, "/api/v3/me", ECI_ApiKey=key)[0] for _ in range(8)} == {401}
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_a_clean_stop_loses_no_denial(
    installed: Path, running: list[subprocess.Popen[str]]
) -> None:
    """What was queued when SIGTERM came stands in the audit log."""
    process, url = serve(installed, insecure_http="true")
    running.append(process)
    for _ in range(20):
        assert ask(url, "/api/v3/me")[0] == 401
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    command = [KEYHALT, "audit", "list", "--data", installed, "-o", "json", "--limit", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    denials = [row for row in json.loads(done.stdout) if row["reason"] == "missing_credential"]
    assert sum(row["count"] for row in denials) == 20
