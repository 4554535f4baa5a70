"""The examples in a folder of their own, set up as their README says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def ask(url: str, *, method: str = "GET", **headers: str) -> Answer:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=said, method=method)  # noqa: S310
    try:
        with _opener.open(request, timeout=30) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@dataclass
class Examples:
    """The folder, the settings that the README exports, and the key that it makes."""

    folder: Path
    env: dict[str, str]
    key: str
    logs: list[Path] = field(default_factory=list)

    def keyhalt(self, *arguments: str, exits: int = 0) -> str:
        done = subprocess.run(
            ["keyhalt", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exits, done.stderr
        return done.stdout

    def new_key(self, owner: str = "jsmith") -> tuple[str, str]:
        """Id and text."""
        text = self.keyhalt("key", "create", "--name", "k", "--owner", owner, "-o", "key").strip()
        listed = self.keyhalt("key", "list", "-o", "json")
        return str(max(int(each) for each in re.findall(r'"id": (\d+)', listed))), text

    @contextmanager
    def started(
        self, command: list[Any], url: str, cwd: Path | None = None, **env: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program, from when `url` answers anything until the block ends."""
        log = self.folder / f"log-{len(self.logs)}.txt"
        self.logs.append(log)
        with log.open("wb") as out:
            process = subprocess.Popen(
                [str(each) for each in command],
                cwd=cwd or self.folder,
                env={**self.env, **env},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait(process, url, log)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    host, port = url.rpartition("//")[2].split("/")[0].split(":")
    for _ in range(600):
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text(errors="replace"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Set up with exactly the commands of examples/README.md."""
    folder = tmp_path_factory.mktemp("examples") / "examples"
    shutil.copytree(ROOT / "examples", folder)
    env = {name: value for name, value in os.environ.items() if not name.startswith("KEYHALT_")}
    env["PATH"] = f"{BIN}:{env['PATH']}"
    block = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[0]
    script = "set -e\n" + block + "env | grep ^KEYHALT_ > env.txt\n"
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = dict(line.split("=", 1) for line in (folder / "env.txt").read_text().splitlines())
    return Examples(folder, {**env, **said}, (folder / "key.txt").read_text().strip())
