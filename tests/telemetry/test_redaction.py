"""No credential reaches a log, whatever a library or a later change writes."""

from __future__ import annotations

import io
import logging

import pytest

from keyhalt.core.secrets import Secret
from keyhalt.telemetry.logs import RedactingFormatter, redact
from tests.world import PASSWORD, World

KEY = "ZWNhcHxEZW1v.YWNtZXwxfDE=.EPL/CpUAdwM5FQMiF7yEWU9wfhR2M/4ppRrIw10/2lLxJFVi"


@pytest.mark.parametrize(
    "line",
    [
        f"got {KEY} from 10.0.0.1",
        f"ECI-ApiKey: {KEY}",
        "ECI-ApiKey: anything-at-all",
        "{'eci-apikey': 'short'}",
        "Authorization: bearer N_7kMk-KMjz0pbPJiMxcgkXci2bpsi94cTu0boLm2HY",
        'body {"password": "hunter2hunter2"}',
        "password=hunter2hunter2",
        "[(b'host', b'x'), (b'eci-apikey', b'short')]",
        "Keyhalt-Proxy-Secret: hunter2hunter2",
        f"GET /api/v3/meter?api_key={KEY}",
    ],
)
def test_what_looks_like_a_credential_is_redacted(line: str) -> None:
    """Keys by shape, tokens by scheme, and whatever follows the names of secrets."""
    redacted = redact(line)
    assert "[redacted]" in redacted
    for secret in (KEY, "anything-at-all", "short", "N_7kMk", "hunter2"):
        assert secret not in redacted


def test_a_long_run_of_letters_is_read_once() -> None:
    """Reading it anew from each of them would take hours."""
    assert redact("A" * 2_000_000) == "A" * 2_000_000
    assert redact(f"{'A' * 2_000_000} {KEY}").endswith(" [redacted]")


def test_arguments_and_tracebacks_are_redacted_too() -> None:
    """The last step of formatting, so nothing is added after it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter("%(message)s"))
    logger = logging.getLogger("test.redaction")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        int(KEY)
    except ValueError:
        logger.exception("failed with %s and %s", KEY, Secret(KEY))
    assert KEY not in stream.getvalue()
    assert stream.getvalue().count("[redacted]") >= 2


def test_a_canary_key_password_and_token_stand_in_no_file_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Through success, every denial and a bug: only digests are kept."""
    caplog.set_level(logging.DEBUG)
    _, key = world.key(world.user("jsmith", "orders.view", "settings.*"))
    second = world.other()
    with world.client(second, access_log=True) as http:
        body = {"dataSource": "acme", "username": "jsmith", "password": PASSWORD}
        token = http.post("/api/v3/login", json=body).json()["token"]
        child = http.post(
            "/api/v3/apiKey", json={"apiKeyName": "child"}, headers={"ECI-ApiKey": key}
        ).json()["apiKey"]
        for headers in ({"ECI-ApiKey": key}, {"Authorization": f"Bearer {token}"}):
            for path in ("order", "order/fail", f"order/{key}", f"order?api_key={key}", "nothing"):
                http.get(f"/api/v3/{path}", headers=headers)
        http.get(f"/api/v3/order?token={token}&api_key={key}")
        http.get(f"/{key}")
    world.engine.close()
    contents = {file.name: file.read_bytes() for file in world.folder.iterdir()}
    for canary in (key, token, child, PASSWORD):
        for part in (canary, canary.split(".")[-1]):
            assert part not in caplog.text
            for name, content in contents.items():
                assert part.encode() not in content, name
