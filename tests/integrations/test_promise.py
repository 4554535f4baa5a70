"""The promise, in other people's apps: nothing is allowed after the delete returned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from keyhalt import Allowed, BlockingVerifier, RemoteVerifier
from keyhalt.core.decisions import Decision, Presented
from keyhalt.library import EmbeddedVerifier
from tests.serving import serving
from tests.world import OPERATOR, ORIGIN, World

KEYS = 40


class Hammer(threading.Thread):
    """Asks for every key, over and over; a yes after the receipt was written down is one too many.

    The oracle needs no clock: the word that the deleter sets after its call returned is read
    before the question.
    """

    def __init__(
        self, decide: Callable[[Presented], Decision], keys: list[str], returned: list[bool]
    ) -> None:
        super().__init__()
        self._decide = decide
        self._presented = [Presented((key.encode(),), over_https=True) for key in keys]
        self._returned = returned
        self.stop = threading.Event()
        self.allowed = self.stale = 0
        self.round_done = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            for number, presented in enumerate(self._presented):
                was_returned = self._returned[number]
                if isinstance(self._decide(presented), Allowed):
                    self.allowed += 1
                    self.stale += was_returned
            self.round_done.set()


def test_no_app_accepts_a_key_after_its_delete_returned(world: World) -> None:
    """One app with the embedded engine, one with the remote verifier: no stale answer."""
    user = world.user("jsmith", "orders.view")
    keys = [world.key(user, f"k{number}") for number in range(KEYS)]
    texts = [text for _, text in keys]
    returned = [False] * KEYS
    embedded = BlockingVerifier(lambda: EmbeddedVerifier(world.other()))
    with serving(world) as server, closing(RemoteVerifier(server.internal)) as remote:
        apps = [Hammer(ask, texts, returned) for ask in (embedded.decide, remote.verify_now)]
        for app in apps:
            app.start()
        for app in apps:
            assert app.round_done.wait(60)
        for number, (key_id, _) in enumerate(keys):
            world.engine.delete_key(
                OPERATOR, datasource_id=world.datasource_id, key_id=key_id, origin=ORIGIN
            )
            returned[number] = True
        for app in apps:
            app.round_done.clear()
            assert app.round_done.wait(60)
            app.stop.set()
            app.join(60)
        embedded.close()
    world.others.clear()
    assert [app.allowed >= KEYS for app in apps] == [True, True]
    assert [app.stale for app in apps] == [0, 0]
