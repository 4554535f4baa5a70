"""What advice is made from besides counts: callers, exposures, tokens, the last sign-ins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.core.sharing import CallerWeek
from keyhalt.storage.callers import ROWS_MAX, week_of
from keyhalt.storage.schema_use import key_caller
from keyhalt.storage.use_recorder import CALLERS_MAX, UseRecorder
from keyhalt.storage.uses import SqlUses
from keyhalt.usecases.uses import Exposure, Gathered, LastUse, TokenUse
from tests.storage.test_use import NOON, PRINCIPAL, TODAY, Clock, clock, recorder
from tests.world import World

__all__ = ["clock", "recorder"]
WEEK = week_of(TODAY)
HIGH = 1 << 130


def come(
    recorder: UseRecorder, source: str = "203.0.113.9", agent: str = "curl/8", bits: int = NOTHING
) -> None:
    headers = [(b"user-agent", agent.encode())]
    recorder.allowed(PRINCIPAL, PermissionSet(bits), "GET", "/a", (source, 5), headers)


def gathered(world: World, *, days: int = 90) -> Gathered:
    return SqlUses(world.engine.stores.use).gathered(1, None, since=TODAY - timedelta(days=days))


def test_callers_are_kept_by_network_and_agent_with_what_they_did(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """Addresses of a network are one caller; days and permissions, of any number, add up."""
    come(recorder, "203.0.113.9", "curl/8", bits=0b1)
    come(recorder, "203.0.113.10", "curl/9", bits=HIGH)
    recorder.flush()
    clock.pass_by(days=1)
    come(recorder, "203.0.113.9", "curl/8", bits=0b10)
    come(recorder, "2001:db8::1", "importer/2", bits=NOTHING)
    recorder.flush()
    found = gathered(world).callers[1]
    seen: dict[tuple[str, str], int] = {}
    for each in found:
        who = (each.network, each.agent)
        seen[who] = seen.get(who, NOTHING) | each.permissions
    assert seen == {("203.0.113.0/24", "curl"): HIGH | 0b11, ("2001:db8::/48", "importer"): 0}
    days = {each.days for each in found if each.agent == "curl" and each.permissions & 0b11}
    assert days == {0b110}  # NOON is a Tuesday


def test_permissions_used_before_the_window_are_known_apart_and_not_for_ever(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """By the day that each was used last; what was used again is not among them."""
    for bits in (0b111, 0b001, HIGH):
        come(recorder, bits=bits)
        recorder.flush()
        clock.pass_by(weeks=40)
    now = clock.now().date()
    since, earlier = now - timedelta(weeks=41), now - timedelta(weeks=81)
    uses = SqlUses(world.engine.stores.use).gathered(1, None, since=since, earlier=earlier)
    assert (uses.permissions, uses.earlier) == ({1: HIGH}, {1: 0b001})
    assert SqlUses(world.engine.stores.use).gathered(1, None, since=since).earlier == {}


def test_of_a_key_with_one_caller_nothing_needs_to_be_read(
    world: World, recorder: UseRecorder
) -> None:
    """So that ten thousand ordinary keys cost advice nothing."""
    come(recorder)
    recorder.flush()
    assert gathered(world).callers == {}


def test_callers_of_a_week_are_bounded(world: World, recorder: UseRecorder) -> None:
    """A key that roams fills its rows and no more; who is there goes on being noted."""
    rounds = 2 * ROWS_MAX // CALLERS_MAX
    for batch in range(rounds):
        for number in range(2 * CALLERS_MAX):
            come(recorder, f"10.{batch}.{number}.1", bits=1)
        recorder.flush()
    come(recorder, "10.0.0.1", bits=0b10)
    recorder.flush()
    with world.engine.stores.use.connect() as connection:
        rows = connection.execute(select(func.count()).select_from(key_caller)).scalar_one()
    assert ROWS_MAX <= rows <= ROWS_MAX + CALLERS_MAX + 1
    uses = gathered(world)
    known = CallerWeek(WEEK, "10.0.0.0/24", "curl", 0b10, PermissionSet(0b11))
    assert known in uses.callers[1]
    assert uses.permissions[1] == 0b11


def test_callers_of_long_ago_are_forgotten(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """After some months nobody can read where a key was used from."""
    come(recorder)
    come(recorder, agent="other/1")
    recorder.flush()
    clock.pass_by(weeks=16)
    recorder.flush()
    assert gathered(world, days=366).callers == {}


def test_a_key_that_others_could_read_is_noted_with_how_often_and_where(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """Over plain HTTP and in an address apart."""
    for _ in range(2):
        recorder.exposed(7, "http", "203.0.113.9")
    recorder.flush()
    clock.pass_by(hours=1)
    recorder.exposed(7, "http", "198.51.100.1")
    recorder.exposed(7, "url", "")
    recorder.flush()
    later = NOON + timedelta(hours=1)
    assert gathered(world).exposures == {
        7: [
            Exposure("http", NOON, later, 3, "198.51.100.0/24"),
            Exposure("url", later, later, 1, ""),
        ]
    }


def test_tokens_are_counted_by_their_user(
    world: World, recorder: UseRecorder, clock: Clock
) -> None:
    """Over days, with who it was last; nothing of it is counted as use of a key."""
    for number in (1, 2):
        token = Principal(
            "Lab", replace(PRINCIPAL.user, user_id=4), Credential(CredentialKind.TOKEN, number)
        )
        agent = [(b"user-agent", b"legacy/1")]
        recorder.allowed(token, PermissionSet(1), "GET", "/a", ("203.0.113.9", 5), agent)
        recorder.flush()
        clock.pass_by(days=1)
    last = LastUse(NOON + timedelta(days=1), "203.0.113.0/24", "legacy", "GET /a")
    uses = gathered(world)
    assert uses.tokens == {4: TokenUse(2, last)}
    assert (uses.last, uses.permissions, uses.counted_since) == ({}, {}, None)
