"""Policies of proxies in a store that went back: a version's number says nothing by itself."""

from __future__ import annotations

import asyncio

from keyhalt.core.policies import Rule
from keyhalt.storage.schema import policy
from tests.world import OPERATOR, ORIGIN, World

TEXT = """
name = "orders"
case = "exact"
[[rule]]
methods = ["GET"]
path = "/orders/{id}"
permission = "orders.view"
"""


def rules(world: World) -> tuple[Rule, ...]:
    """As a proxy's question finds them."""
    find = world.engine.find_policy
    return asyncio.run(find.read(find.tag(0.0)))["orders"].policy.rules


def test_a_version_that_comes_again_with_another_text_is_read_anew(world: World) -> None:
    """After a restore the numbers of versions go on from where the copy stood."""
    apply = world.engine.manage_policies.apply
    apply(OPERATOR, TEXT, ORIGIN)
    assert [rule.text for rule in rules(world)] == ["GET /orders/{id}"]
    with world.engine.stores.rights.begin() as connection:
        connection.execute(policy.delete())
    apply(OPERATOR, TEXT.replace("GET", "PUT"), ORIGIN)
    assert [rule.text for rule in rules(world)] == ["PUT /orders/{id}"]
