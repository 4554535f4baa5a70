"""docs/environments.md says what is so: its file and its commands are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from keyhalt.cli.app import run
from keyhalt.config import Settings
from keyhalt.core.environments import OWN_SETTINGS
from keyhalt.environments import load_installation
from keyhalt.main import MainTools
from tests.world import PASSWORD

TEXT = (Path(__file__).parents[2] / "docs" / "environments.md").read_text("utf-8")


def test_the_file_and_the_commands_of_the_document_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In an empty folder: every command that ends does what it says."""
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    (tmp_path / "keyhalt.toml").write_text(block[1])
    (tmp_path / "password").write_text(PASSWORD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYHALT_CONFIG", "keyhalt.toml")
    monkeypatch.setenv("KEYHALT_APPS", "")
    commands = [shlex.split(line) for line in re.findall(r"^    keyhalt (.+)$", TEXT, re.MULTILINE)]
    key = ["key", "create", "--owner", "ada", "--name", "job", "--environment", "Production"]
    for words in commands:
        if words[:2] == ["datasource", "create"]:
            assert run(MainTools, key) == 0
        if words[0] in {"serve", "demo"}:
            continue
        more = ["--password-file", "password"] if words[0] == "init" else []
        assert run(MainTools, [*words, *more]) == 0, words
    said = capsys.readouterr().err
    made = re.findall(r"^Environment ([^,]+),", said, re.MULTILINE)
    found = load_installation("", {}).environments
    assert made == [each.name for each in found]
    assert [each.settings.mac_keys_path.exists() for each in found] == [True] * 3
    assert (tmp_path / "secrets" / "production.toml").exists()
    assert (tmp_path / "eu-data" / "rights.db").exists()


def test_every_setting_that_an_environment_may_have_is_listed() -> None:
    """And is a setting; the others are the installation's."""
    assert Settings.model_fields.keys() >= OWN_SETTINGS
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    named = {name for line in rows for name in re.findall(r"`(\w+)`", line)}
    assert named >= OWN_SETTINGS
    assert named & (Settings.model_fields.keys() - OWN_SETTINGS) <= {"aliases"}
