"""Nothing of one datasource can be read or changed through another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Table, event
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.selectable import Select

from keyhalt.core.filters import compile_filter
from keyhalt.core.paging import Page
from keyhalt.core.principals import Operator
from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE
from keyhalt.storage.user_lists import USER_FIELDS
from keyhalt.usecases.people import UserDetails, UserEdit, UserQuery
from keyhalt.usecases.ports import RightsTransaction
from keyhalt.usecases.rows import KeyRow, KeySearch
from tests.world import OPERATOR, ORIGIN, World

AT = datetime(2026, 1, 1, tzinfo=UTC)
FILTER = "userGroupID equals '2' and active equals 'true'"
SCOPED = {
    table.name
    for metadata in (RIGHTS, USE, SIGN_INS)
    for table in metadata.tables.values()
    if "datasource_id" in table.c
}
# Written, not read, with the datasource among its values; read by operators over all of them.
LOGS = {"audit_event", "audit_denial", "freeze"}


@pytest.fixture
def two(world: World) -> Iterator[tuple[World, int]]:
    """A second datasource that looks just like the first: same codes, names, roles."""
    other = world.engine.set_up.datasource(OPERATOR, "other", ORIGIN)
    for each in (world, replace(world, datasource_id=other.id)):
        user = each.user("jsmith", "orders.view")
        each.key(user, "theirs")
        world.engine.manage_groups.create(
            OPERATOR,
            each.datasource_id,
            name="team",
            description="",
            members=[user.user_id],
            origin=ORIGIN,
        )
    return world, other.id


def test_every_scoped_table_is_under_test() -> None:
    """A new table with a datasource has to be thought of here."""
    rights = {"role", "user", "user_topmost", "user_group", "user_group_member", "api_key"}
    use = {"key_use", "key_day", "key_hour", "key_allowed"}
    use |= {"key_caller", "token_use"}
    signins = {"bearer_token", "web_session", "key_pad", "last_sign_in"}
    assert rights | use | signins | LOGS == SCOPED


def test_every_statement_on_a_scoped_table_takes_the_datasource(two: tuple[World, int]) -> None:
    """Whatever the verbs ask of the store, its WHERE binds the datasource of each scoped table."""
    world, other = two
    seen: list[Any] = []

    def watch(_conn: Any, clause: Any, *_rest: Any) -> None:
        seen.append(clause)

    event.listen(world.engine.stores.rights, "before_execute", watch)
    _use_everything(world, other)
    event.remove(world.engine.stores.rights, "before_execute", watch)
    checked = [clause for clause in seen if _scoped_tables(clause) - LOGS]
    assert len(checked) > 20
    for clause in checked:
        assert _takes_datasource(clause), str(clause)


def _use_everything(world: World, datasource_id: int) -> None:
    engine = world.engine
    for verb in (
        lambda: engine.look_up.keys(datasource_id),
        lambda: engine.look_up.keys_anywhere(key_id=1),
        lambda: engine.look_up.keys_anywhere(last4="abcd"),
        lambda: engine.roll_out(OPERATOR, world.engine.profile.roles[0], ORIGIN),
        lambda: engine.look_up.keys(datasource_id, filter_text="apiKeyInfo like 'e'"),
        lambda: engine.look_up.key(datasource_id, 1),
        lambda: engine.look_up.users(datasource_id),
        lambda: engine.look_up.user(datasource_id, "jsmith"),
        lambda: engine.look_up.roles(datasource_id),
        lambda: engine.look_up.role(datasource_id, "Owner"),
        lambda: engine.manage_groups.edit(
            OPERATOR, datasource_id, 2, name="t", description="", members=[2], origin=ORIGIN
        ),
        lambda: engine.manage_users.edit(
            OPERATOR, datasource_id, 2, UserEdit(groups=(2,), details={"email": "x"}), ORIGIN
        ),
        lambda: engine.manage_groups.delete(OPERATOR, datasource_id, 2, ORIGIN),
        lambda: engine.manage_roles.delete(OPERATOR, datasource_id, "Clerk", ORIGIN),
        lambda: engine.manage_users.set_active(
            OPERATOR, datasource_id, "jsmith", ORIGIN, active=True
        ),
        lambda: engine.manage_users.set_role(OPERATOR, datasource_id, "jsmith", "Clerk", ORIGIN),
        lambda: engine.manage_users.set_topmosts(
            OPERATOR, datasource_id, "jsmith", {"projects": (1,)}, ORIGIN
        ),
        lambda: engine.manage_roles.set_permissions(
            OPERATOR, datasource_id, "jsmith only", ("orders.*",), ORIGIN
        ),
        lambda: engine.delete_key(OPERATOR, datasource_id=datasource_id, key_id=2, origin=ORIGIN),
    ):
        verb()
    with engine.rights.look() as tx:
        tx.users.sign_in_facts(datasource_id, "jsmith")
        tx.groups.page(datasource_id, None, Page(1, 10))
        tx.groups.members(datasource_id, 2)
        tx.keys.page(datasource_id, KeySearch("their", key_id=1, owner_id=1))
        tx.users.page(datasource_id, UserQuery(page=Page(1, 10), order="systemUserRoleName"))
        tx.users.page(datasource_id, UserQuery(where=compile_filter(FILTER, USER_FIELDS, now=AT)))
        tx.users.any_person_with(datasource_id, 1, but_user=1)


def _scoped_tables(clause: Any) -> set[str]:
    return {
        element.name
        for element in visitors.iterate(clause)
        if isinstance(element, Table) and element.name in SCOPED
    } | ({clause.table.name} & SCOPED if isinstance(clause, Insert | Update | Delete) else set())


def _takes_datasource(clause: Any) -> bool:
    if isinstance(clause, Insert):
        return True  # its values have it: the column is not null, and its foreign keys agree
    assert isinstance(clause, Select | Update | Delete)
    counts = str(clause).startswith("SELECT api_key.generation, count")
    bound = any(
        isinstance(element, BinaryExpression)
        and getattr(element.left, "name", "") == "datasource_id"
        and getattr(element.right, "value", None) is not None
        for element in visitors.iterate(clause)
    )
    return bound or counts  # an operator's count of keys by MAC-key generation names none of them


def test_no_query_of_one_datasource_sees_the_other(two: tuple[World, int]) -> None:
    """Ids of one, asked for through the other, are not there."""
    world, other = two
    with world.engine.rights.look() as tx:
        own = _everything(tx, world.datasource_id)
        theirs = _everything(tx, other)
        assert not set(own) & set(theirs)
        for key_id, user_id, role_id in ((own[0][1], own[1][1], own[2][1]),):
            assert tx.keys.get(other, key_id) is None
            assert tx.users.get(other, user_id) is None
            assert tx.roles.get(other, role_id) is None


def test_no_change_through_one_datasource_reaches_the_other(two: tuple[World, int]) -> None:
    """Every write with the other datasource's id changes nothing here."""
    world, other = two
    with world.engine.rights.change() as tx:
        before = _everything(tx, world.datasource_id), tx.users.get(world.datasource_id, 1)
        assert not tx.keys.rename(other, 1, name="taken", description="")
        assert not tx.keys.delete(other, 1, at=AT, epoch=99)
        tx.keys.set_text(other, 1, digest=b"0" * 32, last4="xxxx", generation=0)
        tx.users.set_active(other, 1, active=False)
        tx.users.set_password(other, 1, "hash", at=AT)
        tx.users.set_details(other, 1, UserDetails("taken", "Taken", ""))
        tx.users.set_topmosts(other, 1, {})
        tx.groups.edit(other, 1, name="taken", description="")
        tx.groups.set_members(other, 1, ())
        tx.groups.set_groups_of(other, 1, ())
        tx.groups.delete(other, 1)
        role = tx.roles.list(world.datasource_id)[-1]
        tx.roles.delete(other, role.id)
        tx.roles.edit(other, replace(role, permissions=0, name="taken"))
        after = _everything(tx, world.datasource_id), tx.users.get(world.datasource_id, 1)
    assert before == after


