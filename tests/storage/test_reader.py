"""What a verification asks the store: counted, not timed."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Cause, Decision, Denied, Presented
from keyhalt.core.principals import Principal
from keyhalt.core.secrets import Secret
from keyhalt.storage.postgres_reader import PostgresReader
from keyhalt.storage.stores import SqliteStores
from keyhalt.system.mark_file import MarkFile
from keyhalt.usecases.watch import Watch
from tests.world import OPERATOR, ORIGIN, World, make_world

OVER_HTTPS = True


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

        async def counted(self: Any, sql: bytes, *values: object) -> object:
            seen.append(sql.decode())
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
    assert world.engine.verify.remembered(presented.only_key, presented.over_https) is not None
    assert len(statements) == 1


def test_keys_of_one_owner_share_what_is_the_owners(world: World) -> None:
    """Remembering one more key costs little; an owner that was changed is another."""
    user = world.user("jsmith", "orders.view")
    first, second, third = (world.key(user)[1] for _ in range(3))
    one, other = (answered(world, key) for key in (first, second))
    assert isinstance(one, Allowed)
    assert isinstance(other, Allowed)
    assert one.principal.user is other.principal.user
    world.grant("jsmith", "orders.view", "orders.create")
    later = answered(world, third)
    assert isinstance(later, Allowed)
    assert later.principal.permissions > one.principal.permissions


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


def answered(world: World, text: str) -> Allowed | Cause:
    """As the middleware asks: memory first."""
    verify = world.engine.verify
    known = verify.remembered(text.encode(), OVER_HTTPS)
    if known is None:
        (known,) = verified(world, text)
    return known.cause if isinstance(known, Denied) else Allowed(getattr(known, "principal", known))


def test_a_deleted_key_costs_one_statement_until_any_right_changes(
    world: World, statements: list[str]
) -> None:
    """That it is deleted is remembered as what is allowed is: with the state it was read in."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    assert isinstance(answered(world, key), Allowed)
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    statements.clear()
    assert [answered(world, key) for _ in range(5)] == [Cause.DELETED_KEY] * 5
    assert len(statements) == 1
    world.grant("jsmith", "projects.view")
    assert answered(world, key) is Cause.DELETED_KEY
    assert len(statements) == 2


def test_other_refusals_of_the_store_are_asked_for_each_time(
    world: World, statements: list[str]
) -> None:
    """An owner who may come back, and a key that is not there yet."""
    user = world.user("jsmith", "orders.view")
    _, key = world.key(user)
    users = world.engine.manage_users
    users.set_active(OPERATOR, world.datasource_id, user.user_id, ORIGIN, active=False)
    statements.clear()
    assert [answered(world, key) for _ in range(3)] == [Cause.OWNER_INACTIVE] * 3
    assert len(statements) == 3
    users.set_active(OPERATOR, world.datasource_id, user.user_id, ORIGIN, active=True)
    assert isinstance(answered(world, key), Allowed)


def test_a_text_that_was_refused_counts_as_soon_as_it_is_imported(world: World) -> None:
    """Another process imports it; this one had remembered that it is nobody's."""
    user = world.user("jsmith", "orders.view")
    text = "old-key-of-another-system-0123456789"
    assert [answered(world, text) for _ in range(3)] == [Cause.FOREIGN_TEXT] * 3
    other = world.other()
    other.issue.import_key(
        OPERATOR,
        datasource_id=world.datasource_id,
        owner_id=user.user_id,
        name="old",
        description="",
        text=Secret(text),
        origin=ORIGIN,
    )
    other.close()
    assert isinstance(answered(world, text), Allowed)


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
                if verify.remembered(presented.only_key, presented.over_https) is None
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
    known = verify.remembered(presented.only_key, presented.over_https)
    assert not isinstance(known, Principal)


def test_asking_whether_the_store_answers_disturbs_no_verification(tmp_path: Path) -> None:
    """Readiness is asked in other threads than the one that verifies, at any moment."""
    make_world(tmp_path).close()
    asking = get_context("spawn").Process(target=_ask_in_two_threads, args=(tmp_path,))
    asking.start()
    asking.join()
    assert asking.exitcode == 0


def _ask_in_two_threads(folder: Path) -> None:
    """In a process of its own, which may end of it."""
    sys.setswitchinterval(1e-5)
    stores = SqliteStores(folder, create=False)
    verifying = stores.verifying(Watch(MarkFile(folder / "mac-keys.mark")))
    with ThreadPoolExecutor(1) as other:
        ready = other.submit(lambda: all(verifying.ready() for _ in range(1_000)))
        while not ready.done():
            assert verifying.freshness.tag(0.0) is not None
    assert ready.result()
