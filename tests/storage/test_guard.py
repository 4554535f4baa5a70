"""The guard: what one process remembers ends when any process commits, before the call returns."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import pytest

from keyhalt.core.decisions import Allowed, Denied, Presented
from keyhalt.core.permissions import NOTHING
from keyhalt.core.principals import Principal
from keyhalt.core.profiles import RoleTemplate
from keyhalt.core.secrets import Secret
from keyhalt.embed import EngineOptions, open_engine
from keyhalt.usecases.people import RoleEdit, UserEdit
from keyhalt.usecases.rows import SignInRequest
from tests.world import OPERATOR, ORIGIN, PASSWORD, World, until


def ask(engine: Any, key: str) -> Allowed | Denied:
    presented = Presented(keys=(key.encode(),), over_https=True)
    known = engine.verify.remembered(presented.only_key, presented.over_https)
    if known is None:
        return asyncio.run(engine.verify.verify(presented))
    return Allowed(known) if isinstance(known, Principal) else known


def remembers(engine: Any, key: str) -> bool:
    presented = Presented(keys=(key.encode(),), over_https=True)
    known = engine.verify.remembered(presented.only_key, presented.over_https)
    return isinstance(known, Principal)


def changes(world: World) -> dict[str, Any]:
    """Every verb that changes the rights of the user `jsmith` of role `jsmith only`."""
    engine, datasource = world.engine, world.datasource_id
    users, roles = engine.manage_users, engine.manage_roles

    def delete() -> Any:
        return engine.delete_key(OPERATOR, datasource_id=datasource, key_id=1, origin=ORIGIN)

    policy = 'name = "orders"\ncase = "exact"\n'
    password = Secret("another long password")
    topmosts = {"projects": (2,)}
    since = datetime(2026, 1, 1, tzinfo=UTC)
    request = SignInRequest("acme", "jsmith", Secret(PASSWORD))
    return {
        "delete_key": delete,
        "delete_with_offspring": lambda: engine.delete_key.with_offspring(
            OPERATOR, datasource_id=datasource, key_id=1, origin=ORIGIN
        ),
        "delete_made_since": lambda: engine.delete_key.made_since(
            OPERATOR, datasource_id=datasource, user_id=1, since=since, origin=ORIGIN
        ),
        "change_password": lambda: engine.sign_in.change_password(request, password, ORIGIN),
        "set_policy": lambda: engine.set_up.set_policy(
            OPERATOR, "acme", ORIGIN, keys_create_keys=False
        ),
        "deactivate": lambda: users.set_active(
            OPERATOR, datasource, "jsmith", ORIGIN, active=False
        ),
        "activate": lambda: users.set_active(OPERATOR, datasource, "jsmith", ORIGIN, active=True),
        "set_role": lambda: users.set_role(OPERATOR, datasource, "jsmith", "Clerk", ORIGIN),
        "set_topmosts": lambda: users.set_topmosts(
            OPERATOR, datasource, "jsmith", topmosts, ORIGIN
        ),
        "set_password": lambda: engine.reset_password(
            OPERATOR,
            datasource_id=datasource,
            user_id=1,
            password=password,
            must_change=False,
            origin=ORIGIN,
        ),
        "edit_user_password": lambda: users.edit(
            OPERATOR, datasource, "jsmith", UserEdit(password=password), ORIGIN
        ),
        "set_permissions": lambda: roles.set_permissions(
            OPERATOR, datasource, "jsmith only", ("projects.view",), ORIGIN
        ),
        "edit_user": lambda: users.edit(
            OPERATOR, datasource, "jsmith", UserEdit(details={"email": "jo@example.org"}), ORIGIN
        ),
        "edit_role": lambda: roles.edit(
            OPERATOR, datasource, "jsmith only", RoleEdit(name="theirs"), ORIGIN
        ),
        "apply": lambda: engine.manage_policies.apply(OPERATOR, policy, ORIGIN),
        "roll_out": lambda: engine.roll_out(
            OPERATOR, RoleTemplate("jsmith only", "", NOTHING, read_only=False), ORIGIN
        ),
        "deactivate_datasource": lambda: engine.set_up.set_datasource_active(
            OPERATOR, "acme", ORIGIN, active=False
        ),
    }


@pytest.mark.parametrize(
    "verb",
    [
        "delete_key",
        "delete_with_offspring",
        "delete_made_since",
        "change_password",
        "set_policy",
        "deactivate",
        "activate",
        "set_role",
        "set_topmosts",
        "set_password",
        "edit_user_password",
        "set_permissions",
        "edit_user",
        "edit_role",
        "apply",
        "roll_out",
        "deactivate_datasource",
    ],
)
def test_every_change_of_rights_raises_the_epoch_and_ends_what_others_remember(
    world: World, verb: str
) -> None:
    """One mechanism for all: receipt with a new epoch, and no process answers from before."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    other = world.other()
    assert isinstance(ask(other, key), Allowed)
    assert isinstance(ask(world.engine, key), Allowed)
    before = _epoch(world)
    result = changes(world)[verb]()
    receipt = getattr(result, "receipt", result)
    assert (receipt.epoch, receipt.form) == (before + 1, world.form)
    assert _epoch(world) == before + 1
    assert not remembers(other, key)
    assert not remembers(world.engine, key)
    other.close()


