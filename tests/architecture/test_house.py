"""The rules of the house that imports alone do not show."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Reason
from keyhalt.core.refusals import Fault

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
WRITTEN = [path for path in SOURCES if "migrations" not in path.parts]
LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def test_every_file_can_be_read_in_one_sitting() -> None:
    """At most 400 lines, tests included."""
    files = [
        *WRITTEN,
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "bench").rglob("*.py")),
        *sorted((ROOT / "proofs").rglob("*.py")),
    ]
    too_long = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in files}
    assert {n: c for n, c in too_long.items() if c > LINES_MAX} == {}


def test_every_function_can_be_read_in_one_glance() -> None:
    """At most 60 lines with its docstring; nearly all have far fewer."""
    long = [
        f"{path.name}:{node.name}"
        for path in WRITTEN
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


def test_importing_any_module_reads_no_setting_and_opens_nothing() -> None:
    """With an empty environment, no home and no folder to write in, every module imports."""
    names = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in WRITTEN
    ]
    code = (
        "import builtins, importlib, socket, sqlite3, sys\n"
        "def refuse(*a, **k): raise AssertionError('touched the outside')\n"
        "socket.socket.connect = refuse\n"
        "sqlite3.connect = refuse\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={}, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# What several verbs share; each of the others is a verb, and calls no other.
SHARED = {
    "acting", "barrier", "covering", "keep_bits", "keeping", "making_keys", "new_passwords",
    "new_users", "people", "ports", "replaying", "rows", "timing", "user_rules", "uses",
}  # fmt: skip
IMPURE = {
    "asyncio", "concurrent", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile",
    "threading", "time", "uuid",
}  # fmt: skip


def contract(name: str) -> dict[str, Any]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return next(each for each in contracts["contracts"] if each["name"] == name)


def modules_in(folder: str) -> set[str]:
    paths = [path for path in (ROOT / "src" / folder).iterdir() if not path.stem.startswith("__")]
    return {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file()}


def test_no_module_is_left_out_of_the_contracts_that_name_all_of_a_kind() -> None:
    """A list that lacks the newest module checks nothing of it."""
    app = contract("an app behind the keys uses only the public surface")
    verbs = contract("use cases never call each other")
    assert set(app["forbidden_modules"]) == {f"keyhalt.{name}" for name in modules_in("keyhalt")}
    assert set(verbs["modules"]) == {
        f"keyhalt.usecases.{name}" for name in modules_in("keyhalt/usecases") - SHARED
    }


def test_core_is_pure() -> None:
    """The standard library only, and of that no clock, no chance, no waiting, nothing outside."""
    core = sorted((ROOT / "src" / "keyhalt" / "core").glob("*.py"))
    assert [f"{p.name}: {what}" for p in core for what in _impure(ast.parse(p.read_text()))] == []


def _impure(tree: ast.Module) -> Iterator[str]:
    pure = (sys.stdlib_module_names - IMPURE) | {"keyhalt"}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (name for name in names if name.partition(".")[0] not in pure)
        if isinstance(node, ast.AsyncFunctionDef | ast.Await):
            yield "waits"
        if isinstance(node, ast.Name) and node.id in {"open", "print", "input"}:
            yield node.id
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in {"now", "today", "utcnow"}:
            yield f".{called.attr}()"


def test_the_public_surface_needs_no_server(tmp_path: Path) -> None:
    """`import keyhalt` loads no web framework, no database layer and no settings library."""
    code = (
        "import keyhalt, sys\n"
        "bad = {'starlette','sqlalchemy','alembic','uvicorn','pydantic','argon2','click'}\n"
        "assert not bad & set(sys.modules), bad & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_reason_and_fault_has_exactly_one_status() -> None:
    """One table, total over both closed lists."""
    assert set(TABLE) == {*Reason, *Fault}


@pytest.mark.parametrize("ring", ["core", "usecases", "storage", "cli"])
def test_no_status_code_stands_outside_the_table(ring: str) -> None:
    """Core, verbs, stores and commands know reasons, not HTTP."""
    pattern = re.compile(r"(?<![\w.,])(?:40[0-9]|41[0-9]|42[0-9]|43[0-9]|503)(?![\w,_])")
    found = [
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "src" / "keyhalt" / ring).rglob("*.py")
        for line in path.read_text().splitlines()
        if pattern.search(line)
    ]
    assert found == []


def test_secrets_are_revealed_in_few_places() -> None:
    """`reveal()` is called where a text leaves for its owner or goes into a digest only."""
    allowed = {
        "core/secrets.py",
        "usecases/issue.py",
        "usecases/making_keys.py",
        "usecases/sign_in.py",
        "usecases/new_passwords.py",
        "system/passwords.py",
        "web/api/keys.py",
        "web/api/sign_in.py",
        "usecases/exchange.py",
        "usecases/sessions.py",
        "web/pages/signing.py",
        "web/pages/creating.py",
        "web/api/exchange.py",
        "proving/runs.py",
        "cli/demo.py",
        "cli/key.py",
        "cli/identify.py",
        "cli/doctor.py",
        "integrations/pytest_plugin.py",
    }
    found = {
        str(path.relative_to(ROOT / "src" / "keyhalt"))
        for path in (ROOT / "src" / "keyhalt").rglob("*.py")
        if ".reveal()" in path.read_text() or "def reveal" in path.read_text()
    }
    assert found <= allowed


def test_tests_patch_almost_nothing() -> None:
    """Real things over doubles: a ratchet on the ways to replace one."""
    pattern = re.compile(r"monkeypatch\.(?:setattr|setitem)|mock|patch\(", re.IGNORECASE)
    found = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and pattern.search(path.read_text())
    ]
    assert len(found) <= 2, found
