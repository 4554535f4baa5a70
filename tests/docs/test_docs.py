"""The documents say what is so: tests hold them and the code together."""

from __future__ import annotations

import importlib
import json
import re
import warnings
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwk, jwt
from joserfc.errors import JoseError, SecurityWarning

from keyhalt.client.problems import TABLE
from keyhalt.config import PREFIX, Settings
from keyhalt.core.advice import AdviceKind
from keyhalt.core.audit import Event
from keyhalt.core.decisions import Cause
from keyhalt.core.refusals import Refused
from keyhalt.web.app import WebParts
from keyhalt.web.forward_auth.assertions import Signer
from keyhalt.web.forward_auth.dialects import DIALECTS
from tests.serving import serving
from tests.world import OPERATOR, ORIGIN, PASSWORD, World

ROOT = Path(__file__).parents[2]
DOCS = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def headings(text: str, level: int = 3) -> list[str]:
    return re.findall(rf"^{'#' * level} (.+)$", text, re.MULTILINE)


def test_every_problem_has_its_heading_and_status_and_no_heading_is_left() -> None:
    """docs/problems.md and the table in client/problems.py list the same, with the same status."""
    text = text_of("problems.md")
    assert sorted(headings(text)) == sorted(reason.value for reason in TABLE)
    for reason, kind in TABLE.items():
        said = re.search(rf"^### {reason.value}\n(\d+)", text, re.MULTILINE)
        assert said is not None, reason
        assert int(said[1]) == kind.status, reason


def test_every_exact_cause_is_explained() -> None:
    """Whoever reads the audit log finds each word of it."""
    text = text_of("problems.md")
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in text] == []


def test_every_event_is_named() -> None:
    """docs/request-flow.md has the table of events."""
    text = text_of("request-flow.md")
    assert [event.value for event in Event if f"`{event.value}`" not in text] == []


def test_every_setting_is_described_with_its_default() -> None:
    """docs/settings.md and config.py list the same settings and defaults."""
    text = text_of("settings.md")
    fields = Settings.model_fields
    assert sorted(headings(text)) == sorted(PREFIX + name.upper() for name in fields)
    for name, field in fields.items():
        part = text.split(f"### {PREFIX}{name.upper()}\n")[1].split("\n#")[0]
        if field.default is None:
            assert "No default" in part or "Default: `mac-keys.toml`" in part, name
        elif field.default == "":
            assert "Default: none" in part, name
        else:
            said = str(field.default).lower() if field.default in (True, False) else field.default
            assert f"`{said}`" in part, name


