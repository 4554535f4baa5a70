"""Threads beside the requests: what fails in one turn of theirs is not the end of them."""

from __future__ import annotations

from dataclasses import replace

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.system.ticker import Ticker
from tests.world import World, until


def test_work_that_fails_has_its_next_turn() -> None:
    """Else one mistake would end what is written every so often, unseen."""
    turns: list[int] = []

    def work() -> None:
        turns.append(len(turns))
        if turns == [0]:
            raise RuntimeError("a bug")

    ticker = Ticker("test", 0.001, work)
    until(lambda: len(turns) > 1)
    ticker.close()


def test_an_event_that_cannot_be_written_does_not_end_the_audit_of_others(world: World) -> None:
    """It is lost with its batch, which is logged."""
    recorder = world.engine.recorder
    at, denied = world.engine.clock.now(), Event.REQUEST_DENIED
    event = AuditEvent(denied, at, Actor(""), Origin("odd"), details={"not": {"JSON"}})
    recorder.record(event)
    until(lambda: not recorder._queue)
    recorder.record(replace(event, origin=Origin("plain"), details={}))

    def known() -> set[str]:
        rows = world.engine.look_up.audit(datasource_id=None, limit=1_000)
        return {row.event.origin.request_id for row in rows}

    until(lambda: "plain" in known())
