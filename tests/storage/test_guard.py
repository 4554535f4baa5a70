"""The guard: what one process remembers ends when any process commits, before the call returns."""

from __future__ import annotations

import ast
import asyncio
import multiprocessing
import os
import re
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import pytest

from keyhalt import usecases
from keyhalt.core.decisions import Allowed, Denied, Presented
from keyhalt.core.permissions import NOTHING
from keyhalt.core.principals import Credential, CredentialKind, Principal
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

    def freeze() -> Any:
        which = {"datasource_id": datasource, "issued_before": None, "generation": None}
        return engine.freeze_keys(OPERATOR, **which, origin=ORIGIN)

    def edit_me() -> Any:
        with engine.rights.look() as tx:
            me = tx.users.get(datasource, 1)
        acting = Principal("Lab", me, Credential(CredentialKind.SESSION, 1))
        return engine.edit_me(acting, said={"full_name": "Jo"}, preference=None, origin=ORIGIN)

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
        "freeze": freeze,
        "thaw": lambda: engine.freeze_keys.thaw(OPERATOR, freeze().row.id, ORIGIN),
        "edit_me": edit_me,
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
        "freeze",
        "thaw",
        "edit_me",
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
    after = before + (2 if verb == "thaw" else 1)  # what is thawed was frozen first
    assert _epoch(world) == after
    if verb != "edit_me":  # that answers who one is now
        receipt = getattr(result, "receipt", result)
        assert (receipt.epoch, receipt.form) == (after, world.form)
    assert not remembers(other, key)
    assert not remembers(world.engine, key)
    other.close()


def test_no_verb_that_changes_rights_is_missing_here(world: World) -> None:
    """Whatever commits to the store of rights is walked above, or named here with why not."""
    found = _verbs()
    raising = {verb for verb, calls in found.items() if "raise_epoch" in calls}
    assert raising == {*WALKED, *ELSEWHERE}
    assert {verb for verb, calls in found.items() if "change" in calls} - raising == NOT_OF_RIGHTS
    assert set(changes(world)) == {name for names in WALKED.values() for name in names.split()}
    for verb in raising:
        assert {"wait", "wait_for_end"} & found[verb], f"{verb} does not wait"
    for where in ELSEWHERE.values():
        file, _, test = where.partition("::")
        assert f"def {test}(" in (Path(__file__).parents[2] / file).read_text(), where


def _verbs() -> dict[str, set[str]]:
    """Of each public method of the use cases what it calls, through its own helpers too."""
    verbs = {}
    for file in sorted(Path(usecases.__path__[0]).glob("*.py")):
        tree = ast.parse(file.read_text())
        for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            parts = [*kind.body, *tree.body]
            known = {part.name: part for part in parts if isinstance(part, ast.FunctionDef)}
            for method in (part for part in kind.body if isinstance(part, ast.FunctionDef)):
                if not method.name.startswith("_") or method.name == "__call__":
                    calls = _calls(method, known, {method.name})
                    if calls & {"raise_epoch", "change"}:
                        verbs[f"{kind.name}.{method.name}"] = calls
    return verbs


def _calls(function: ast.AST, known: dict[str, ast.FunctionDef], seen: set[str]) -> set[str]:
    names = set()
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        names.add(name)
        own = isinstance(call.func, ast.Name) or (
            isinstance(call.func, ast.Attribute)
            and isinstance(call.func.value, ast.Name)
            and call.func.value.id == "self"
        )
        if own and name in known and name not in seen:
            seen.add(name)
            names |= _calls(known[name], known, seen)
    return names


WALKED = {
    "DeleteKey.__call__": "delete_key",
    "DeleteKey.with_offspring": "delete_with_offspring",
    "DeleteKey.made_since": "delete_made_since",
    "SignIn.change_password": "change_password",
    "SetUp.set_policy": "set_policy",
    "SetUp.set_datasource_active": "deactivate_datasource",
    "ManageUsers.set_active": "deactivate activate",
    "ManageUsers.set_role": "set_role",
    "ManageUsers.set_topmosts": "set_topmosts",
    "ManageUsers.edit": "edit_user edit_user_password",
    "ResetPassword.__call__": "set_password",
    "ManageRoles.set_permissions": "set_permissions",
    "ManageRoles.edit": "edit_role",
    "ManagePolicies.apply": "apply",
    "RollOut.__call__": "roll_out",
    "FreezeKeys.__call__": "freeze",
    "FreezeKeys.thaw": "thaw",
    "EditMe.__call__": "edit_me",
}
"""Every verb that raises the epoch, by how `changes` calls it."""
ELSEWHERE = {
    "IssueKey.import_key": "tests/storage/test_reader.py"
    "::test_a_text_that_was_refused_counts_as_soon_as_it_is_imported",
    "Reopen.__call__": "tests/storage/test_restored.py"
    "::test_a_database_that_is_put_back_revives_no_deleted_key",
}
"""Those whose effect is another: what was refused counts, what was closed opens."""
NOT_OF_RIGHTS = {
    # Something new, of which nothing can be remembered.
    "IssueKey.create",
    "ManageRoles.create",
    "ManageUsers.create",
    "NarrowKey.make",
    "SetUp.environment",
    "SetUp.datasource",
    # What a key is called; a role that nobody has; groups, which grant nothing.
    "IssueKey.edit",
    "ManageRoles.delete",
    "ManageGroups.create",
    "ManageGroups.edit",
    "ManageGroups.delete",
    # A row of the audit log; MAC keys are in a file, and none that has keys is taken away.
    "KeepAudit.let_go",
    "KeepAudit.forget",
    "ManageMacKeys.add",
    "ManageMacKeys.mint",
    "ManageMacKeys.lost",
    "ManageMacKeys.remove",
}


def test_a_delete_answers_with_its_receipt(world: World) -> None:
    """In one header: the epoch, how it took effect, and on PostgreSQL who was waited for."""
    admin = world.user("admin", "settings.*")
    _, mine = world.key(admin)
    key_id, _ = world.key(admin, "doomed")
    with world.client() as http:
        gone = http.delete(f"/api/v3/apiKey/{key_id}", headers={"ECI-ApiKey": mine})
    receipt = f"epoch={_epoch(world)}, form={world.form}, waited-ms="
    waited = r"\d+, acknowledged=1, timed-out=0" if world.form == "barrier" else "0"
    assert re.fullmatch(receipt + waited, gone.headers["keyhalt-revocation"])


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
