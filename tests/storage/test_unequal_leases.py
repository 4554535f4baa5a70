"""Processes that give themselves leases of different lengths: a change waits for the longest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyhalt.core.leases import Kind, subject
from keyhalt.storage.ledger import SqlLedger
from keyhalt.storage.postgres import Database, open_direct
from keyhalt.system.clock import SystemClock
from keyhalt.system.place import place
from keyhalt.system.randomness import new_uuid
from keyhalt.usecases.barrier import Receipt
from tests.storage.test_guard import changes
from tests.world import World, make_world

OWN, LONGER = 0.2, 1.2


@pytest.fixture
def store() -> str:
    return "postgresql"


@pytest.fixture
def short(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A world whose own leases are short, as of a command that was told another setting."""
    world = make_world(tmp_path / "data", database=Database(database_url), lease_seconds=OWN)
    yield world
    world.close()


@pytest.fixture
def ledger(short: World, database_url: str) -> Iterator[SqlLedger]:
    engine = open_direct(Database(database_url))
    yield SqlLedger(engine, new_uuid, SystemClock().now, place)
    engine.dispose()


def test_a_change_waits_for_the_longest_lease_that_anybody_has(
    short: World, ledger: SqlLedger
) -> None:
    """Whatever its own setting says: who hangs may answer from before for as long as its own."""
    short.key(short.user("jsmith", "orders.view"))
    ledger.join("hangs", LONGER)
    receipt = changes(short)["delete_key"]()
    assert isinstance(receipt, Receipt)
    assert receipt.waited_ms >= 1250 * LONGER
    assert receipt.timed_out == 1
    again = changes(short)["delete_key"]()
    assert isinstance(again, Receipt)
    assert again.timed_out == 0


def test_nobody_joins_while_a_change_is_under_way(short: World, ledger: SqlLedger) -> None:
    """Else the change would not know of that lease, and the lease not of the change."""
    holders = []
    joining = threading.Thread(target=lambda: holders.append(ledger.join("new", LONGER)))
    with short.engine.rights.change() as tx:
        epoch = tx.raise_epoch(subject(Kind.KEY, 1))
        joining.start()
        joining.join(0.3)
        assert holders == []
    joining.join(10)
    (holder,) = holders
    standing = ledger.standing(holder)
    assert standing is not None
    assert standing.epoch >= epoch