def _everything(tx: RightsTransaction, datasource_id: int) -> list[tuple[Any, ...]]:
    keys = [("key", row.id) for row in tx.keys.list(datasource_id)]
    users = [("user", user.user_id) for user in tx.users.list(datasource_id)]
    roles = [("role", role.id) for role in tx.roles.list(datasource_id)]
    groups = [
        ("group", group.id, group.name, group.members)
        for group in tx.groups.page(datasource_id, None, None)[0]
    ]
    return [*keys, *users, *roles, *groups]


def test_the_wire_of_one_datasource_does_not_reach_the_other(two: tuple[World, int]) -> None:
    """A manager of one tenant neither sees, edits nor deletes a key of the other."""
    world, other = two
    _, mine = world.key(world.user("admin", "settings.*"))
    foreign = next(row.id for row in world.engine.look_up.keys(other) if isinstance(row, KeyRow))
    path = f"/api/v3/apiKey/{foreign}"
    headers = {"ECI-ApiKey": mine}
    with world.client() as http:
        listed = http.get("/api/v3/apiKey", headers=headers).json()
        assert foreign not in [key["apiKeyId"] for key in listed]
        assert http.get(path, headers=headers).status_code == 404
        assert http.put(path, json={"apiKeyName": "x"}, headers=headers).status_code == 404
        assert http.delete(path, headers=headers).status_code == 404
    assert world.engine.look_up.key(other, foreign).name == "theirs"


def test_a_sign_in_to_one_datasource_is_none_to_the_other(two: tuple[World, int]) -> None:
    """Same code, same password, but the token is of the tenant that was named."""
    world, other = two
    from tests.world import PASSWORD

    with world.client() as http:
        body = {"dataSource": "other", "username": "jsmith", "password": PASSWORD}
        token = http.post("/api/v3/login", json=body).json()["token"]
        me = http.get("/api/v3/me", headers={"Authorization": f"Bearer {token}"}).json()
    assert me["systemUserId"] == world.engine.look_up.user(other, "jsmith").user_id


def test_an_operator_is_of_no_datasource() -> None:
    """The operator's name stands in the audit log; no id of a tenant does."""
    assert Operator("x").name == "x"
