"""What keys do is counted exactly, written in batches, and read in a few statements."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import event

from keyhalt.core.freshness import Entry, Tag
from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, Principal, UserFacts
from keyhalt.embed import Engine
from keyhalt.storage.use_recorder import KEYS_MAX, UseRecorder
from keyhalt.storage.uses import HOURS, SqlUses, Used, add_uses, first_kept, forget
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.usecases.uses import DayCount, KeyUse, LastUse
from tests.world import World

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
PRINCIPAL = Principal(
    "Lab",
    UserFacts(
        datasource_id=1,
        datasource="acme",
        user_id=1,
        user_code="ada",
        full_name="Ada",
        email="",
        role_id=1,
        role_name="Owner",
        permissions=PermissionSet(0b111),
        topmosts={},
        active=True,
        datasource_active=True,
        sign_in_generation=0,
    ),
    Credential(CredentialKind.KEY, 1),
)


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def pass_by(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(world: World, clock: Clock) -> UseRecorder:
    return _recorder(world.engine, clock)


def _recorder(engine: Engine, clock: Clock) -> UseRecorder:
    return UseRecorder(engine.stores.use, clock, str)


def _principal(key_id: int) -> Principal:
    return replace(PRINCIPAL, credential=Credential(CredentialKind.KEY, key_id))


def _allow(recorder: UseRecorder, key_id: int = 1, bits: int = NOTHING, path: str = "/a") -> None:
    agent = [(b"user-agent", b"curl/8.5.0")]
    recorder.allowed(
        _principal(key_id), PermissionSet(bits), "GET", path, ("203.0.113.9", 5), agent
    )


def _read(world: World, key_id: int = 1, *, at: datetime = NOON, days: int = 30) -> KeyUse:
    since = at.date() - timedelta(days=days - 1)
    return SqlUses(world.engine.stores.use).of(1, [key_id], since=since, now=at)[key_id]


@contextmanager
def statements(engine: SqlEngine) -> Iterator[list[str]]:
    """What the database is told meanwhile, beginning and end of transactions apart."""
    seen: list[str] = []

    def see(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", see)
    yield seen
    event.remove(engine, "before_cursor_execute", see)


def test_all_that_is_kept_of_a_key_is_read_again(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """The last use with where it came from, coarse; counts by day and reason; permissions."""
    _allow(recorder, bits=0b001, path="/a")
    clock.pass_by(seconds=3)
    _allow(recorder, bits=0b100, path="/b")
    for _ in range(2):
        recorder.denied(Credential(CredentialKind.KEY, 1), 1, "permission_denied")
    recorder.flush()
    used = _read(world)
    assert used.last == LastUse(NOON + timedelta(seconds=3), "203.0.113.0/24", "curl", "GET /b")
    assert used.days == (DayCount(TODAY, 2, 2),)
    assert used.denied == {"permission_denied": 2}
    assert used.permissions == 0b101
    assert used.last_24_hours == (2, 2)


def test_what_was_only_denied_was_not_used(world: World, recorder: UseRecorder) -> None:
    """A key that somebody tries after its end has counts, and no last use."""
    recorder.denied(Credential(CredentialKind.KEY, 7), 1, "deleted_key")
    recorder.flush()
    used = _read(world, 7)
    assert used.last is None
    assert (used.days, used.denied) == ((DayCount(TODAY, 0, 1),), {"deleted_key": 1})


def test_tokens_and_sessions_are_no_keys(world: World, recorder: UseRecorder) -> None:
    """Their ids are counted apart from those of keys."""
    token = Credential(CredentialKind.TOKEN, 1)
    principal = replace(PRINCIPAL, credential=token)
    recorder.allowed(principal, NOTHING, "GET", "/", None, ())
    recorder.denied(token, 1, "expired_token")
    recorder.flush()
    assert SqlUses(world.engine.stores.use).of(1, None, since=TODAY, now=NOON) == {}


def test_counts_are_of_their_utc_day_and_hour(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """Two days make two counts; the last 24 hours roll."""
    for _ in range(50):
        _allow(recorder)
        recorder.flush()
        clock.pass_by(hours=1)
    clock.pass_by(hours=-1)
    at = clock.now()
    used = _read(world, at=at)
    assert [day.allowed for day in used.days] == [12, 24, 14]
    assert used.last_24_hours == (HOURS, 0)
    assert _read(world, at=at + timedelta(hours=20)).last_24_hours == (HOURS - 20, 0)
    assert _read(world, at=at + timedelta(hours=24)).last_24_hours == (0, 0)
    assert [day.day for day in _read(world, at=at, days=1).days] == [at.date()]


def test_processes_add_up(world: World, clock: Clock) -> None:
    """Two workers that count the same keys and write at once: nothing is lost, the last wins."""
    recorders = [_recorder(engine, clock) for engine in (world.engine, world.other())]

    def work(recorder: UseRecorder, bit: int) -> None:
        for _ in range(10):
            for key_id in range(1, 6):
                _allow(recorder, key_id, bits=1 << bit)
            recorder.flush()

    threads = [
        threading.Thread(target=work, args=(recorder, bit))
        for bit, recorder in enumerate(recorders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key_id in range(1, 6):
        used = _read(world, key_id)
        assert used.days == (DayCount(TODAY, 20, 0),)
        assert used.last_24_hours == (20, 0)
        assert used.permissions == 0b11


def test_a_later_use_is_not_hidden_by_one_that_is_written_late(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """Workers write in any order."""
    late = _recorder(world.engine, clock)
    _allow(late, path="/early")
    clock.pass_by(minutes=1)
    _allow(recorder, path="/later")
    recorder.flush()
    late.flush()
    last = _read(world).last
    assert last is not None
    assert last.operation == "GET /later"
    assert _read(world).days == (DayCount(TODAY, 2, 0),)


def test_ten_thousand_keys_are_written_in_five_statements(
    world: World, recorder: UseRecorder
) -> None:
    """Who was let through last for `audit promise` included; a page is read in three statements.

    Nothing at all is said when nothing was used.
    """
    witness = world.engine.recording.witness
    for key_id in range(1, 10_001):
        _allow(recorder, key_id, bits=0b11)
        witness.left(Entry(_principal(key_id), Tag(1, 1), at=1.0))
    recorder.denied(Credential(CredentialKind.KEY, 5), 1, "frozen_key")
    engine = world.engine.stores.use
    for each in (recorder, witness):
        each.turn()  # forgets what is old, once a day
    with statements(engine) as seen:
        for each in (recorder, witness):
            each.turn()
        assert len(seen) == 5, seen
        for each in (recorder, witness):
            each.turn()
        assert len(seen) == 5
    with statements(engine) as seen:
        page = world.engine.look_up_use.of(1, range(1, 51))
        assert len(page) == 50
        assert len(seen) == 3
    everything = SqlUses(engine).of(1, None, since=TODAY, now=NOON)
    assert sum(used.days[0].allowed for used in everything.values()) == 10_000


def test_a_key_that_was_never_used_is_in_the_answer(world: World) -> None:
    """Empty, so that a page needs no second case."""
    assert world.engine.look_up_use.of(1, [4]) == {4: KeyUse()}


def test_what_cannot_be_written_is_kept_and_added_up(
    world: World, recorder: UseRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is gone for a while costs no count."""

    def gone(_engine: SqlEngine, *_batch: list[Used]) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr("keyhalt.storage.use_recorder.add_uses", gone)
        for bits in (0b01, 0b10):
            _allow(recorder, bits=bits)
            recorder.flush()
    recorder.flush()
    used = _read(world)
    assert (used.days, used.permissions) == ((DayCount(TODAY, 2, 0),), 0b11)


