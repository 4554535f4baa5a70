"""The promise, audited: nothing is found where it was kept, and what breaks it is found."""

from __future__ import annotations

import asyncio
import threading

from keyhalt.client.credentials import key_in_query
from keyhalt.core.decisions import Allowed, Presented
from keyhalt.core.freshness import Entry, Freshness, Memory, Tag
from keyhalt.core.principals import Principal
from keyhalt.embed import Engine
from keyhalt.storage.promise import KEEP_DAYS, Witness
from keyhalt.usecases.verify import Verify
from tests.world import OPERATOR, ORIGIN, World

OVER_HTTPS = True


class Stale(Freshness):
    """A verifier's worst mistake: everything it ever read is fresh for ever."""

    def tag(self, now: float) -> Tag:
        del now
        return Tag(1, 1, 1)

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        del since, principal
        return True


def stale(engine: Engine) -> Verify:
    """A verifier of that process, but for the mistake."""
    memory = Memory(100, leaving=engine.recording.witness.left)
    engine.recording.witness.watch(memory)
    return Verify(
        reader=engine.verifying.reader, memory=memory, freshness=Stale(), here=engine.here,
        catalogue=engine.profile.catalogue, recorder=engine.recorder, use=engine.use_recorder,
        clock=engine.clock, find_in_url=key_in_query,
    )  # fmt: skip


def asked(verify: Verify, key: str) -> bool:
    presented = Presented(keys=(key.encode(),), over_https=True)
    if verify.remembered(key.encode(), OVER_HTTPS) is not None:
        return True
    return isinstance(asyncio.run(verify.verify(presented)), Allowed)


def delete(world: World, key_id: int) -> None:
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    world.engine.recorder.flush()


def test_the_one_that_breaks_it_is_found(world: World) -> None:
    """A process that answers from memory what it must ask: which key, process, how late."""
    other = world.other()
    liar = stale(other)
    user = world.user("jsmith", "orders.view")
    kept, late = world.key(user), world.key(user, "late")
    for key in (kept, late):
        assert asked(liar, key[1])
        assert asked(world.engine.verify, key[1])
        delete(world, key[0])
        assert not asked(world.engine.verify, key[1])
    assert asked(liar, late[1])
    for engine in (world.engine, other):
        engine.recording.witness.flush()
    seen = world.engine.audit_promise()
    assert (seen.keys, seen.compared) == (2, 4)
    (broken,) = seen.broken
    assert broken.key.key_id == late[0]
    assert broken.last.epoch <= broken.key.epoch
    assert broken.late_seconds > 0


def test_nothing_is_found_where_it_is_kept(world: World) -> None:
    """Keys that are asked for without a pause by two processes while they are deleted."""
    user = world.user("jsmith", "orders.view")
    keys = [world.key(user, f"{number}") for number in range(30)]
    processes = [world.other(), world.other()]
    stop = threading.Event()
    allowed = [0, 0]

    def hammer(number: int) -> None:
        # Each verifier belongs to one loop, in one thread.
        with asyncio.Runner() as runner:
            verify = processes[number].verify
            while not stop.is_set():
                for _, key in keys:
                    presented = Presented(keys=(key.encode(),), over_https=True)
                    if verify.remembered(key.encode(), OVER_HTTPS) or isinstance(
                        runner.run(verify.verify(presented)), Allowed
                    ):
                        allowed[number] += 1

    threads = [threading.Thread(target=hammer, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for key_id, _ in keys:
        delete(world, key_id)
    stop.set()
    for thread in threads:
        thread.join()
    for process in processes:
        process.recording.witness.flush()
    seen = world.engine.audit_promise()
    assert min(allowed) > 0
    assert seen.compared >= 30
    assert (seen.broken, seen.keys) == ([], 30)


def test_it_is_said_what_cannot_be_compared(world: World) -> None:
    """Another boot, and an end of which nobody knows that it returned."""
    user = world.user("jsmith", "orders.view")
    here, there = world.key(user), world.key(user, "there")
    assert asked(world.engine.verify, here[1])
    away = Witness(
        world.engine.stores.use, process="away", boot="another", clock=world.engine.clock
    )
    decision = asyncio.run(
        world.engine.verify.verify(Presented(keys=(there[1].encode(),), over_https=True))
    )
    assert isinstance(decision, Allowed)
    away.left(Entry(decision.principal, Tag(1, 1), at=1e12))
    away.flush()
    world.engine.recording.witness.flush()
    for key_id, _ in (here, there):
        delete(world, key_id)
    with world.engine.stores.use.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_denial SET epoch = NULL WHERE id = 1")
    seen = world.engine.audit_promise()
    assert seen.unseen == {"another_boot": 1, "end_never_returned": 1}
    assert (seen.compared, seen.broken) == (1, [])


def test_rows_do_not_pile_up(world: World) -> None:
    """One for a key and process, however often it is asked for; gone after a month."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    for _ in range(3):
        assert asked(world.engine.verify, key)
        world.engine.recording.witness.flush()
    stored = "SELECT day FROM key_allowed"
    with world.engine.stores.use.begin() as connection:
        assert len(connection.exec_driver_sql(stored).all()) == 1
        connection.exec_driver_sql("UPDATE key_allowed SET day = '2020-01-01'")
    assert KEEP_DAYS > 1
    world.other().recording.witness.turn()
    with world.engine.stores.use.begin() as connection:
        assert connection.exec_driver_sql(stored).all() == []
