"""The command line in this process, on a store that `keyhalt init` made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keyhalt.cli.app import run
from keyhalt.main import MainTools

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Keyhalt = Callable[..., Done]


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password.txt"
    file.write_text(PASSWORD + "\n")
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def bare(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> Keyhalt:
    """`bare("key", "list")` on a folder where nothing was set up."""
    monkeypatch.setenv("KEYHALT_DATA", str(data))
    monkeypatch.setenv("KEYHALT_APPS", "")

    def keyhalt(*arguments: object) -> Done:
        capsys.readouterr()
        code = run(MainTools(), [str(each) for each in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Done(code, said.out, said.err)

    return keyhalt


@pytest.fixture
def keyhalt(bare: Keyhalt, password: Path) -> Keyhalt:
    """After `keyhalt init`, with a user `jsmith` who may manage keys."""
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    assert bare(*init, "--password-file", password).code == 0
    grants = ["--grant", "applicationSettings.*", "--grant", "meters.view"]
    assert bare("role", "create", "Integration", *grants).code == 0
    made = bare("user", "create", "jsmith", "--role", "integration", "--no-password")
    assert made.code == 0, made
    return bare
