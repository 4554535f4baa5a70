"""Who is measured, how each is started, and for how long each may accept a deleted key."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bench.loads import ROOT, SERVER_CORE, free_port, process

FOLDER = ROOT / "bench" / "contenders"
INSTALLED = ROOT / ".venv" / "contenders"
ASKING = MappingProxyType(
    {
        "X-Forwarded-Method": "GET",
        "X-Forwarded-Uri": "/meters/17",
        "X-Forwarded-Host": "api.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.9",
    }
)
"""What a proxy adds to its question."""
BARE, TELLING = "bare ASGI app", "bare ASGI app, same headers"
MIDDLEWARE = {kind: f"Keyhalt middleware, {kind}" for kind in ("SQLite", "PostgreSQL")}
FORWARD = {kind: f"Keyhalt forward-auth, {kind}" for kind in ("SQLite", "PostgreSQL")}


class MissingError(Exception):
    """A contender cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`folder`: below bench/contenders. `arguments`: after port, database and folder.

    `bound`: how long a deleted key may still be accepted, by its documents or its source.
    """

    name: str
    folder: str
    bound: str
    needs: str = "project"
    database: bool = False
    arguments: tuple[str, ...] = ()
    path: str = "/"
    seconds: int = 1
    """How many times longer its loads must be, to see any answer at all."""
    headers: Mapping[str, str] = field(default_factory=dict)


ALL = (
    Contender(name=BARE, folder="bare", bound="checks nothing"),
    Contender(
        name=TELLING, folder="bare", bound="checks nothing", arguments=("TOLD",), headers=ASKING
    ),
    *(
        Contender(
            name=MIDDLEWARE[kind],
            folder="keyhalt",
            bound="0: the delete returns when no process accepts the key",
            database=kind == "PostgreSQL",
            arguments=("middleware",),
        )
        for kind in MIDDLEWARE
    ),
    *(
        Contender(
            name=FORWARD[kind],
            folder="keyhalt",
            bound="0: the delete returns when no process accepts the key",
            database=kind == "PostgreSQL",
            arguments=("forward-auth",),
            path="/forward-auth/generic/bench",
            headers=ASKING,
        )
        for kind in FORWARD
    ),
    Contender(
        name="nginx, Lua, shared dictionary",
        folder="nginx_lua",
        needs="nginx",
        bound="0 on one machine; between machines what their replication takes",
    ),
    Contender(
        name="opaque token, one PostgreSQL read",
        folder="opaque",
        needs="pip",
        database=True,
        bound="0: every request reads",
    ),
    Contender(
        name="PyJWT, ES256, 5 minutes",
        folder="pyjwt",
        needs="pip",
        bound="the rest of its 5 minutes: there is no delete",
    ),
    Contender(
        name="keyshield",
        folder="keyshield",
        needs="pip",
        database=True,
        arguments=("plain",),
        seconds=6,
        bound="0: every request reads",
    ),
    Contender(
        name="keyshield, cached",
        folder="keyshield",
        needs="pip",
        database=True,
        arguments=("cached",),
        seconds=6,
        bound="300 s in other processes",
    ),
    Contender(
        name="djangorestframework-api-key",
        folder="drf_api_key",
        needs="pip",
        database=True,
        bound="0: every request reads",
    ),
    Contender(
        name="django-rest-knox",
        folder="knox",
        needs="pip",
        database=True,
        bound="0: every request reads",
    ),
    Contender(
        name="Better Auth, api-key plugin",
        folder="better_auth",
        needs="node",
        database=True,
        bound="0 with its default storage: every request reads",
    ),
)


def node_of(contender: Contender) -> tuple[str, Path]:
    """Node, and the program beside its packages, which are installed if they are not there yet.

    Raises MissingError.
    """
    source, here = FOLDER / contender.folder, INSTALLED / contender.folder
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingError("Node.js is not installed")
    shutil.copytree(source, here, dirs_exist_ok=True)
    done, wanted = here / ".done", source / "package-lock.json"
    if not done.exists() or done.read_text() != wanted.read_text():
        _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=here)
        done.write_text(wanted.read_text())
    return node, here / "app.mjs"


def python_of(contender: Contender) -> Path:
    """Of its environment, which is made if it is not there yet. Raises MissingError."""
    if contender.needs == "project":
        return Path(sys.executable)
    here, wanted = INSTALLED / contender.folder, FOLDER / contender.folder / "requirements.txt"
    done, python = here / ".done", here / "bin" / "python"
    if not done.exists() or done.read_text() != wanted.read_text():
        _run(sys.executable, "-m", "venv", "--clear", here)
        pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
        _run(*pip, "--require-hashes", "-r", wanted)
        done.write_text(wanted.read_text())
    return python


def _run(*command: object, cwd: Path = ROOT) -> None:
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        last = (ran.stderr or ran.stdout).strip().rpartition("\n")[2]
        raise MissingError(f"{command[0]} failed: {last}")


def command_of(contender: Contender, port: int, database: str, folder: Path) -> list[object]:
    """Raises MissingError."""
    here = FOLDER / contender.folder
    if contender.needs == "nginx":
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        module = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
        if not (Path(program).exists() and module.exists()):
            raise MissingError("Debian's nginx and libnginx-mod-http-lua are not installed")
        text = (here / "nginx.conf").read_text().replace("PORT", str(port))
        (folder / "nginx.conf").write_text(text)
        return [program, "-p", folder, "-c", folder / "nginx.conf"]
    if contender.needs == "node":
        return [*node_of(contender), port, database, folder]
    more = [str(folder.parent / "told.json") if a == "TOLD" else a for a in contender.arguments]
    return [python_of(contender), here / "app.py", port, database, folder, *more]


@contextmanager
def started(
    contender: Contender, database: str, folder: Path, core: str = SERVER_CORE
) -> Iterator[tuple[int, int]]:
    """Its port and its process. Raises MissingError, or OSError when it does not start."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    command = command_of(contender, port, database, folder)
    variables = {"PYTHONPATH": str(FOLDER)}
    with process(*command, port=port, core=core, variables=variables) as pid:
        yield port, pid
