"""What a verification asks the store: counted, not timed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Decision, Presented
from keyhalt.storage.postgres_reader import PostgresReader
from tests.world import World


def verified(world: World, *keys: str) -> list[Decision]:
    async def ask() -> list[Decision]:
        return [
            await world.engine.verify.verify(Presented(keys=(key.encode(),), over_https=True))
            for key in keys
        ]

    return asyncio.run(ask())


@pytest.fixture
def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that the verifier asks with, the guard's and the lease's apart."""
    seen: list[str] = []
    reader: Any = world.engine.verifying.reader
    if isinstance(reader, PostgresReader):

        async def counted(self: Any, sql: str, *values: object) -> object:
            seen.append(sql)
            return await original(self, sql, *values)

        original = PostgresReader._one
        monkeypatch.setattr(PostgresReader, "_one", counted)
    else:
        reader._rights.set_trace_callback(seen.append)
    return seen


def test_a_key_seen_for_the_first_time_costs_one_statement(
    world: World, statements: list[str]
) -> None:
    """Key, owner, role, topmosts and datasource in one; none when it is remembered."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    statements.clear()
    assert isinstance(verified(world, key)[0], Allowed)
    assert len(statements) == 1
    presented = Presented(keys=(key.encode(),), over_https=True)
    assert world.engine.verify.remembered(presented) is not None
    assert len(statements) == 1


def test_garbage_costs_no_statement(world: World, statements: list[str]) -> None:
    """Cut, changed, forged or foreign: refused from the text alone, however much of it comes."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    verified(world, "the first foreign text asks whether anything was imported")
    statements.clear()
    head, whose, payload = key.split(".")
    garbage = [f"{head}.{whose}.{'A' * n}" for n in range(50)]
    garbage += [key[:n] for n in range(len(key))] + [key + "A", payload, "x" * 2000]
    assert not any(isinstance(decision, Allowed) for decision in verified(world, *garbage))
    assert statements == []


def test_a_reader_holds_no_snapshot(world: World) -> None:
    """Between two questions it sees what others committed, so no statement was left open."""
    user = world.user("jsmith", "orders.view")
    _, key = world.key(user)
    assert isinstance(verified(world, key)[0], Allowed)
    for grants, allowed in ((("projects.view",), 0b100000), (("orders.view",), 0b100)):
        world.grant("jsmith", *grants)
        decision = verified(world, key)[0]
        assert isinstance(decision, Allowed)
        assert decision.principal.permissions == allowed
