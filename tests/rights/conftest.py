"""A running application with people of different power, each asking with their own key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from keyhalt.core.principals import UserFacts
from tests.world import World, make_world, open_world

USERS, ROLES, KEYS = "usersAndUserGroups.manage", "roles.manage", "applicationSettings.manage"
VIEW_USERS = "usersAndUserGroups.view"
RESETS = "resetUserPasswords.manage"
PEOPLE = {
    "boss": (("*",), 1),
    "north": ((USERS, VIEW_USERS, ROLES, KEYS, "meters.view"), 2),
    "staff": ((USERS, VIEW_USERS, "meters.view"), 2),
    "clerk": (("meters.view",), 4),
    "equal": (("meters.view",), 2),
}


@dataclass
class Wire:
    """`ask(code, ...)`: what the application answers to a key of that user."""

    world: World
    http: TestClient
    users: dict[str, UserFacts]
    keys: dict[str, str] = field(default_factory=dict)

    def ask(self, code: str, method: str, path: str, body: Any = None) -> Any:
        if code not in self.keys:
            self.keys[code] = self.key_of(code)
        headers = {"ECI-ApiKey": self.keys[code]}
        return self.http.request(method, path, json=body, headers=headers)

    def role(self, name: str) -> int:
        row = self.world.engine.look_up.role(self.world.datasource_id, name)
        assert row is not None, name
        return row.id

    def id(self, code: str) -> int:
        return self.users[code].user_id

    def user_body(self, code: str, role: str | int, top: int = 4, **more: Any) -> dict[str, Any]:
        return {
            "userCode": code,
            "fullName": code.title(),
            "email": f"{code}@example.org",
            "password": "correct horse battery staple",
            "topmostPlaceIds": [top],
            "userRoleId": role if isinstance(role, int) else self.role(role),
            "passwordExpirationInterval": 0,
            "strongPassword": False,
            "forcePasswordChange": False,
            **more,
        }

    def create(self, by: str, code: str, role: str | int, top: int = 4, **more: Any) -> Any:
        return self.ask(by, "POST", "/api/v202306/user", self.user_body(code, role, top, **more))

    def edit(self, by: str, code: str, **changes: Any) -> Any:
        """An edit as the client sends one: everything as it is, but for `changes`."""
        now = self.world.engine.look_up.user(self.world.datasource_id, code)
        assert now is not None
        top = now.topmosts["places"][0]
        body = self.user_body(code, now.role_id, top, active=now.active)
        del body["password"]
        return self.ask(by, "PUT", f"/api/v202306/user/{now.user_id}", {**body, **changes})

    def key_of(self, code: str) -> str:
        return self.world.key(self.users[code])[1]

    def works(self, key: str) -> bool:
        answer = self.http.get("/api/v3/me", headers={"ECI-ApiKey": key})
        return bool(answer.status_code == 200)


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all of them. Copied, not used."""
    folder = tmp_path_factory.mktemp("peopled") / "data"
    world = make_world(folder, profile="energycap")
    for code, (grants, top) in PEOPLE.items():
        world.user(code, *grants, top=top)
    world.user("robot", "meters.view", top=4, service=True)
    world.user("crane", "meters.view", "meters.edit", top=4, service=True)
    world.close()
    return folder


@pytest.fixture
def wire(peopled: Path, tmp_path: Path) -> Iterator[Wire]:
    shutil.copytree(peopled, tmp_path / "data")
    world = open_world(tmp_path / "data", profile="energycap")
    users = {user.user_code: user for user in world.engine.look_up.users(world.datasource_id)}
    with world.client() as http:
        yield Wire(world, http, users)
    world.close()


def beyond(answer: Any) -> str:
    """What a refused escalation named."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (403, "beyond_own_rights"), body
    assert body["beyond"] in body["detail"]
    return str(body["beyond"])
