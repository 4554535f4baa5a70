"""What every store does alike: names, times, order, duplicates, and two changes at once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from keyhalt.core.leases import EVERYTHING, Kind, subject
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.core.refusals import Refused
from keyhalt.storage.schema import epoch_log
from keyhalt.usecases.ports import DuplicateError, StoreUnavailableError
from keyhalt.usecases.rows import NewKey
from tests.world import OPERATOR, ORIGIN, World

MADE_WITH = Credential(CredentialKind.OPERATOR, 0)


def add_key(tx: Any, world: World, owner_id: int, name: str, at: datetime) -> int:
    new = NewKey(owner_id, name, "", made_with=MADE_WITH, made_by="test", created_at=at)
    return int(tx.keys.add(world.datasource_id, new))


NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jsmith", "JSmith"), ("élan", "E\u0301LAN"), ("straße", "STRASSE")],
)
def test_codes_that_fold_to_the_same_are_one_user(world: World, one: str, other: str) -> None:
    """Case and composition do not make a second user; the first spelling is kept."""
    user = world.user(one, "orders.view")
    with world.engine.rights.look() as tx:
        found = tx.users.find(world.datasource_id, other)
    assert found is not None
    assert (found.user_id, found.user_code) == (user.user_id, one)


@pytest.mark.parametrize("text", ["a'b\"c\\d%_", "🗝️ key", "日本語", "\u202fnarrow", "x" * 60])
def test_texts_come_back_as_they_went_in(world: World, text: str) -> None:
    """No store trims, escapes or re-encodes a name."""
    user = world.user("jsmith", "orders.view")
    with world.engine.rights.change() as tx:
        key_id = add_key(tx, world, user.user_id, text, NOW)
    with world.engine.rights.look() as tx:
        row = tx.keys.get(world.datasource_id, key_id)
    assert row is not None
    assert row.name == text


@pytest.mark.parametrize("hours", [0, 5, -11])
def test_times_keep_the_microsecond_and_come_back_in_utc(world: World, hours: int) -> None:
    """Whatever zone they were written from."""
    user = world.user("jsmith", "orders.view")
    at = NOW.astimezone(timezone(timedelta(hours=hours)))
    with world.engine.rights.change() as tx:
        key_id = add_key(tx, world, user.user_id, "k", at)
    with world.engine.rights.look() as tx:
        row = tx.keys.get(world.datasource_id, key_id)
    assert row is not None
    assert row.created_at == NOW
    assert row.created_at.utcoffset() == timedelta(0)


def test_a_name_that_is_taken_is_a_duplicate(world: World) -> None:
    """The same outcome on every store, and nothing of the change is kept."""
    before = len(world.engine.look_up.roles(world.datasource_id))
    made = [
        world.engine.manage_roles.create(
            OPERATOR, world.datasource_id, name=name, description="", grants=(), origin=ORIGIN
        )
        for name in ("Gärtner", "GÄRTNER")
    ]
    assert [isinstance(each, Refused) for each in made] == [False, True]
    assert len(world.engine.look_up.roles(world.datasource_id)) == before + 1


def test_a_duplicate_in_a_transaction_is_named_as_one(world: World) -> None:
    """Inside `change` it is DuplicateError, whichever database says so."""
    with pytest.raises(DuplicateError), world.engine.rights.change() as tx:
        tx.datasources.add("ACME", NOW)


def test_a_change_that_fails_leaves_nothing(world: World) -> None:
    """Neither the row, nor the epoch, nor its line in the log."""
    user = world.user("jsmith", "orders.view")
    epoch = _epoch(world)

    def fail_half_way() -> None:
        with world.engine.rights.change() as tx:
            add_key(tx, world, user.user_id, "half", NOW)
            tx.raise_epoch(EVERYTHING)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert _epoch(world) == epoch
    assert _log(world).get(epoch + 1) is None
    assert [row.name for row in world.engine.look_up.keys(world.datasource_id)] == []


def test_keys_are_listed_in_the_order_they_were_made(world: World) -> None:
    """Stable, whatever was edited since."""
    user = world.user("jsmith", "orders.view")
    ids = [world.key(user, name)[0] for name in ("b", "a", "Ä", "z", "B")]
    with world.engine.rights.change() as tx:
        tx.keys.rename(world.datasource_id, ids[1], name="zz", description=None)
    assert [row.id for row in world.engine.look_up.keys(world.datasource_id)] == ids


def test_every_epoch_says_whom_it_concerned(world: World) -> None:
    """In the transaction of the change itself."""
    user = world.user("jsmith", "orders.view")
    key_id, _ = world.key(user)
    before = _epoch(world)
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    world.deactivate("jsmith")
    log = _log(world)
    assert log[before + 1] == [subject(Kind.KEY, key_id)]
    assert log[before + 2] == [subject(Kind.USER, user.user_id)]


def test_changes_at_once_take_turns_and_none_is_lost(world: World) -> None:
    """Read, then write, in eight threads: each sees what the one before it committed."""
    user = world.user("jsmith", "orders.view")
    start = threading.Barrier(8)
    before = _epoch(world)
    failed: list[BaseException] = []

    def work() -> None:
        start.wait(60)
        try:
            for _ in range(5):
                with world.engine.rights.change() as tx:
                    count = len(tx.keys.list(world.datasource_id))
                    add_key(tx, world, user.user_id, f"number {count}", NOW)
                    tx.raise_epoch(subject(Kind.USER, user.user_id))
        except StoreUnavailableError as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert _epoch(world) == before + 40
    names = [row.name for row in world.engine.look_up.keys(world.datasource_id)]
    assert names == [f"number {n}" for n in range(40)]


def test_a_look_sees_one_moment(world: World) -> None:
    """What is committed meanwhile is not half in it."""
    user = world.user("jsmith", "orders.view")
    with world.engine.rights.look() as looking:
        assert looking.keys.list(world.datasource_id) == []
        with world.engine.rights.change() as tx:
            add_key(tx, world, user.user_id, "meanwhile", NOW)
        assert looking.keys.list(world.datasource_id) == []
    assert len(world.engine.look_up.keys(world.datasource_id)) == 1


def test_an_edit_that_races_with_a_delete_does_not_revive(world: World) -> None:
    """The edit finds the key deleted and changes nothing."""
    key_id, _ = world.key(world.user("jsmith", "orders.view"))
    world.engine.delete_key(
        OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
    )
    with world.engine.rights.change() as tx:
        renamed = tx.keys.rename(world.datasource_id, key_id, name="back", description=None)
        row = tx.keys.get(world.datasource_id, key_id)
    assert not renamed
    assert row is not None
    assert row.deleted_at is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "apiKeyInfo = '''; DROP TABLE api_key; --'",
        "apiKeyInfo like '%_\\'",
        "apiKeyInfo like '%%s :x ? $1'",
        "apiKeyInfo = '\\u0000'",
    ],
)
def test_hostile_filters_are_only_text(world: World, hostile: str) -> None:
    """They find nothing, or are refused; the keys are still there."""
    world.key(world.user("jsmith", "orders.view"))
    found = world.engine.look_up.keys(world.datasource_id, filter_text=hostile)
    assert found == [] or not isinstance(found, list)
    assert len(world.engine.look_up.keys(world.datasource_id)) == 1


def _epoch(world: World) -> int:
    with world.engine.stores.rights.connect() as connection:
        return int(connection.exec_driver_sql("SELECT n FROM auth_epoch").scalar_one())


def _log(world: World) -> dict[int, list[int]]:
    with world.engine.stores.rights.connect() as connection:
        return {row.epoch: row.subjects for row in connection.execute(epoch_log.select())}
