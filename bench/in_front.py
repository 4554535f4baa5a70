"""What standing in front of an API costs, over HTTP: middleware and forward-auth beside bare apps.

    python -m bench.in_front [--proxies] [--rounds N] [--seconds N]

Each row is a server process of its own on core 0, the same uvicorn, driven by wrk (Debian's) on
core 1; rows are interleaved within a round, and the claims are ratios of medians within one run.
Not to be run while anything else runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn

from bench.figures import in_turn
from bench.loads import ROOT, drive, free_port, process, processor_seconds
from bench.peers.contenders import ASKING
from bench.world import OPERATOR, ORIGIN, make_engine, make_keys
from keyhalt import Authenticate
from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
from keyhalt.config import load_profile, load_settings
from keyhalt.embed import EngineOptions, open_engine
from keyhalt.library import EmbeddedVerifier
from keyhalt.main import application
from keyhalt.web.server import listen, server_config

POLICY = """
name = "{name}"
case = "exact"
assertion = "{assertion}"
[[rule]]
methods = ["GET"]
path = "/meters/{{meter}}"
permission = "meters.view"
"""
BARE, MIDDLEWARE = "bare ASGI app", "the same behind Authenticate"
SAME, ANSWER = "bare ASGI app, same headers", "forward-auth, assertion for the caller"
BOUND = "forward-auth, assertion for the request"
ROWS = {
    BARE: "/",
    MIDDLEWARE: "/",
    SAME: "/",
    ANSWER: "/forward-auth/generic/caller",
    BOUND: "/forward-auth/generic/request",
}
Found = dict[str, list[tuple[float, float]]]
"""Row to requests a second, and microseconds of the server's core for each; by round."""
CLAIMS = ((MIDDLEWARE, BARE, 0.80), (ANSWER, SAME, 0.78), (BOUND, SAME, 0.0))


def bare(headers: list[tuple[bytes, bytes]], body: bytes) -> ASGIApp:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def serve(row: str, port: int, folder: Path) -> None:
    """One row as a process: until it is told to stop."""
    options = EngineOptions(
        folder=folder,
        profile=load_profile("energycap"),
        mac_keys_path=folder / "mac-keys.toml",
        mark_path=folder / "mac-keys.mark",
        insecure_http=True,
    )
    plain = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    if row == BARE:
        app = bare(plain, b"{}")
    elif row == MIDDLEWARE:
        app = Authenticate(bare(plain, b"{}"), EmbeddedVerifier(open_engine(options)))
    elif row == SAME:
        told = json.loads((folder / "headers.json").read_text())
        app = bare([(name.encode(), value.encode()) for name, value in told], b"")
    else:
        settings = load_settings(data=str(folder), apps="", internal_port=port)
        app = application(settings, open_engine(options), [])
    config = server_config(app)
    config.lifespan = "off"
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", port)])


def rate_of(port: int, path: str, key: str, seconds: int) -> float:
    """Requests a second; every answer must be 200."""
    load = drive(port, path, [{**ASKING, "ECI-ApiKey": key}], seconds)
    assert not load.refused, path
    return load.rate


def prepare(folder: Path) -> str:
    """A store with a key that may view meters, and what forward-auth tells of it. The key."""
    engine = make_engine(folder, 1_000)
    for name in ("caller", "request"):
        text = POLICY.format(name=name, assertion=name)
        engine.manage_policies.apply(OPERATOR, text, ORIGIN)
    (key,) = make_keys(engine, 1)
    engine.close()
    return key.decode()


def told(port: int, key: str) -> list[tuple[str, str]]:
    url = f"http://127.0.0.1:{port}{ROWS[ANSWER]}"
    request = urllib.request.Request(url, headers={**ASKING, "ECI-ApiKey": key})
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return [(n.lower(), v) for n, v in answer.getheaders() if n.lower() not in _SERVERS_OWN]


_SERVERS_OWN = ("date", "connection")


