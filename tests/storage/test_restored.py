"""A database of PostgreSQL that was put back by its own tools, under running processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Cause, Denied
from keyhalt.embed import open_engine
from keyhalt.upkeep import Upkeep
from keyhalt.usecases.ports import StoreClosedError
from keyhalt.usecases.reopen import Accepted, Closed, Opened
from keyhalt.usecases.replaying import LogLine
from tests.postgres import postgres_tool
from tests.storage.test_guard import ask
from tests.world import OPERATOR, ORIGIN, World, until


@pytest.fixture
def store() -> str:
    return "postgresql"


def unavailable(decision: Allowed | Denied) -> bool:
    return isinstance(decision, Denied) and decision.cause is Cause.STORE_UNAVAILABLE


def exported(world: World) -> list[LogLine]:
    rows = world.engine.read_audit.since(OPERATOR, None, ORIGIN)
    cluster = world.engine.environment.cluster
    return [
        LogLine(
            cluster=cluster,
            epoch=row.event.epoch or 0,
            event=row.event.event,
            at=str(row.event.at),
            actor=row.event.actor.name,
            datasource_id=row.event.datasource_id or 0,
            object_id=row.event.object_id or 0,
            details=row.event.details,
        )
        for row in rows
    ]


def reopen(world: World, log: list[LogLine], **accepted: Any) -> Opened | Closed:
    with Upkeep(world.options).reopening() as verb:
        return verb(OPERATOR, log, Accepted(**accepted), ORIGIN)


def test_a_database_that_is_put_back_revives_no_deleted_key(
    world: World, database_url: str, tmp_path: Path
) -> None:
    """The documented way, even under running processes: closed, replayed, open, still deleted."""
    user = world.user("jsmith", "orders.view")
    (_, keep), (gone_id, gone) = world.key(user, "keep"), world.key(user, "gone")
    dump = f"--file={tmp_path / 'keyhalt.dump'}"
    postgres_tool("pg_dump", "--format=custom", dump, database_url)
    other = world.other()
    for engine in (world.engine, other):
        assert isinstance(ask(engine, gone), Allowed)
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=gone_id, origin=ORIGIN
    )
    log = exported(world)
    restore = ("--clean", "--if-exists", "--single-transaction", f"--dbname={database_url}")
    postgres_tool("pg_restore", *restore, str(tmp_path / "keyhalt.dump"))
    for engine in (world.engine, other):
        # At once, before anybody's keeper has looked.
        assert unavailable(ask(engine, gone))
    until(lambda: not world.engine.ready() and not other.ready())
    for engine in (world.engine, other):
        assert unavailable(ask(engine, keep))
        assert unavailable(ask(engine, gone))
    with pytest.raises(StoreClosedError, match="keyhalt db reopen"):
        open_engine(world.options)
    with pytest.raises(StoreClosedError):
        world.deactivate("jsmith")
    assert isinstance(reopen(world, []), Closed)
    opened = reopen(world, log)
    assert isinstance(opened, Opened)
    assert (opened.replayed, opened.accepted) == (1, 0)
    until(lambda: world.engine.ready() and other.ready())
    for engine in (world.engine, other):
        assert isinstance(ask(engine, keep), Allowed)
        assert isinstance(ask(engine, gone), Denied)


def test_another_machine_has_seen_as_much_when_a_change_returns(
    world: World, tmp_path: Path
) -> None:
    """It raises its own mark before it acknowledges."""
    user = world.user("jsmith", "orders.view")
    key_id, _ = world.key(user)
    mark = tmp_path / "elsewhere.mark"
    other = world.other(mark_path=mark)
    assert ask(other, "no key")
    receipt = world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    assert not isinstance(receipt, Denied)
    assert int(mark.read_text().split()[1]) == receipt.epoch