def test_every_link_leads_somewhere() -> None:
    """Relative links between documents resolve."""
    broken = [
        f"{path.name}: {target}"
        for path in DOCS
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("document", ["threat-model.md", "revocation.md"])
def test_every_test_that_a_document_names_exists(document: str) -> None:
    """A control, and what fails how, is shown by a test that is there."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(document))
    assert len(named) > 8
    for file, name in named:
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert callable(getattr(module, name, None)), name


def test_every_module_that_a_document_names_exists() -> None:
    """Moves of a module move its mention."""
    named = {
        name
        for path in DOCS
        for name in re.findall(
            r"`((?:core|client|usecases|storage|web|cli|system)/[\w/]*\.py)`",
            path.read_text("utf-8"),
        )
    }
    assert len(named) > 15
    assert [name for name in named if not (ROOT / "src" / "keyhalt" / name).exists()] == []


def examples() -> dict[str, Any]:
    """The named bodies of docs/wire.md."""
    blocks = re.findall(r"^```json (\w+)\n(.*?)^```$", text_of("wire.md"), re.DOTALL | re.MULTILINE)
    return {name: json.loads(body) for name, body in blocks}


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def test_the_bodies_of_the_wire_document_are_those_that_are_served(world: World) -> None:
    """The same properties with the same types, sent as they stand there."""
    shown = examples()
    _, key = world.key(world.user("jsmith", "settings.*"))
    headers = {"ECI-ApiKey": key}
    with world.client() as http:
        created = http.post("/api/v3/apiKey", json=shown["ApiKeyCreate"], headers=headers).json()
        assert shape(created) == shape(shown["ApiKeyCreated"])
        one = http.get(f"/api/v3/apiKey/{created['apiKeyId']}", headers=headers).json()
        assert shape(one) == shape(shown["ApiKey"])
        assert shown["Login"]["password"] == PASSWORD
        login = http.post("/api/v3/login", json=shown["Login"]).json()
        assert shape(login) == shape(shown["LoginAnswer"])
        tree = f"/api/keyhalt/v1/keys/{created['apiKeyId']}/tree"
        assert shape(http.get(tree, headers=headers).json()) == [shape(shown["KeyOfTree"])]
        world.engine.use_recorder.flush()
        use = http.get("/api/keyhalt/v1/keys/1/use", headers=headers).json()
        assert set(use) == set(shown["KeyUse"])
        assert shape(use["lastUsed"]) == shape(shown["KeyUse"]["lastUsed"])
        assert shape(use["days"]) == shape(shown["KeyUse"]["days"])
        log = "/api/keyhalt/v1/audit?event=key.create&pageSize=1"
        assert shape(http.get(log, headers=headers).json()) == shape(shown["AuditPage"])
        ended = http.post(
            "/api/keyhalt/v1/users/1/end-keys",
            json=shown["EndKeys"],
            headers={"Authorization": f"Bearer {login['token']}"},
        ).json()
        assert shape(ended) == shape(shown["KeysEnded"])
        _, key = world.key(world.user("other", "settings.*"))
        headers = {"ECI-ApiKey": key}
        world.engine.recorder.flush()
        receipt = http.get("/api/keyhalt/v1/keys/1/receipt", headers=headers).json()
        told = shown["KeyReceipt"]
        assert (set(receipt), set(receipt["inEffect"])) == (set(told), set(told["inEffect"]))
        role = world.engine.look_up.role(world.datasource_id, "Clerk")
        _, all_key = world.key(world.user("boss", "*"))
        create = {**shown["UserCreate"], "userRoleId": role.id}
        create["topmostProjectIds"] = create.pop("topmostPlaceIds")
        boss = {"ECI-ApiKey": all_key}
        user = http.post("/api/v202406/user", json=create, headers=boss).json()
        assert set(user) - {"project"} == set(shown["User"]) - {"place"}
        assert shape({**user, "place": 0}) == shape({**shown["User"], "place": 0, "project": 0}) | {
            "project": shape(user["project"])
        }
        environment = http.get("/api/v3/environment").json()
        assert shape(environment) == shape(shown["Environment"])
        project = http.get("/api/v3/me", headers=headers).json()["project"]
        names = {
            name.replace("Place", "Project").replace("place", "project")
            for name in shown["Topmost"]
        }
        assert set(project) == names
        changed = http.post("/api/keyhalt/v1/password", json=shown["PasswordChange"])
        assert changed.status_code == 200
        address = "/api/keyhalt/v1/users/1/password"
        reset = http.put(address, json=shown["PasswordReset"], headers=boss).json()
        assert shape(reset) == shape(shown["PasswordResetAnswer"])
        edited = http.put("/api/v3/me", json=shown["MeEdit"], headers=boss).json()
        assert edited["preference"] == shown["MeEdit"]["preference"]


def test_the_bodies_of_verify_are_those_that_are_served(world: World) -> None:
    """The question as it stands there; both answers have these properties."""
    shown = examples()
    question = shown["Verify"]
    with (
        serving(world) as server,
        closing(HTTPConnection(urlsplit(server.internal).netloc)) as http,
    ):

        def answer_for(*grants: str) -> Any:
            _, key = world.key(world.user(f"user{len(grants)}", *grants))
            body = json.dumps({**question, "apiKey": key})
            http.request(
                "POST", "/api/keyhalt/v1/verify", body, {"Content-Type": "application/json"}
            )
            return json.loads(http.getresponse().read())

        assert shape(answer_for("settings.view")) == shape(shown["VerifyAllowed"])
        assert shape(answer_for("orders.view", "orders.create")) == shape(shown["VerifyDenied"])


def test_what_the_guide_to_middleware_shows_is_what_the_examples_run() -> None:
    """Each piece of code of docs/middleware.md stands in an example, or is the plugin's."""
    code = "".join(path.read_text() for path in (ROOT / "examples").rglob("*.py"))
    shown = re.findall(r"```python\n(.*?)```", text_of("middleware.md"), re.DOTALL)
    assert len(shown) > 8
    assert [each for each in shown if each not in code and "keyhalt_key(" not in each] == []
    (catalogue,) = re.findall(r"```toml\n(.*?)```", text_of("middleware.md"), re.DOTALL)
    assert catalogue == (ROOT / "examples" / "orders.toml").read_text()
    readme = (ROOT / "examples" / "README.md").read_text().replace("key.txt", "../key.txt")
    commands = re.findall(r"```sh\n(.*?)```", text_of("middleware.md"), re.DOTALL)
    assert [each for each in commands if each.replace(" key.txt", " ../key.txt") not in readme] == [
        "uvicorn app:app\n"  # which stands in a table there
    ]


def test_the_policy_of_the_guide_to_forward_auth_is_one(world: World) -> None:
    """As it stands there; and so is the one of the examples."""
    (shown,) = re.findall(r"```toml\n(.*?)```", text_of("forward-auth.md"), re.DOTALL)
    for text in (shown, (ROOT / "examples" / "orders-policy.toml").read_text()):
        applied = world.engine.manage_policies.apply(OPERATOR, text, ORIGIN)
        assert not isinstance(applied, Refused), applied
    assert sorted(set(re.findall(r"^\| `(\w+)` \|", text_of("forward-auth.md"), re.MULTILINE))) == [
        "assertion", "case", "envoy", "name", "nginx", "preflight", "tell",
    ]  # fmt: skip


def test_the_check_of_an_assertion_in_the_guide_works(world: World) -> None:
    """Run as it stands there, against what the server signs."""
    (code,) = re.findall(r"```python\n(.*?)```", text_of("forward-auth.md"), re.DOTALL)
    names: dict[str, Any] = {"jwk": jwk, "jwt": jwt}
    exec(code, names)  # noqa: S102 - our own document
    signer = Signer(world.engine.here.mac_keys)
    claims = {"iss": "Lab", "aud": "orders", "code": "jsmith"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        now = world.engine.clock.now()
        assert names["caller_of"](signer.sign(claims, now), signer.jwks()) == "jsmith"
        for wrong in (
            signer.sign({**claims, "aud": "others"}, now),
            signer.sign(claims, now - timedelta(seconds=90)),
        ):
            with pytest.raises(JoseError):
                names["caller_of"](wrong, signer.jwks())


def test_the_catalogue_of_the_examples_is_the_one_that_tests_use() -> None:
    """But for its first line, which says what it is."""
    shown, used = (
        (ROOT / folder / "orders.toml").read_text().splitlines() for folder in ("examples", "tests")
    )
    assert shown[1:] == used[1:]


def test_every_dialect_is_in_the_guide() -> None:
    """With each header that it reads."""
    text = text_of("forward-auth.md").lower()
    for dialect in DIALECTS.values():
        assert f"`{dialect.name}`" in text
        for header in (dialect.method, dialect.uri, dialect.host):
            assert header is None or f"`{header.decode()}`" in text, header


def test_every_kind_of_advice_is_in_the_document() -> None:
    """With when it is given, and no kind that there is not."""
    told = re.findall(r"^\| `(\w+)` \|", text_of("use.md"), re.MULTILINE)
    assert sorted(told) == sorted(AdviceKind)


def test_every_operation_of_the_engine_is_in_the_wire_document(world: World) -> None:
    """The table of docs/wire.md has each row that the engine serves itself."""
    from keyhalt.web.api import (
        advice,
        audit,
        exchange,
        groups,
        key_trees,
        key_uses,
        keys,
        me,
        narrowing,
        passwords,
        roles,
        sessions,
        users,
    )  # fmt: skip

    assert WebParts.__dataclass_fields__
    profile = world.engine.profile
    needs, nothing = profile.needs, None
    rows = [
        *keys.operations(keys.KeyHandlers(None, None, None), needs),  # type: ignore[arg-type]
        *key_trees.operations(key_trees.KeyTreeHandlers(nothing, nothing), needs),  # type: ignore[arg-type]
        *advice.operations(advice.AdviceHandlers(nothing, nothing), needs),  # type: ignore[arg-type]
        *narrowing.operations(narrowing.NarrowingHandlers(nothing), needs),  # type: ignore[arg-type]
        *audit.operations(audit.AuditHandlers(nothing), needs),  # type: ignore[arg-type]
        *key_uses.operations(key_uses.KeyUseHandlers(profile, nothing, nothing)),  # type: ignore[arg-type]
        *me.operations(me.MeHandlers(profile, world.engine.trees, nothing, nothing, "", "")),
        *passwords.operations(passwords.PasswordHandlers(nothing), needs),  # type: ignore[arg-type]
        *users.operations(users.UserHandlers(profile, *[nothing] * 4)),  # type: ignore[arg-type]
        *sessions.operations(sessions.SessionHandlers(nothing)),  # type: ignore[arg-type]
        *exchange.operations(exchange.ExchangeHandlers(nothing)),  # type: ignore[arg-type]
        *roles.operations(roles.RoleHandlers(profile, nothing, nothing)),  # type: ignore[arg-type]
        *groups.operations(groups.GroupHandlers(nothing, nothing), needs),  # type: ignore[arg-type]
    ]
    text = text_of("wire.md")
    for row in rows:
        line = next(line for line in text.splitlines() if line.startswith(f"| {row.name} |"))
        assert f"`{row.method} {row.path}" in line


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_documents_speak_of_the_project_only(path: Path) -> None:
    """No path of a machine stands in them."""
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work)/\w", path.read_text("utf-8"))
