"""An installation that `keyhalt init` made, and the servers that run on it, asked over HTTP."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.world import PASSWORD, until

KEYHALT = Path(sys.executable).parent / "keyhalt"


@dataclass
class Installation:
    """What `keyhalt init` made, and the servers that run on it. `database_url` "": SQLite."""

    data: Path
    database_url: str = ""
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self, **settings: str) -> dict[str, str]:
        said = {"apps": "", "data": str(self.data), **settings}
        if self.database_url:
            said["database_url"] = self.database_url
        return {**os.environ, **{f"KEYHALT_{name.upper()}": value for name, value in said.items()}}

    def run(
        self, *arguments: str, code: int = 0, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """A command, which must end with `code`."""
        done = subprocess.run(
            [KEYHALT, *arguments],
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            check=False,
            input=PASSWORD,
        )
        assert done.returncode == code, done.stderr
        return done

    def key(self, name: str = "k") -> str:
        return self.run(
            "key", "create", "--owner", "ada", "--name", name, "-o", "key"
        ).stdout.strip()

    def serve(self, **settings: str) -> tuple[subprocess.Popen[str], str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        said = {"insecure_http": "true", "workers": "2", "lease_seconds": "1", **settings}
        process = subprocess.Popen(
            [KEYHALT, "serve", "--port", port],
            env=self.environment(**said),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        url = f"http://127.0.0.1:{port}"
        until(lambda: ask(url, "/readyz") == 200 or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        return process, url

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=60)

    def workers(self, process: subprocess.Popen[str]) -> list[int]:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in _command(pid)]


def install(data: Path, database_url: str = "") -> Installation:
    made = Installation(data, database_url)
    arguments = ["--environment", "Production", "--datasource", "acme", "--admin", "ada"]
    made.run("init", *arguments, "--password-file", "-")
    return made


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""


def ask(url: str, path: str, *, method: str = "GET", key: str = "", body: object = None) -> int:
    """The status, or 0 when there is no answer."""
    headers = {"ECI-ApiKey": key} if key else {}
    data = None if body is None else json.dumps(body).encode()
    headers |= {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def answered(url: str, key: str, times: int = 12) -> set[int]:
    return {ask(url, "/api/v3/me", key=key) for _ in range(times)}


def key_id_of(url: str, key: str, name: str) -> int:
    request = urllib.request.Request(f"{url}/api/v3/apiKey", headers={"ECI-ApiKey": key})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return next(k["apiKeyId"] for k in json.loads(answer.read()) if k["apiKeyName"] == name)
