"""Break glass: whole sets of keys stop everywhere in one epoch, and can be thawed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from keyhalt.core.decisions import Allowed, Cause, Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.freeze import Frozen
from tests.storage.test_guard import ask
from tests.world import OPERATOR, ORIGIN, World


def freeze(world: World, **said: Any) -> Frozen:
    which = {"datasource_id": None, "issued_before": None, "generation": None, **said}
    done = world.engine.freeze_keys(OPERATOR, **which, origin=ORIGIN)
    assert isinstance(done, Frozen), done
    return done


def cause_of(world: World, engine: Any, key: str) -> Cause | None:
    del world
    decision = ask(engine, key)
    return decision.cause if isinstance(decision, Denied) else None


def test_a_datasource_is_frozen_and_thawed_in_every_process(world: World) -> None:
    """Remembered keys too, in one epoch each way; other datasources are not meant."""
    user = world.user("jsmith", "orders.view")
    keys = [world.key(user, f"k{n}")[1] for n in range(3)]
    place = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    theirs = _key_in(world, place.id)
    other = world.other()
    assert all(isinstance(ask(other, key), Allowed) for key in (*keys, theirs))
    done = freeze(world, datasource_id=world.datasource_id)
    assert done.keys == 3
    assert done.receipt.form == world.form
    for engine in (world.engine, other):
        assert [cause_of(world, engine, key) for key in keys] == [Cause.FROZEN_KEY] * 3
        assert isinstance(ask(engine, theirs), Allowed)
    thawed = world.engine.freeze_keys.thaw(OPERATOR, done.row.id, ORIGIN)
    assert isinstance(thawed, Frozen)
    assert thawed.receipt.epoch == done.receipt.epoch + 1
    for engine in (world.engine, other):
        assert all(isinstance(ask(engine, key), Allowed) for key in keys)


def test_keys_made_after_a_freeze_are_not_meant(world: World) -> None:
    """So an integration gets a new key while the old ones stand still."""
    user = world.user("jsmith", "orders.view")
    _, old = world.key(user, "old")
    freeze(world, datasource_id=world.datasource_id)
    _, new = world.key(user, "new")
    assert cause_of(world, world.engine, old) is Cause.FROZEN_KEY
    assert isinstance(ask(world.engine, new), Allowed)


def test_issued_before_takes_in_what_was_made_before(world: World) -> None:
    """A time between two keys tells them apart; one in the future means now."""
    user = world.user("jsmith", "orders.view")
    _, old = world.key(user, "old")
    between = world.engine.clock.now()
    _, new = world.key(user, "new")
    assert freeze(world, issued_before=between).keys == 1
    assert cause_of(world, world.engine, old) is Cause.FROZEN_KEY
    assert isinstance(ask(world.engine, new), Allowed)
    assert freeze(world, issued_before=between + timedelta(days=9)).keys == 2
    _, newest = world.key(user, "newest")
    assert isinstance(ask(world.engine, newest), Allowed)


def test_a_generation_is_frozen_by_its_number(world: World) -> None:
    """Keys of another generation of MAC keys count on."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert freeze(world, generation=7).keys == 0
    assert isinstance(ask(world.engine, key), Allowed)
    assert freeze(world, generation=0).keys == 1
    assert cause_of(world, world.engine, key) is Cause.FROZEN_KEY


def test_two_freezes_both_have_to_be_thawed(world: World) -> None:
    """Thawing one does not undo the other, and no freeze is thawed twice."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    first, second = (freeze(world, datasource_id=world.datasource_id) for _ in range(2))
    world.engine.freeze_keys.thaw(OPERATOR, first.row.id, ORIGIN)
    assert cause_of(world, world.engine, key) is Cause.FROZEN_KEY
    world.engine.freeze_keys.thaw(OPERATOR, second.row.id, ORIGIN)
    assert isinstance(ask(world.engine, key), Allowed)
    assert isinstance(world.engine.freeze_keys.thaw(OPERATOR, first.row.id, ORIGIN), Denied)


def test_a_freeze_of_nothing_said_is_refused(world: World) -> None:
    """Nobody stops a whole environment by leaving an option out."""
    refused = world.engine.freeze_keys(
        OPERATOR, datasource_id=None, issued_before=None, generation=None, origin=ORIGIN
    )
    assert isinstance(refused, Refused)
    assert world.engine.freeze_keys.list() == []


def test_a_frozen_key_administers_nothing_that_it_began_before(world: World) -> None:
    """Inside the transaction it is asked again."""
    user = world.user("jsmith", "settings.*", "orders.view")
    key_id, key = world.key(user)
    decision = ask(world.engine, key)
    assert isinstance(decision, Allowed)
    freeze(world, datasource_id=world.datasource_id)
    done = world.engine.delete_key(
        decision.principal, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    assert isinstance(done, Denied)
    assert done.cause is Cause.FROZEN_KEY


def test_a_change_says_when_it_was_in_effect_everywhere(world: World) -> None:
    """Its own row in its own transaction, and `epoch.done` with the same epoch after the wait."""
    world.key(world.user("jsmith", "orders.view"))
    freeze(world, datasource_id=world.datasource_id)
    rows = [e for e in world.events() if e.epoch is not None]
    change, done = sorted(rows[-2:], key=lambda row: row.event.value == "epoch.done")
    assert (change.event.value, done.event.value) == ("keys.freeze", "epoch.done")
    assert change.epoch == done.epoch
    assert done.details["form"] == world.form
    if world.form == "barrier":
        assert (done.details["acknowledged"], done.details["timed_out"]) == (1, 0)


def _key_in(world: World, datasource_id: int) -> str:
    from dataclasses import replace

    twin = replace(world, datasource_id=datasource_id)
    return twin.key(twin.user("jsmith", "orders.view"))[1]
