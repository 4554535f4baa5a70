"""What `pip install keyhalt` alone gives: the library, and no server package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SERVE = """
import asyncio, sys
import keyhalt

async def app(scope, receive, send):
    body = keyhalt.permitted(scope, "orders.view").user_code.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

async def ask(headers):
    sent = []
    async def send(message): sent.append(message)
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "headers": headers}
    await protected(scope, None, send)
    return sent[0]["status"], dict(sent[0]["headers"])

verifier = keyhalt.RemoteVerifier("http://127.0.0.1:9", timeout_seconds=0.5)
protected = keyhalt.Authenticate(app, verifier)
print(asyncio.run(ask([(b"eci-apikey", b"x")])))
verifier.close()
server = {"sqlalchemy", "alembic", "starlette", "uvicorn", "pydantic", "argon2", "click"}
assert not server & {name.partition(".")[0] for name in sys.modules}
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with nothing but our wheel; nothing is fetched."""
    folder = tmp_path_factory.mktemp("fresh")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    return python


def run(*command: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)


def test_the_middleware_works_with_nothing_else_installed(fresh: Path) -> None:
    """It imports, asks, and refuses with 503 because nobody answers; no server package is there."""
    done = run(fresh, "-c", SERVE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(503, ")
    for package in ("sqlalchemy", "starlette", "pydantic", "click"):
        assert run(fresh, "-c", f"import {package}").returncode == 1


def test_the_types_travel_with_the_library(fresh: Path) -> None:
    """`py.typed` is in the wheel."""
    code = "from importlib import resources as r; print(r.files('keyhalt') / 'py.typed')"
    assert Path(run(fresh, "-c", code).stdout.strip()).is_file()


def test_the_command_says_what_it_needs(fresh: Path) -> None:
    """One line and exit code 78 instead of a traceback."""
    done = run(fresh.parent / "keyhalt", "demo")
    assert (done.returncode, len(done.stderr.splitlines())) == (78, 1)
    assert 'pip install "keyhalt[server]"' in done.stderr
