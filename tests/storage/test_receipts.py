"""The receipt in the audit log: a key's history says when its end counted, and who was asked."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from keyhalt.cli.output import show_receipt
from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.decisions import Allowed, Denied
from keyhalt.storage.ledger import SqlLedger
from keyhalt.storage.postgres import Database, open_direct
from keyhalt.storage.schema_use import audit_denial
from keyhalt.system.clock import SystemClock
from keyhalt.system.place import place
from keyhalt.system.randomness import new_uuid
from keyhalt.usecases.barrier import HowEnded, Receipt, WaitedFor
from keyhalt.usecases.keep_lease import Holder
from keyhalt.usecases.receipts import NAMED_MAX, named
from keyhalt.usecases.rows import AuditQuery
from tests.storage.test_guard import ask
from tests.world import OPERATOR, ORIGIN, World

ASKED = Origin("9f86d081884c7d65", "203.0.113.9", "DELETE /api/v3/apiKey/1")


def delete(world: World, key_id: int) -> Receipt:
    done = world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ASKED
    )
    assert isinstance(done, Receipt)
    return done


def history(world: World, key_id: int) -> list[AuditEvent]:
    """What the log has about a key, oldest first, as a filter by the key finds it."""
    world.engine.recorder.flush()
    query = AuditQuery(datasource_id=world.datasource_id, key_id=key_id, limit=1000)
    rows = world.engine.read_audit(OPERATOR, query, ORIGIN)
    return [row.event for row in reversed(rows)]


def totals(world: World) -> dict[str, tuple[int, int]]:
    """Of changes that were waited for: how many waits, and how many rows."""
    world.engine.recorder.flush()
    found = world.engine.measure().totals
    assert found is not None
    names = ("epoch.done", "key.revoke.done")
    return {
        name: (
            sum(each.count for each in found.events if each.event == name and not each.reason),
            sum(each.count for each in found.events if each.event == name),
        )
        for name in names
    }


@pytest.fixture
def ledger(database_url: str, world: World) -> Iterator[SqlLedger]:
    """Another process's side of the database that `world` is in."""
    engine = open_direct(Database(database_url))
    yield SqlLedger(engine, new_uuid, SystemClock().now, lambda: ("elsewhere", 4711))
    engine.dispose()


