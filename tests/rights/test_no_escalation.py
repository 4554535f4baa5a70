"""Whatever is administered in whatever order, nobody comes to hold what nobody gave them.

The model is plain: the rights of a user are the pairs of a permission and a node that they reach,
and the permissions alone. After every call, what anybody gained the caller had held before it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from keyhalt.core.decisions import Denied
from keyhalt.core.principals import Credential, CredentialKind, Principal, UserFacts
from keyhalt.core.refusals import Refused
from keyhalt.usecases.people import RoleEdit, UserDraft, UserEdit
from tests.world import OPERATOR, ORIGIN, World, make_world, open_world

USERS, ROLES = "usersAndUserGroups.manage", "roles.manage"
GRANTS = (USERS, ROLES, "applicationSettings.manage", "meters.view", "meters.edit")
NODES = (1, 2, 3, 4)
Rights = frozenset[tuple[str, int]]

actors = st.sampled_from((1, 1, 1, 2, 2, 3, 3, 4, 5))
users = st.integers(1, 6)
roles = st.integers(6, 13)
grants = st.lists(st.sampled_from(GRANTS), max_size=3)
tops = st.lists(st.sampled_from(NODES), max_size=2)
calls = st.lists(
    st.tuples(
        st.sampled_from(
            ("create", "edit", "set_role", "move", "switch", "new_role", "edit_role", "drop", "key")
        ),
        actors,
        users,
        roles,
        grants,
        tops,
        st.booleans(),
    ),
    min_size=4,
    max_size=14,
)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """Five users: all, two managers of parts, one who only looks, and a service account."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        world = make_world(folder, profile="energycap")
        world.user("all", *GRANTS, top=1)
        world.user("north", USERS, ROLES, "meters.view", "meters.edit", top=2)
        world.user("south", USERS, ROLES, "meters.view", "applicationSettings.manage", top=3)
        world.user("clerk", "meters.view", top=4)
        world.user("robot", "meters.view", "meters.edit", top=2, service=True)
        world.close()
        yield folder


@given(calls)
@settings(
    max_examples=40,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nobody_ever_gains_what_the_caller_had_not(template: Path, sequence: list[Any]) -> None:
    """Over random sequences of calls by random users, each check against an independent model."""
    with tempfile.TemporaryDirectory(dir=template.parent) as name:
        folder = Path(name) / "data"
        shutil.copytree(template, folder)
        world = open_world(folder, profile="energycap")
        try:
            for call in sequence:
                before = everybodys_rights(world)
                actor = call[1]
                done = do(world, *call)
                event(f"{call[0]}: {'no' if isinstance(done, Denied | Refused) else 'done'}")
                for user_id, after in everybodys_rights(world).items():
                    gained = after - before.get(user_id, frozenset())
                    assert gained <= before.get(actor, frozenset()), (call, user_id)
        finally:
            world.close()


def everybodys_rights(world: World) -> dict[int, Rights]:
    return {user.user_id: rights_of(world, user) for user in world.engine.look_up.users(1)}


def rights_of(world: World, user: UserFacts) -> Rights:
    """(permission, node) for each node reached; node 0 stands for the permission alone."""
    if not user.active:
        return frozenset()
    tops = user.topmosts.get("places", ())
    reached = {
        node for node in NODES if any(world.orders.contains(1, "projects", t, node) for t in tops)
    }
    names = list(world.engine.profile.catalogue.names(user.permissions))
    return frozenset((name, node) for name in (*names, "") for node in (0, *reached))


def do(  # noqa: PLR0911, PLR0917
    world: World,
    what: str,
    actor: int,
    target: int,
    role: int,
    some: list[str],
    nodes: list[int],
    switch: bool,
) -> Any:
    """One call as the user `actor` would make it, with a token, over the wire."""
    engine = world.engine
    facts = next(user for user in engine.look_up.users(1) if user.user_id == actor)
    acting = Principal("Lab", facts, Credential(CredentialKind.TOKEN, 1))
    topmosts = {"places": tuple(sorted(set(nodes)))}
    users, roles = engine.manage_users, engine.manage_roles
    name = f"r{'-'.join(some)}"
    code = f"u{role}{switch}"
    if what == "create":
        draft = UserDraft(code, "New", "", role, None, topmosts, service=switch)
        return users.create(acting, 1, draft, ORIGIN)
    if what == "edit":
        edit = UserEdit(role=role, topmosts=topmosts, active=switch)
        return users.edit(acting, 1, target, edit, ORIGIN)
    if what == "set_role":
        return users.set_role(acting, 1, target, role, ORIGIN)
    if what == "move":
        return users.set_topmosts(acting, 1, target, topmosts, ORIGIN)
    if what == "switch":
        return users.set_active(acting, 1, target, ORIGIN, active=switch)
    if what == "new_role":
        return roles.create(
            acting, 1, name=name, description="", grants=some, origin=ORIGIN, hidden=switch
        )
    if what == "edit_role":
        return roles.edit(acting, 1, role, RoleEdit(grants=some, hidden=switch), ORIGIN)
    if what == "drop":
        return roles.delete(acting, 1, role, ORIGIN)
    return engine.issue.create(
        acting, datasource_id=1, owner_id=target, name="k", description="", origin=ORIGIN
    )


def test_the_operator_is_not_asked(world: World) -> None:
    """Who owns the files can do everything: the rule is about users."""
    world.user("jsmith", "orders.view")
    changed = world.engine.manage_users.set_role(OPERATOR, 1, "jsmith", "Owner", ORIGIN)
    assert not isinstance(changed, Denied | Refused)