@contextmanager
def row_server(row: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    command = (sys.executable, "-m", "bench.in_front", "--serve", row, port, folder)
    with process(*command, port=port) as pid:
        yield port, pid


# ------------------------------------------------------------------ proxies

WITHOUT = {
    "nginx": (r"auth_request /keyhalt;|auth_request_set [^;]*;|proxy_set_header Keyhalt[^;]*;", ""),
    "traefik": (r"middlewares: \[.*\]", ""),
    "caddy": (r"forward_auth [\s\S]*?\n\t\t\}\n", ""),
    "envoy": (
        r"          - name: envoy.filters.http.ext_authz[\s\S]*?(?=          - name: envoy.f)",
        "",
    ),
}
PROGRAMS = {
    "nginx": ("nginx", "-p", ".", "-c", "nginx.conf"),
    "traefik": ("traefik", "--configFile=traefik.yml"),
    "caddy": ("caddy", "run"),
    "envoy": ("envoy", "-c", "envoy.yaml", "--log-level", "error", "--concurrency", "1"),
}


@contextmanager
def proxy(name: str, folder: Path, keyhalt: int, backend: int, *, asks: bool) -> Iterator[int]:
    port = free_port()
    here = folder / f"{name}-{port}"
    shutil.copytree(ROOT / "examples" / name, here)
    for file in here.iterdir():
        text = file.read_text().replace("/orders", "/caller")
        text = text if asks else re.sub(*WITHOUT[name], text)
        for shown, real in (("8000", port), ("8081", keyhalt), ("9000", backend)):
            text = re.sub(rf"\b{shown}\b", f"<{real}>", text)
        file.write_text(re.sub(r"<(\d+)>", r"\1", text))
    found = ROOT / ".venv" / "proxies" / name / "bin" / name
    program = found if found.exists() else shutil.which(name) or f"/usr/sbin/{name}"
    with process(program, *PROGRAMS[name][1:], port=port, cwd=here):
        yield port


def measure_proxies(folder: Path, key: str, rounds: int, seconds: int) -> Found:
    found: Found = {}
    with row_server(BARE, folder) as (backend, _), row_server(ANSWER, folder) as (keyhalt, _):
        for _ in range(rounds):
            for name in PROGRAMS:
                for asks in (False, True):
                    with proxy(name, folder, keyhalt, backend, asks=asks) as port:
                        time.sleep(1)  # Traefik listens before it knows its routes
                        row = f"{name}, {'asking Keyhalt' if asks else 'alone'}"
                        rate = rate_of(port, "/meters/17", key, seconds)
                        found.setdefault(row, []).append((rate, 0.0))
    return found


def measure(folder: Path, key: str, rounds: int, seconds: int) -> Found:
    with row_server(ANSWER, folder) as (port, _):
        (folder / "headers.json").write_text(json.dumps(told(port, key)))
    found: Found = {row: [] for row in ROWS}
    with ExitStack() as stack:
        servers = {row: stack.enter_context(row_server(row, folder)) for row in ROWS}
        for turn in range(rounds):
            for row in in_turn(list(ROWS), turn):
                port, pid = servers[row]
                before = processor_seconds(pid)
                rate = rate_of(port, ROWS[row], key, seconds)
                spent = processor_seconds(pid) - before
                found[row].append((rate, spent / (rate * seconds) * 1e6))
    return found


def report(found: Found) -> bool:
    rates = {row: statistics.median(rate for rate, _ in each) for row, each in found.items()}
    costs = {row: statistics.median(cost for _, cost in each) for row, each in found.items()}
    for row, each in found.items():
        spread = (max(each)[0] - min(each)[0]) / rates[row]
        cost = f"   {costs[row]:6.1f} us of the server's core" if costs[row] else ""
        print(f"{row:42} {rates[row]:9,.0f} requests/s   spread {spread:4.0%}{cost}")
    good = True
    for row, beside, least in CLAIMS:
        if row in rates:
            ratio = rates[row] / rates[beside]
            good = good and ratio >= least
            wanted = f" (at least {least:.0%})" if least else ""
            by_cost = costs[beside] / costs[row]
            print(f"{row} / {beside} = {ratio:.0%}{wanted}; by the core's time {by_cost:.0%}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--proxies", action="store_true", help="each proxy with and without us")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    if options.serve:
        row, port, at = options.serve
        serve(row, int(port), Path(at))
        return 0
    print(f"load before: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        key = prepare(folder)
        run = measure_proxies if options.proxies else measure
        good = report(run(folder, key, options.rounds, options.seconds))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