def test_memory_for_counting_is_bounded(world: World, recorder: UseRecorder) -> None:
    """More keys than fit go uncounted until the next turn; those that are there go on."""
    for key_id in range(1, KEYS_MAX + 100):
        recorder.denied(Credential(CredentialKind.KEY, key_id), 1, "deleted_key")
    _allow(recorder, 1)
    assert len(recorder._now.keys) == KEYS_MAX
    assert recorder._now.keys[1].allowed == 1


def test_counts_of_long_ago_are_forgotten(world: World) -> None:
    """And nothing else is."""
    engine = world.engine.stores.use
    days = [TODAY, first_kept(TODAY), first_kept(TODAY) - timedelta(days=1)]
    last = LastUse(NOON, "", "", "")
    for day in days:
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        add_uses(engine, [Used(1, 1, at, last, {"allowed": 1}, NOTHING)])
    forget(engine, TODAY)
    used = SqlUses(engine).of(1, None, since=date.min, now=NOON)[1]
    assert [day.day for day in used.days] == [first_kept(TODAY), TODAY]
    assert used.last == last


def test_writing_use_moves_neither_the_epoch_nor_a_guard(
    world: World, recorder: UseRecorder
) -> None:
    """Verifiers go on answering from memory: what was read for that stays proved."""
    freshness = world.engine.verifying.freshness
    with world.engine.rights.look() as tx:
        epoch = tx.epoch()
    tag = freshness.tag(world.engine.clock.monotonic())
    _allow(recorder)
    recorder.flush()
    assert freshness.tag(world.engine.clock.monotonic()) == tag
    with world.engine.rights.look() as tx:
        assert tx.epoch() == epoch


def test_nothing_of_one_datasource_is_read_through_another(
    world: World, recorder: UseRecorder
) -> None:
    """Also when somebody knows the id of a key."""
    _allow(recorder)
    recorder.flush()
    assert world.engine.look_up_use.of(2, [1]) == {1: KeyUse()}
    assert world.engine.look_up_use.last(2) == {}
    assert world.engine.look_up_use.last(1).keys() == {1}
