"""What an engine writes beside its verbs, put together: denials, use, anchors of the changes."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from keyhalt.client.credentials import shown_path
from keyhalt.storage.chain import SqlChain
from keyhalt.storage.measures import write_times
from keyhalt.storage.promise import Witness
from keyhalt.storage.recorder import BatchRecorder
from keyhalt.storage.use_recorder import UseRecorder
from keyhalt.system.clock import boot_id
from keyhalt.system.randomness import new_uuid
from keyhalt.system.ticker import Ticker
from keyhalt.usecases.audit_chain import AuditChain
from keyhalt.usecases.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.secrets import MacKeys
    from keyhalt.storage.rights import SqlRights
    from keyhalt.storage.stores import Stores
    from keyhalt.usecases.audit_chain import AnchorStore
    from keyhalt.usecases.ports import Clock

ANCHOR_SECONDS = 10.0
USE_SECONDS = 20.0
SAMPLE_SECONDS = 0.25


class Recording:
    """Each part is made when it is first asked for."""

    def __init__(
        self,
        stores: Stores,
        rights: SqlRights,
        *,
        anchors: AnchorStore,
        mac_keys: Callable[[], MacKeys],
        cluster: str,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._rights = rights
        self._clock = clock
        self._anchored = 0
        self._closing: list[Callable[[], None]] = []
        self.audit_chain = AuditChain(
            chain=SqlChain(stores.rights),
            anchors=anchors,
            mac_keys=mac_keys,
            cluster=cluster,
            clock=clock,
        )

    @cached_property
    def recorder(self) -> BatchRecorder:
        recorder = BatchRecorder(self._stores.use)
        self._closing.append(recorder.close)
        return recorder

    @cached_property
    def use_recorder(self) -> UseRecorder:
        recorder = UseRecorder(self._stores.use, self._clock, shown_path)
        ticker = Ticker("keyhalt-use", USE_SECONDS, recorder.turn)
        self._closing += [recorder.flush, ticker.close]
        return recorder

    @cached_property
    def witness(self) -> Witness:
        witness = Witness(
            self._stores.use,
            process=new_uuid(),
            boot=boot_id(),
            clock=self._clock,
        )
        ticker = Ticker("keyhalt-witness", USE_SECONDS, witness.turn)
        self._closing += [witness.flush, ticker.close]
        return witness

    @cached_property
    def timing(self) -> Timing:
        timing = Timing(self._clock.monotonic)
        write = partial(write_times, self._stores.use, timing)
        sampler = Ticker("keyhalt-samples", SAMPLE_SECONDS, timing.arm)
        writer = Ticker("keyhalt-times", USE_SECONDS, write)
        self._closing += [writer.close, sampler.close]
        return timing

    def serve(self) -> None:
        """From now on, until the end: a change is anchored soon after it was made."""
        ticker = Ticker("keyhalt-anchors", ANCHOR_SECONDS, self._anchor)
        self._closing.append(ticker.close)

    def close(self) -> None:
        """Write what is queued, and anchor what was changed here."""
        while self._closing:
            self._closing.pop()()
        self._anchor()

    def _anchor(self) -> None:
        changes = self._rights.changes
        if changes != self._anchored:
            self._anchored = changes
            self.audit_chain.anchor()
