"""What a verification asks the store: counted, not timed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Decision, Denied, Presented
from keyhalt.storage.postgres_reader import PostgresReader
from tests.world import OPERATOR, ORIGIN, World


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
    assert (
        world.engine.verify.remembered(presented.only_key, over_https=presented.over_https)
        is not None
    )
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


def test_a_thousand_first_requests_for_one_key_make_one_read(
    world: World, statements: list[str]
) -> None:
    """One reads, the others take what it remembered; all are the owner."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    presented = Presented(keys=(key.encode(),), over_https=True)

    async def ask() -> list[Decision]:
        verify = world.engine.verify
        return await asyncio.gather(
            *(
                verify.verify(presented)
                for _ in range(1000)
                if verify.remembered(presented.only_key, over_https=presented.over_https) is None
            )
        )

    statements.clear()
    decisions = asyncio.run(ask())
    assert all(isinstance(each, Allowed) for each in decisions)
    reads = [each for each in statements if "api_key" in each]
    assert len(reads) == (1 if world.form == "barrier" else len(decisions))


def test_who_waited_for_a_read_that_a_change_overtook_reads_again(world: World) -> None:
    """A read that began before a delete does not answer a request that came after it."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    presented = Presented(keys=(key.encode(),), over_https=True)
    verify = world.engine.verify
    read = verify._reader.key

    async def overtaken(number: int) -> Any:
        facts = await read(number)
        await held.wait()
        return facts

    async def ask() -> tuple[Decision, Decision]:
        verify._reader.key = overtaken  # type: ignore[method-assign]
        before = asyncio.create_task(verify.verify(presented))
        await asyncio.sleep(0.05)
        delete = asyncio.to_thread(
            world.engine.delete_key,
            OPERATOR,
            datasource_id=world.datasource_id,
            key_id=key_id,
            origin=ORIGIN,
        )
        await delete
        after = asyncio.create_task(verify.verify(presented))
        await asyncio.sleep(0)
        verify._reader.key = read  # type: ignore[method-assign]
        held.set()
        return await before, await after

    held = asyncio.Event()
    first, second = asyncio.run(ask())
    assert isinstance(first, Allowed)
    assert isinstance(second, Denied)
    assert verify.remembered(presented.only_key, over_https=presented.over_https) is None
