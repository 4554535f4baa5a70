"""Anchors in syslog: sent beside the file, and good to verify with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from keyhalt.core.chain import Flaw
from keyhalt.storage.schema import audit_event
from tests.world import OPERATOR, ORIGIN, World


@pytest.fixture(params=["socket", "udp"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address of a log, and where what is sent to it arrives."""
    if request.param == "socket":
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(address := str(tmp_path / "log"))
    else:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    listener.settimeout(30)
    yield address, listener
    listener.close()


def test_an_anchor_is_sent_once_and_verifies_without_the_file(
    world: World, log: tuple[str, socket.socket]
) -> None:
    """Cut the end off and take the file away: the log on the other host still knows."""
    address, listener = log
    engine = world.other(anchor_syslog=address)
    engine.set_up.datasource(OPERATOR, "globex", ORIGIN)
    for _ in range(2):
        engine.audit_chain.anchor()
    engine.set_up.datasource(OPERATOR, "initech", ORIGIN)
    engine.audit_chain.anchor()
    sent = [listener.recv(1000).decode().rstrip("\0") for _ in range(2)]
    assert all(each.startswith("<38>keyhalt: keyhalt-anchor-1 ") for each in sent)
    wrote = ["Nov 24 12:00:00 host cron: nothing", *(f"Nov 24 12:00:00 host {s}" for s in sent)]
    seen = engine.audit_chain.verify(wrote)
    assert (seen.findings, seen.anchors) == ((), 4)
    (world.folder / "mac-keys.anchors").unlink()
    with engine.stores.rights.begin() as connection:
        connection.execute(delete(audit_event).where(audit_event.c.id == seen.rows))
    assert engine.audit_chain.verify().findings == ()
    (found,) = engine.audit_chain.verify(wrote).findings
    assert (found.flaw, found.at) == (Flaw.ANCHOR_MISSES, seen.rows)


def test_a_log_that_is_away_changes_nothing_else(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The change stands, the file has its anchor, and a warning says what is missing."""
    engine = world.other(anchor_syslog=str(tmp_path / "nobody"))
    engine.set_up.datasource(OPERATOR, "globex", ORIGIN)
    engine.audit_chain.anchor()
    assert "cannot be anchored" in caplog.text
    assert engine.audit_chain.verify().anchors == 1