def test_the_history_of_a_key_says_when_its_end_counted_everywhere(world: World) -> None:
    """Who, in the change's own row; when and how, in one that names nobody, by the same request."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    ask(world.engine, key)
    receipt = delete(world, key_id)
    made, begin, done = history(world, key_id)
    assert [e.event.value for e in (made, begin, done)] == [
        "key.create", "key.revoke.begin", "key.revoke.done",
    ]  # fmt: skip
    assert begin.epoch == done.epoch == receipt.epoch
    assert (begin.actor.name, begin.details["owner"]) == ("operator:test", "jsmith")
    assert (done.actor, done.origin) == (Actor(""), Origin(ASKED.request_id))
    assert (done.outcome, done.details["form"]) == ("done", world.form)
    assert {"waited_ms", "boot", "clock"} <= set(done.details)
    if world.form == "barrier":
        here = {"host": socket.gethostname(), "pid": os.getpid(), "ended": "ack"}
        assert done.details["waited_for"] == [here]
        assert (done.details["acknowledged"], done.details["timed_out"]) == (1, 0)
    assert not [e for e in world.events() if e.event is Event.EPOCH_DONE and e.epoch == done.epoch]


def test_each_key_of_many_has_its_row_and_all_of_them_one_commit_and_one_wait(
    world: World,
) -> None:
    """However many there are: no flood protection counts them away, no metric counts them twice."""
    user = world.user("jsmith", "orders.view")
    made = [world.key(user) for _ in range(130)]
    ids = [key_id for key_id, _ in made]
    for _, text in made[:3]:
        assert isinstance(ask(world.engine, text), Allowed)
    world.engine.recording.witness.flush()
    before = totals(world)
    ended = world.engine.delete_key.made_since(
        OPERATOR,
        datasource_id=world.datasource_id,
        user_id=user.user_id,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        origin=ASKED,
    )
    assert not isinstance(ended, Denied)
    after = totals(world)
    done = [e for e in world.events() if e.event is Event.KEY_REVOKE_DONE]
    assert sorted(e.object_id or 0 for e in done) == ids
    assert {e.details["clock"] for e in done} == {done[0].details["clock"]}
    assert [now - then for now, then in zip(*_pair(after, before), strict=True)] == [1, 130]
    audited = world.engine.audit_promise()
    assert (audited.keys, audited.compared, audited.broken) == (130, 3, [])


def _pair(after: Any, before: Any) -> tuple[Any, Any]:
    return after["key.revoke.done"], before["key.revoke.done"]


def test_deleting_again_waits_again_and_says_so_again(world: World) -> None:
    """As it always did: the epoch of the first time, another row, no other change."""
    key_id, _ = world.key(world.user("jsmith", "orders.view"))
    first, again = delete(world, key_id), delete(world, key_id)
    told = history(world, key_id)
    assert [e.event for e in told[1:]] == [
        Event.KEY_REVOKE_BEGIN, Event.KEY_REVOKE_DONE, Event.KEY_REVOKE_DONE,
    ]  # fmt: skip
    assert {e.epoch for e in told[1:]} == {first.epoch} == {again.epoch}
    found = world.engine.look_up.key_receipt(world.datasource_id, key_id)
    assert not isinstance(found, Denied)
    assert found.done == told[2]


def test_who_asks_again_without_end_fills_no_log(world: World) -> None:
    """What is too much of it is kept as a count."""
    key_id, _ = world.key(world.user("jsmith", "orders.view"))
    (told,) = {delete(world, key_id).epoch}
    with world.engine.rights.look() as tx:
        row = tx.keys.get(world.datasource_id, key_id)
    assert row is not None
    for _ in range(300):
        world.engine.barrier.wait_for_end(told, [row], ASKED, again=True)
    world.engine.recorder.flush()
    with world.engine.stores.use.connect() as connection:
        done = audit_denial.c.event == "key.revoke.done"
        query = select(func.count(), func.sum(audit_denial.c["count"])).where(done)
        rows, happened = connection.execute(query).one()
    assert happened == 301
    assert world.form == "barrier" or rows < 250


def test_logs_from_before_are_read_filtered_verified_and_give_a_receipt(world: World) -> None:
    """A deletion was `key.delete` then, and what said that it counted was of the epoch."""
    key_id, text = world.key(world.user("jsmith", "orders.view"))
    assert isinstance(ask(world.engine, text), Allowed)
    world.engine.recording.witness.flush()
    at = world.engine.clock.now()
    with world.engine.rights.change() as tx:
        epoch = tx.raise_epoch()
        tx.keys.delete(world.datasource_id, key_id, at=at, epoch=epoch)
        old = AuditEvent(
            event=Event.KEY_DELETE, at=at, actor=Actor("operator:test"), origin=ORIGIN,
            datasource_id=world.datasource_id, object_type="key", object_id=key_id,
            details={"name": "a key"}, epoch=epoch,
        )  # fmt: skip
        tx.record(old)
    world.engine.barrier.wait(epoch)
    assert [e.event.value for e in history(world, key_id)] == ["key.create", "key.delete"]
    query = AuditQuery(datasource_id=world.datasource_id, event=Event.KEY_DELETE, limit=9)
    (row,) = world.engine.read_audit(OPERATOR, query, ORIGIN)
    assert row.event == old
    assert world.engine.audit_chain.verify().findings == ()
    exported = [r.event.event for r in world.engine.read_audit.since(OPERATOR, None, ORIGIN)]
    assert Event.KEY_DELETE in exported
    found = world.engine.look_up.key_receipt(world.datasource_id, key_id)
    assert not isinstance(found, Denied)
    assert found.done is not None
    assert found.done.event is Event.EPOCH_DONE
    assert world.engine.audit_promise().compared == 1


def test_forgetting_a_person_keeps_the_proof_that_their_keys_ended(world: World) -> None:
    """It names nobody, so nothing of it has to go."""
    user = world.user("ursula", "orders.view")
    key_id, _ = world.key(user)
    delete(world, key_id)
    before = history(world, key_id)[-1]
    world.engine.keep_audit.forget(
        OPERATOR, datasource_id=world.datasource_id, user_id=user.user_id, origin=ORIGIN
    )
    made, begin, done = history(world, key_id)
    assert (made.details, begin.details) == ({}, {})
    assert done == before
    assert "ursula" not in json.dumps(dict(done.details))


@pytest.mark.parametrize("store", ["postgresql"], indirect=False)
class TestNames:
    """Who was waited for, where anybody is."""

    def test_who_hangs_is_named_with_its_host_and_how_it_ended(
        self, world: World, ledger: SqlLedger
    ) -> None:
        """Its lease ran out; the receipt counts it, and the row says which process it was."""
        key_id, _ = world.key(world.user("jsmith", "orders.view"))
        ledger.join("hangs", 0.2)
        receipt = delete(world, key_id)
        done = history(world, key_id)[-1]
        assert receipt.timed_out == 1
        assert done.outcome == "fenced"
        assert {"host": "elsewhere", "pid": 4711, "ended": "lease"} in done.details["waited_for"]
        assert done.details["timed_out"] == 1

    def test_who_leaves_meanwhile_is_named_as_gone(self, world: World, ledger: SqlLedger) -> None:
        """At its own word, or its parent's who has seen it end."""
        from threading import Timer

        key_id, _ = world.key(world.user("jsmith", "orders.view"))
        other, _ = world.key(world.user("ada", "orders.view"))
        leaves = ledger.join("leaves", 30.0)
        timer = Timer(0.3, ledger.leave, [leaves])
        timer.start()
        said = [each for each in delete(world, key_id).waited_for if each.pid == 4711]
        assert said == [WaitedFor("leaves", "elsewhere", 4711, HowEnded.LEFT)]
        timer.join()
        ledger.join("dies", 30.0)
        timer = Timer(0.3, ledger.bury, ["dies"])
        timer.start()
        said = [each for each in delete(world, other).waited_for if each.pid == 4711]
        assert said == [WaitedFor("dies", "elsewhere", 4711, HowEnded.LEFT)]
        timer.join()

    def test_who_was_fenced_by_another_change_is_named_so(
        self, world: World, ledger: SqlLedger
    ) -> None:
        """Its lease was over for that one, and so it is for this."""
        from threading import Timer

        key_id, _ = world.key(world.user("jsmith", "orders.view"))
        holder = ledger.join("hangs", 30.0)
        timer = Timer(0.3, ledger.fence, [[Holder(holder.process, holder.incarnation)], 10**9])
        timer.start()
        said = [each.ended for each in delete(world, key_id).waited_for if each.pid == 4711]
        assert said == [HowEnded.LEASE]
        timer.join()


