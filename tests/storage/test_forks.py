"""A process that is forked from one with an open engine holds no lease, and takes nobody's."""

from __future__ import annotations

import os

from keyhalt.core.decisions import Allowed, Cause, Denied
from tests.storage.test_guard import ask, changes
from tests.world import World


def test_a_forked_process_answers_nothing_from_its_parents_memory(world: World) -> None:
    """Its keeper is not forked with it, and its parent's acknowledgements are not its own."""
    user = world.user("jsmith", "orders.view")
    _, key = world.key(user)
    _, other = world.key(user, "other")
    assert isinstance(ask(world.engine, key), Allowed)
    go, told = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        try:
            os.read(go[0], 1)
            denied = ask(world.engine, key)
            unavailable = isinstance(denied, Denied) and denied.cause is Cause.STORE_UNAVAILABLE
            world.engine.close()
            os.write(told[1], b"." if unavailable else b"!")
        finally:
            os._exit(0)
    changes(world)["delete_key"]()
    os.write(go[1], b".")
    os.close(told[1])
    assert os.read(told[0], 1) == b"."
    os.waitpid(child, 0)
    for end in (*go, told[0]):
        os.close(end)
    # What the child closed was not its parent's.
    assert isinstance(ask(world.engine, other), Allowed)
    receipt = changes(world)["set_role"]().receipt
    assert receipt.acknowledged == (1 if world.form == "barrier" else None)
    assert isinstance(ask(world.engine, key), Denied)