def test_no_verb_that_changes_rights_is_missing_here(world: World) -> None:
    """A new verb of the classes that change rights has to be put on the list above."""
    from keyhalt.usecases import (
        manage_policies,
        manage_roles,
        manage_users,
        revoke,
        roll_out,
        set_up,
        sign_in,
    )

    public = {
        name
        for verbs in (
            manage_users.ManageUsers,
            manage_roles.ManageRoles,
            manage_policies.ManagePolicies,
            set_up.SetUp,
            revoke.DeleteKey,
            sign_in.SignIn,
            roll_out.RollOut,
        )
        for name in vars(verbs)
        if not name.startswith("_")
    }
    makes_something_new = {"create", "environment", "datasource"}
    in_the_store_of_sign_ins = {"sign_in", "end_token"}
    of_nobody = {"delete"}  # of a role that nobody has
    covered = {
        "with_offspring",
        "made_since",
        "change_password",
        "set_policy",
        "set_active",
        "set_role",
        "set_topmosts",
        "set_permissions",
        "set_datasource_active",
        "edit",
        "apply",
    }
    only_read = {"read", "newest", "get", "compare", "admit"}
    every = makes_something_new | covered | of_nobody | in_the_store_of_sign_ins | only_read
    assert public == every


def test_busy_stores_do_not_disturb_what_is_remembered(world: World) -> None:
    """A sign-in, a denial and its audit row are commits elsewhere: the memory stays good."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert isinstance(ask(world.engine, key), Allowed)
    with world.client() as http:
        http.get("/api/v3/order")
        body = {"dataSource": "acme", "username": "jsmith", "password": "wrong"}
        http.post("/api/v3/login", json=body)
        world.engine.recorder.flush()
        assert remembers(world.engine, key)


def test_a_new_key_counts_at_once_in_every_process(world: World) -> None:
    """That there is no such key is never remembered."""
    user = world.user("jsmith", "orders.view")
    other = world.other()
    _, key = world.key(user)
    assert isinstance(ask(other, key), Allowed)
    other.close()


def test_a_stale_copy_cannot_revive_a_key(world: World) -> None:
    """Verifying writes nothing back: after a verify that began before, the key stays deleted."""
    key_id, key = world.key(world.user("jsmith", "orders.view"))
    other = world.other()
    assert isinstance(ask(other, key), Allowed)
    changes(world)["delete_key"]()
    for _ in range(3):
        assert isinstance(ask(other, key), Denied)
    with world.engine.rights.look() as tx:
        row = tx.keys.get(world.datasource_id, key_id)
    assert row is not None
    assert row.deleted_at is not None
    other.close()


def _epoch(world: World) -> int:
    with world.engine.stores.rights.connect() as connection:
        return connection.exec_driver_sql("SELECT n FROM auth_epoch").scalar_one()


def _verifier(  # noqa: PLR0917
    options: EngineOptions,
    keys: list[str],
    returned: Any,
    stop: Any,
    found: Synchronized[int],
    asked: Any,
    ready: Any,
) -> None:
    engine = open_engine(options)
    until(engine.ready)
    presented = [Presented(keys=(key.encode(),), over_https=True) for key in keys]
    loop = asyncio.new_event_loop()
    count = 0
    ready.wait(60)
    while not stop.value:
        for number, each in enumerate(presented):
            was_returned = returned[number]
            known = engine.verify.remembered(each.only_key, each.over_https)
            if known is None:
                known = loop.run_until_complete(engine.verify.verify(each))
            accepted = isinstance(known, Allowed | Principal)
            count += 1
            if was_returned and accepted:
                with found.get_lock():
                    found.value += 1
    with asked.get_lock():
        asked.value += count
    loop.close()
    engine.close()


def test_no_process_accepts_a_key_after_its_delete_returned(world: World) -> None:
    """The promise: three processes hammer 60 keys while they are deleted one after another.

    The oracle needs no clock: a verifier reads the word that the deleter sets after its call
    returned, then asks; an Allowed with the word already set would be a violation.
    """
    user = world.user("jsmith", "orders.view")
    keys = [world.key(user, f"k{n}") for n in range(60)]
    context = multiprocessing.get_context("spawn")
    returned = context.Array("b", len(keys), lock=False)
    stop = context.Value("b", 0)
    found, asked = context.Value("i", 0), context.Value("q", 0)
    texts = [text for _, text in keys]
    ready = context.Barrier(4)
    arguments = (world.options, texts, returned, stop, found, asked, ready)
    processes = [context.Process(target=_verifier, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    ready.wait(60)
    for number, (key_id, _) in enumerate(keys):
        world.engine.delete_key(
            OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
        )
        returned[number] = 1
        os.sched_yield()
    stop.value = 1
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert asked.value > 500
    assert found.value == 0
