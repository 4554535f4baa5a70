"""The processes that verify as fast as they can, and the words they share with the deleter."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keyhalt.client.credentials import key_in_query
from keyhalt.core.decisions import Allowed, Presented
from keyhalt.core.freshness import Freshness, Memory
from keyhalt.core.principals import Principal
from keyhalt.embed import Engine, EngineOptions, open_engine
from keyhalt.usecases.verify import Verify

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from keyhalt.core.freshness import Tag

KEYS_AT_ONCE = 8
PAUSE_EVERY = 4
"""Of so many deletes, one meets a paused process."""
BLIND_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has of the run. The arrays are shared memory of single words.

    `returned`: per key, whether its delete has returned. `counts`: per process, asked, asked
    later, allowed later.
    """

    options: EngineOptions
    number: int
    clients: int
    blind: bool
    returned: Any
    stop: Any
    counts: Any


class Blind(Freshness):
    """A memory that looks at the store once a second, as others do."""

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._until = 0.0
        self._tag: Tag | None = None

    def tag(self, now: float) -> Tag | None:
        if now >= self._until:
            self._tag = self._freshness.tag(now)
            self._until = now + BLIND_SECONDS
        return self._tag

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        return self._freshness.unaffected(since, principal)


class Hammers:
    """All processes of a run, as the one that deletes handles them."""

    def __init__(
        self, options: EngineOptions, processes: int, clients: int, *, blind: bool
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._returned = context.Array("b", KEYS_AT_ONCE, lock=False)
        self._stop = context.Value("b", 0, lock=False)
        self._counts = context.Array("q", 3 * processes, lock=False)
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(processes):
            share = Share(
                options,
                number,
                clients // processes + (number < clients % processes),
                blind,
                self._returned,
                self._stop,
                self._counts,
            )
            ours, theirs = context.Pipe()
            process = context.Process(target=hammer, args=(share, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)

    def take(self, texts: list[str]) -> None:
        """Give all of them other keys; returns when each remembers them."""
        for number in range(KEYS_AT_ONCE):
            self._returned[number] = 0
        for pipe in self._pipes:
            pipe.send(texts)
        for pipe in self._pipes:
            pipe.recv()

    def returned(self, number: int) -> None:
        self._returned[number] = 1

    def pause(self, number: int) -> None:
        os.kill(self._pid(number), signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        os.kill(self._pid(number), signal.SIGCONT)

    def stop(self) -> tuple[int, int, int]:
        """Asked, asked later, allowed later."""
        self._stop.value = 1
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            process.join(30)
            process.close()
            pipe.close()
        asked, later, allowed_later = (sum(self._counts[each::3]) for each in range(3))
        return asked, later, allowed_later

    def _pid(self, number: int) -> int:
        pid = self._processes[number // PAUSE_EVERY % len(self._processes)].pid
        assert pid is not None  # noqa: S101 - it was started
        return pid


def hammer(share: Share, pipe: Connection) -> None:
    """One process: its clients ask in turns for the keys they were given, until told to stop."""
    engine = open_engine(share.options)
    verify = _blind(engine) if share.blind else engine.verify
    try:
        asyncio.run(_Asking(verify, share).run(pipe))
    finally:
        engine.close()


def _blind(engine: Engine) -> Verify:
    return Verify(
        reader=engine.verifying.reader,
        memory=Memory(1000),
        freshness=Blind(engine.verifying.freshness),
        here=engine.here,
        catalogue=engine.profile.catalogue,
        recorder=engine.recorder,
        use=engine.use_recorder,
        clock=engine.clock,
        find_in_url=key_in_query,
    )


class _Asking:
    def __init__(self, verify: Verify, share: Share) -> None:
        self._verify = verify
        self._share = share
        self._keys: list[Presented] = []

    async def run(self, pipe: Connection) -> None:
        clients = (self._client(first) for first in range(self._share.clients))
        await asyncio.gather(self._take(pipe), *clients)

    async def _client(self, which: int) -> None:
        while not self._share.stop.value:
            which = (which + 1) % KEYS_AT_ONCE
            if self._keys:
                await self._ask(which)
            await asyncio.sleep(0)

    async def _ask(self, which: int) -> None:
        # The word first: what begins after the delete has returned must not be allowed.
        later = bool(self._share.returned[which])
        presented = self._keys[which]
        known = self._verify.remembered(presented.only_key, presented.over_https)
        allowed = isinstance(known, Principal) or (
            known is None and isinstance(await self._verify.verify(presented), Allowed)
        )
        first = 3 * self._share.number
        self._share.counts[first] += 1
        self._share.counts[first + 1] += later
        self._share.counts[first + 2] += later and allowed

    async def _take(self, pipe: Connection) -> None:
        while not self._share.stop.value:
            if pipe.poll():
                texts = pipe.recv()
                keys = [Presented(keys=(text.encode(),), over_https=True) for text in texts]
                for presented in keys:
                    await self._verify.verify(presented)
                self._keys = keys
                pipe.send("taken")
            await asyncio.sleep(0.001)