def test_a_row_names_so_many_processes_and_counts_the_rest() -> None:
    """Those that did not answer come first; one of the version before has its own name only."""
    one = WaitedFor("p", "host", 1, HowEnded.ACK)
    late = WaitedFor("old", None, None, HowEnded.LEASE)
    many = [replace(one, pid=number) for number in range(99)] + [late]
    said = named(many)
    assert said["waited_for"][0] == {"process": "old", "ended": "lease"}  # type: ignore[index]
    assert len(said["waited_for"]) == NAMED_MAX  # type: ignore[arg-type]
    assert said["waited_for_more"] == 100 - NAMED_MAX
    assert named([one]) == {"waited_for": [{"host": "host", "pid": 1, "ended": "ack"}]}


def test_a_process_says_where_it_runs() -> None:
    """A fork says its own."""
    assert place() == (socket.gethostname(), os.getpid())


def test_the_line_that_commands_print_names_who_was_not_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Five of them by host and process; who is of the version before has no place to name."""
    late = [WaitedFor("p", "web-2", number, HowEnded.LEASE) for number in range(1, 8)]
    old = WaitedFor("p", None, None, HowEnded.LEASE)
    for waited_for, said in (
        (late[:1], " (web-2 process 1)"),
        ([late[0], old], " (web-2 process 1, 1 more)"),
        (late, f" ({', '.join(f'web-2 process {n}' for n in range(1, 6))}, 2 more)"),
        ([old], ""),
    ):
        receipt = Receipt(9, "barrier", 1250, 1, len(waited_for), waited_for)
        show_receipt("Deleted key 1", receipt)
        assert capsys.readouterr().err == (
            "Deleted key 1. In effect everywhere: epoch 9, acknowledged by 1,"
            f" {len(waited_for)} not reached, whose leases have ended{said}, waited 1250 ms.\n"
        )
