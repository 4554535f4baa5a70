"""The command line in this process, on a store that `keyhalt init` made."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from keyhalt.cli.app import COMMANDS, cli, run
from keyhalt.core.decisions import Decision, Presented
from keyhalt.embed import Engine
from keyhalt.main import MainTools

PASSWORD = "correct horse battery staple"
KEYHALT = Path(sys.executable).parent / "keyhalt"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Keyhalt = Callable[..., Done]


def process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """The installed command, as a process of its own."""
    command = [str(KEYHALT), *(str(each) for each in arguments)]
    return subprocess.run(command, text=True, check=False, stderr=subprocess.PIPE, **options)


def commands() -> list[tuple[str, click.Command]]:
    """Every command that does something, by what is typed for it."""
    context = click.Context(cli)
    found = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        found += [(f"keyhalt {name} {each}".strip(), each_one) for each, each_one in inner.items()]
    return found


def decide(data: Path, key: str) -> Decision:
    """What a fresh process decides about a key."""
    with MainTools().engine(data=data) as engine:
        return decide_with(engine, key)


def decide_with(engine: Engine, key: str) -> Decision:
    presented = Presented(keys=(key.encode(),), over_https=True)
    return asyncio.run(engine.verify.verify(presented))


def create(keyhalt: Keyhalt, *more: object) -> str:
    """The value of a new key of `jsmith`."""
    made = keyhalt("key", "create", "--owner", "jsmith", "--name", "job", "-o", "key", *more)
    assert made.code == 0, made.err
    return made.out.strip()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password.txt"
    file.write_text(PASSWORD + "\n")
    return file


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands use when they are not told another."""
    folder = tmp_path / "data"
    monkeypatch.setenv("KEYHALT_DATA", str(folder))
    monkeypatch.setenv("KEYHALT_APPS", "")
    return folder


@pytest.fixture
def bare(capsys: pytest.CaptureFixture[str], data: Path) -> Keyhalt:
    """`bare("key", "list")` on a folder where nothing was set up."""

    def keyhalt(*arguments: object) -> Done:
        capsys.readouterr()
        code = run(MainTools, [str(each) for each in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(code, said.out, said.err)

    return keyhalt


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after `keyhalt init`, with a user `jsmith` who may manage keys. Copied, not used."""
    folder = tmp_path_factory.mktemp("installation")
    file = folder / "password.txt"
    file.write_text(PASSWORD + "\n")
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    grants = ["--grant", "applicationSettings.*", "--grant", "meters.view"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYHALT_APPS", "")
        for command in (
            [*init, "--password-file", str(file)],
            ["role", "create", "Integration", *grants],
            ["user", "create", "jsmith", "--role", "integration", "--no-password"],
        ):
            assert run(MainTools, [*command, "--data", str(folder / "data")]) == 0
    return folder / "data"


@pytest.fixture
def keyhalt(bare: Keyhalt, installation: Path, data: Path) -> Keyhalt:
    """On a fresh copy of `installation`."""
    shutil.copytree(installation, data)
    return bare
