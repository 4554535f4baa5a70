"""The guide docs/protect-your-api.md, as it stands there: its profile, its app, over HTTP."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from keyhalt import AppContext
from keyhalt.running import ENTRY_POINTS
from tests.world import OPERATOR, ORIGIN, World, make_world

GUIDE = (Path(__file__).parents[2] / "docs" / "protect-your-api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def guide() -> dict[str, Any]:
    """What the guide's Python defines."""
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile("\n".join(blocks("python")), "guide", "exec"), names)  # noqa: S102 - our own text
    return names


@pytest.fixture
def desks_world(tmp_path: Path, guide: dict[str, Any]) -> Iterator[World]:
    """An environment on the guide's catalogue, with its app instead of the tests' own."""
    profile = tmp_path / "desks.toml"
    profile.write_text(blocks("toml")[0], "utf-8")
    world = make_world(tmp_path / "data", profile=str(profile))
    world.orders = guide["Desks"](AppContext(world.engine.profile, tmp_path))
    world.orders.load_sample(world.datasource_id, 1, sizes={}, progress=lambda _done, _whole: None)
    yield world
    world.close()


def test_the_guide_s_app_serves_what_a_key_s_owner_reaches(desks_world: World) -> None:
    """Made, attributed, listed, filtered and found in the house; nothing of it from the studio."""
    keeper = desks_world.user("jsmith", "desks.view", "desks.create", top=1)
    guest = desks_world.user("guest", "desks.view", "desks.create", top=2)
    mine, theirs = ({"ECI-ApiKey": desks_world.key(user)[1]} for user in (keeper, guest))
    with desks_world.client() as http:
        new = {"roomId": 1, "name": "By the window"}
        assert http.post("/api/v1/desk", json=new, headers=mine).json() == {"deskId": 1}
        assert http.post("/api/v1/desk", json=new, headers=theirs).status_code == 404
        new = {"roomId": 2, "name": "Upstairs"}
        assert http.post("/api/v1/desk", json=new, headers=theirs).json() == {"deskId": 2}
        listed = http.get("/api/v1/desk", headers=mine)
        assert [desk["createdBy"] for desk in listed.json()] == ["jsmith", "guest"]
        assert listed.headers["TotalNumberOfRecords"] == "2"
        assert [desk["deskId"] for desk in http.get("/api/v1/desk", headers=theirs).json()] == [2]
        assert http.get("/api/v1/desk/1", headers=mine).json()["name"] == "By the window"
        assert http.get("/api/v1/desk/1", headers=theirs).status_code == 404
        for text, found in (
            ("name like 'WINDOW'", [1]),
            ("roomCode equals 'studio'", [2]),
            ("roomCode not equals 'studio'", [1]),
            ("name equals 'x'' or 1=1 --'", []),
        ):
            answer = http.get("/api/v1/desk", params={"filter": text}, headers=mine)
            assert [desk["deskId"] for desk in answer.json()] == found, text
        for query in ({"filter": "made_by equals 'x'"}, {"pageSize": "0"}):
            assert http.get("/api/v1/desk", params=query, headers=mine).status_code == 400
        assert http.post("/api/v1/desk", json={"roomId": 1}, headers=mine).status_code == 400


def test_the_guide_s_app_is_protected(desks_world: World) -> None:
    """No key: 401. Without the permission: 403 that names it. A deleted key: 401, at once."""
    reader = desks_world.user("reader", "desks.view")
    number, key = desks_world.key(reader)
    with desks_world.client() as http:
        assert http.get("/api/v1/desk").status_code == 401
        headers = {"ECI-ApiKey": key}
        assert http.get("/api/v1/desk", headers=headers).json() == []
        body = {"roomId": 1, "name": "X"}
        denied = http.post("/api/v1/desk", json=body, headers=headers)
        assert (denied.status_code, "desks.create" in denied.text) == (403, True)
        delete = desks_world.engine.delete_key
        delete(OPERATOR, datasource_id=desks_world.datasource_id, key_id=number, origin=ORIGIN)
        assert http.get("/api/v1/desk", headers=headers).status_code == 401


def test_the_guide_s_app_answers_what_the_engine_asks(desks_world: World) -> None:
    """About its tree, and about its nodes in the order asked for."""
    app: Any = desks_world.orders
    assert app.contains(1, "rooms", 1, 2)
    assert not app.contains(1, "rooms", 2, 1)
    assert not app.contains(2, "rooms", 1, 2)
    assert [node.code for node in app.describe(1, "rooms", [2, 77, 1])] == ["STUDIO", "HOUSE"]


def test_the_guide_s_layer_protects_any_app(desks_world: World, guide: dict[str, Any]) -> None:
    """Whoever has no key hears so; the app behind knows who calls."""
    key = desks_world.key(desks_world.user("jsmith", full_name="Jo Smith"))[1]
    http = TestClient(guide["protected"](desks_world.engine.verify), "https://testserver")
    assert http.get("/").status_code == 401
    assert http.get("/", headers={"ECI-ApiKey": key}).text == "Hello, Jo Smith"
    http.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The guide's files, with what `pip install -e .` leaves: that asks an index itself."""
    (tmp_path / "desks.toml").write_text(blocks("toml")[0], "utf-8")
    (tmp_path / "desks.py").write_text("\n".join(blocks("python")), "utf-8")
    project = tomllib.loads(blocks("toml")[1])["project"]
    info = tmp_path / "desks-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((group, apps),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in apps.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return tmp_path


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(folder), **more}


def test_the_guide_s_commands_run_as_they_stand_there(package: Path) -> None:
    """From an empty folder to a desk that a guest sees: step 9, typed by a shell."""
    port = free_port()
    first, then = (text.replace("8080", str(port)) for text in blocks("sh"))
    assert first.splitlines()[0] == "pip install -e ."
    typed = [*first.splitlines()[1:], "trap 'kill $!' EXIT", then]
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(typed)],
        cwd=package,
        env=environment_of(package, KEYHALT_PORT=str(port)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(part) for part in re.findall(r"\{.*?\}", done.stdout)]
    assert told == [
        {"roomId": 1},
        {"roomId": 2},
        {"deskId": 1},
        {"deskId": 1, "roomId": 2, "name": "By the window", "createdBy": "ada"},
    ]
    assert "ada sees no node" in done.stderr


def test_the_demo_serves_the_guide_s_app(package: Path) -> None:
    """With its profile's own roles, and its sample."""
    said = {"KEYHALT_PROFILE": str(package / "desks.toml"), "KEYHALT_APPS": "desks"}
    with subprocess.Popen(
        [Path(sys.executable).parent / "keyhalt", "demo", "--port", "0", "--json"],
        cwd=package,
        env=environment_of(package, **said),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as demo:
        try:
            assert demo.stdout is not None
            told = json.loads(demo.stdout.readline())
            headers = {"ECI-ApiKey": told["apiKey"]}
            made = httpx2.post(
                f"{told['url']}/api/v1/desk", json={"roomId": 2, "name": "X"}, headers=headers
            )
            assert made.json() == {"deskId": 1}
            assert [(each["userCode"], each["role"]) for each in told["users"]] == [
                ("jsmith", "Keeper"),
                ("admin", "Keeper"),
                ("reader", "Guest"),
            ]
        finally:
            demo.terminate()


def test_the_guide_names_the_entry_point_group() -> None:
    """The one that the server looks into."""
    assert list(tomllib.loads(blocks("toml")[1])["project"]["entry-points"]) == [ENTRY_POINTS]
