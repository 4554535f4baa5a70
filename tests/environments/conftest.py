"""One installation with the three environments of the table, as their operator sets it up."""

from __future__ import annotations

import base64
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from keyhalt.core.principals import UserFacts
from keyhalt.core.secrets import Secret
from keyhalt.environments import load_installation
from keyhalt.main import MainTools
from keyhalt.opening import open_engines
from keyhalt.running import application_of
from keyhalt.usecases.making_keys import Issued
from keyhalt.usecases.manage_users import UserDraft
from tests.world import OPERATOR, ORDERS, ORIGIN, PASSWORD

PRODUCT = "ecap"
HOSTS = {
    "Implementation": "implement.example.com",
    "Production": "app.example.com",
    "EU Production": "app-eu.example.com",
}
PAIRS = [(made, used) for made in HOSTS for used in HOSTS]
TOP = f"""
data = "DATA"
apps = ""
profile = "{ORDERS}"
"""


def table(name: str, *more: str) -> str:
    lines = [
        "[[environment]]",
        f'name = "{name}"',
        f'hosts = ["{HOSTS[name]}"]',
        f'product = "{PRODUCT}"',
    ]
    return "\n".join((*lines, *more)) + "\n"


@dataclass
class Installation:
    file: Path
    folder: Path
    keys: dict[str, str]

    @contextmanager
    def client(self, name: str = "Production", **headers: str) -> Iterator[TestClient]:
        """The whole server over HTTPS, as the host of an environment."""
        found = load_installation("", {})
        app = application_of(found, open_engines(found))
        with TestClient(
            app, base_url=f"https://{HOSTS[name]}", raise_server_exceptions=False
        ) as http:
            http.headers.update(headers)
            yield http

    def write(self, *tables: str) -> None:
        self.file.write_text(TOP.replace("DATA", str(self.folder)) + "".join(tables))


def set_up(name: str) -> str:
    """An environment with datasource `acme` and user `jsmith`, alike in each; a key of theirs."""
    tools = MainTools()
    tools.init(environment=name, product="", acting=OPERATOR, origin=ORIGIN)
    with tools.of(name).engine() as engine:
        place = engine.set_up.datasource(OPERATOR, "acme", ORIGIN)
        role = engine.profile.administrator_role
        draft = UserDraft("jsmith", "Jo Smith", "", role, Secret(PASSWORD), {})
        user = engine.manage_users.create(OPERATOR, place.id, draft, ORIGIN)
        assert isinstance(user, UserFacts)
        issued = engine.issue.create(
            OPERATOR,
            datasource_id=place.id,
            owner_id=user.user_id,
            name="job",
            description="",
            origin=ORIGIN,
        )
        assert isinstance(issued, Issued)
        return issued.text.reveal()


def edited(key: str, environment: str) -> str:
    """`key` with its first part naming another environment, its checksum made right again."""
    _, whose, payload = key.encode().split(b".")
    body = base64.b64encode(f"{PRODUCT}|{environment}".encode()) + b"." + whose + b"."
    head = base64.b64decode(payload)[:32]
    crc = zlib.crc32(body + head).to_bytes(4, "big")
    return (body + base64.b64encode(head + crc)).decode()


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Copied, not used."""
    folder = tmp_path_factory.mktemp("three")
    made = Installation(folder / "keyhalt.toml", folder / "data", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYHALT_CONFIG", str(made.file))
        made.write(*map(table, HOSTS))
        made.keys.update({name: set_up(name) for name in HOSTS})
    return made


@pytest.fixture
def three(untouched: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Set up and not running."""
    made = Installation(tmp_path / "keyhalt.toml", tmp_path / "data", untouched.keys)
    shutil.copytree(untouched.folder, made.folder)
    monkeypatch.setenv("KEYHALT_CONFIG", str(made.file))
    made.write(*map(table, HOSTS))
    return made
