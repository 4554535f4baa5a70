"""Old events go and personal data goes, and the log still proves that nothing else did."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.chain import COLUMNS, START, Flaw
from keyhalt.core.decisions import Allowed, Denied
from keyhalt.core.principals import UserFacts
from keyhalt.storage.chain import link_of
from keyhalt.storage.recorder import FEW, ROWS_MAX, SOURCES_MAX, BatchRecorder
from keyhalt.storage.schema import audit_checkpoint, audit_event
from keyhalt.storage.schema_use import audit_denial
from keyhalt.usecases import keep_audit
from keyhalt.usecases.making_keys import Issued
from tests.storage.test_audit_chain import _rehash, by_hand, flaws, last_id
from tests.storage.test_guard import ask
from tests.world import OPERATOR, ORIGIN, World

ADDRESS = "198.51.100.77"
DENIAL = AuditEvent(
    event=Event.REQUEST_DENIED, at=datetime(2026, 1, 1, tzinfo=UTC), actor=Actor(""),
    origin=ORIGIN, outcome="denied", reason="foreign_text",
)  # fmt: skip


@pytest.fixture
def person(world: World) -> UserFacts:
    """Somebody with a key, who did things and to whom things were done; and somebody else."""
    user = world.user("ürsula", "orders.view", "settings.*", full_name="Ürsula Persönlich")
    _, key = world.key(user, "the key of ürsula")
    with world.client() as http:
        http.headers["ECI-ApiKey"] = key
        body = {"apiKeyName": "made by ürsula"}
        assert http.post("/api/v3/apiKey", json=body).status_code == 200
        assert http.post("/api/v3/order", json={"title": "x"}).status_code == 403
    world.deactivate("ürsula")
    world.key(world.user("jsmith", "orders.view"), "another's")
    world.engine.recorder.flush()
    world.engine.audit_chain.anchor()
    return user


def forget(world: World, user: UserFacts) -> keep_audit.Forgotten:
    done = world.engine.keep_audit.forget(
        OPERATOR, datasource_id=user.datasource_id, user_id=user.user_id, origin=ORIGIN
    )
    world.engine.audit_chain.anchor()
    return done


def let_go(world: World, days: float) -> keep_audit.LetGo:
    before = world.engine.clock.now() - timedelta(days=days)
    return world.engine.keep_audit.let_go(OPERATOR, changes=before, others=before, origin=ORIGIN)


def age(world: World, upto: int) -> None:
    """The rows up to that one happened years ago, and were hashed so."""
    with by_hand(world) as connection:
        old = world.engine.clock.now() - timedelta(days=2000)
        connection.execute(update(audit_event).where(audit_event.c.id <= upto).values(at=old))
        first = update(audit_event).where(audit_event.c.id == 1)
        row = connection.execute(select(audit_event).where(audit_event.c.id == 1)).mappings().one()
        connection.execute(first.values(**link_of(START, {name: row[name] for name in COLUMNS})))
        _rehash(connection, list(range(2, last_id(world) + 1)))
    (world.folder / "mac-keys.anchors").unlink(missing_ok=True)
    world.engine.audit_chain.anchor()


def test_what_is_forgotten_is_nowhere_and_the_rest_verifies(
    world: World, person: UserFacts
) -> None:
    """Names and addresses are gone from both stores; ids, times, reasons and hashes stay."""
    before = {row.id: row.hash for row in _rows(world)}
    others = [row.details for row in _rows(world) if row.user_id != person.user_id]
    assert any("another's" in str(each) for each in others)
    done = forget(world, person)
    assert done.changes >= 4
    assert done.others == 1
    assert done.left == 0
    events = world.engine.look_up.audit(datasource_id=None, limit=1000)
    log = "\n".join(map(str, [*_rows(world), *events]))
    log = "\n".join(each for each in log.splitlines() if "role.create" not in each.lower())
    assert "rsula" not in log
    assert "another's" in log
    assert {row.id: row.hash for row in _rows(world) if row.id in before} == before
    seen = world.engine.audit_chain.verify()
    assert (seen.findings, seen.erased) == ((), done.changes)
    (event,) = [each for each in world.events() if each.event is Event.AUDIT_FORGET]
    assert event.details["user_id"] == person.user_id
    assert [each.reason for each in world.denials()] == ["permission_denied"]
    if world.form == "guarded":
        with world.engine.stores.use.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        assert "ürsula".encode() not in (world.folder / "use.db").read_bytes()


def test_what_tells_of_others_names_a_person_by_their_id_alone(world: World) -> None:
    """Their groups, and keys of others that they made: nothing is left there to forget."""
    person = world.user("ürsula", "settings.*", "orders.view", full_name="Ürsula Persönlich")
    machine = world.user("machine", "orders.view", service=True)
    _, text = world.key(person)
    seen = ask(world.engine, text)
    assert isinstance(seen, Allowed)
    made = world.engine.issue.create(
        seen.principal,
        datasource_id=person.datasource_id,
        owner_id=machine.user_id,
        name="nightly",
        description="",
        origin=ORIGIN,
    )
    assert isinstance(made, Issued), made
    world.engine.delete_key.made_since(
        OPERATOR,
        datasource_id=person.datasource_id,
        user_id=person.user_id,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        origin=ORIGIN,
    )
    group = world.engine.manage_groups.create(
        OPERATOR,
        person.datasource_id,
        name="Night shift",
        description="",
        members=[person.user_id],
        origin=ORIGIN,
    )
    assert not isinstance(group, Denied), group
    forget(world, person)
    told = [row for row in _rows(world) if row.event in {"key.revoke.begin", "group.create"}]
    assert {row.event for row in told} == {"key.revoke.begin", "group.create"}
    left = "\n".join(str(row) for row in _rows(world) if row.event != "role.create")
    assert "rsula" not in left
    assert flaws(world) == []


def test_forgetting_again_does_nothing_and_what_comes_after_is_kept(
    world: World, person: UserFacts
) -> None:
    """What is done to them later is an event like any other, until it is forgotten too."""
    forget(world, person)
    assert forget(world, person).changes == 0
    world.activate("ürsula")
    assert flaws(world) == []
    assert forget(world, person).changes == 1
    assert flaws(world) == []


def test_emptying_by_hand_is_found(world: World, person: UserFacts) -> None:
    """Of somebody whom no event tells of; and of a row that says something else than nothing."""
    forget(world, person)
    row = next(r.id for r in _rows(world) if r.event == "key.create" and r.salt is not None)
    _by_hand(world, row, actor="", source="", details={}, salt=None)
    assert flaws(world) == [(Flaw.ERASED, row)]
    _by_hand(world, row, actor="somebody")
    assert flaws(world) == [(Flaw.EDITED, row)]


def test_other_words_or_another_salt_are_found(world: World, person: UserFacts) -> None:
    """The commitment holds what is personal as the hash holds the rest."""
    row = last_id(world)
    for values in ({"source": ADDRESS}, {"salt": bytes(16)}, {"commitment": bytes(32)}):
        (before,) = [r for r in _rows(world) if r.id == row]
        _by_hand(world, row, **values)
        assert flaws(world) == [(Flaw.EDITED, row)]
        _by_hand(world, row, **{name: getattr(before, name) for name in values})
        assert flaws(world) == []


def test_old_events_go_behind_a_checkpoint(world: World, person: UserFacts) -> None:
    """What is left verifies, is appended to, and can be let go of again."""
    end = last_id(world)
    age(world, end - 3)
    assert flaws(world) == []
    done = let_go(world, 1000)
    assert (done.changes, done.others) == (end - 3, 0)
    seen = world.engine.audit_chain.verify()
    assert (seen.findings, seen.rows, seen.begins) == ((), 4, end - 3)
    world.key(world.user("later", "orders.view"))
    assert flaws(world) == []
    done = let_go(world, -1)
    assert done.others == 2
    seen = world.engine.audit_chain.verify()
    assert (seen.findings, seen.rows) == ((), 1)


def test_cutting_the_beginning_off_is_found(world: World, person: UserFacts) -> None:
    """Without a checkpoint, with none any more, with an anchor for one, with one of another row."""
    end = last_id(world)
    age(world, 4)
    with by_hand(world) as connection:
        connection.execute(delete(audit_event).where(audit_event.c.id <= 2))
    assert flaws(world) == [(Flaw.REMOVED, 3)]
    let_go(world, 1000)
    assert flaws(world) == []
    with by_hand(world) as connection:
        line = connection.execute(select(audit_checkpoint.c.line)).scalar_one()
        connection.execute(delete(audit_checkpoint))
    assert flaws(world)[0] == (Flaw.REMOVED, 5)
    anchor = (world.folder / "mac-keys.anchors").read_text().splitlines()[-1]
    for forged in (anchor, line.replace(" 4 ", " 3 "), "good morning"):
        with by_hand(world) as connection:
            connection.execute(delete(audit_checkpoint))
            connection.execute(insert(audit_checkpoint).values(one=True, line=forged))
        assert flaws(world)[0] == (Flaw.CHECKPOINT_FORGED, 0)
    with by_hand(world) as connection:
        connection.execute(update(audit_checkpoint).values(line=line))
        connection.execute(delete(audit_event).where(audit_event.c.id == 5))
    assert flaws(world)[0] == (Flaw.REMOVED, 6)
    assert end > 6


def flood(world: World, batches: int, sources: int, times: int) -> list[int]:
    """How many rows each batch wrote. Nothing else is written between."""
    recorder = BatchRecorder(world.engine.stores.use)
    recorder.close()
    counts = [_events(world)[0]]
    for batch in range(batches):
        for number in range(sources * times):
            origin = Origin(f"{batch}-{number}", f"10.0.{number % sources}.1", "GET /")
            recorder.record(replace(DENIAL, at=world.engine.clock.now(), origin=origin))
        recorder.flush()
        counts.append(_events(world)[0])
    return [after - before for before, after in pairwise(counts)]


def test_a_flood_from_one_source_is_counted_exactly_in_few_rows(world: World) -> None:
    """A hundred of their own at first, then one for each batch, and a hundred after a pause."""
    assert flood(world, 4, sources=1, times=20_000) == [101, 1, 1, 1]
    assert _events(world) == (104, 80_000)


def test_after_a_flood_each_denial_has_its_row_again(world: World) -> None:
    """Though as many go on as are usual: what counts is how many there were, not that there was."""
    recorder = BatchRecorder(world.engine.stores.use)
    recorder.close()
    for times in (5_000, 60, 60, 60):
        before = _events(world)[0]
        for number in range(times):
            recorder.record(replace(DENIAL, origin=Origin(f"{number}", ADDRESS, "GET /")))
        recorder.flush()
        last = _events(world)[0] - before
    assert last == 60


def test_a_flood_from_many_sources_cannot_fill_the_disk(world: World) -> None:
    """However many: a batch has its bound, the next ones less, and no count is lost."""
    rows = flood(world, 3, sources=5_000, times=2)
    assert rows[0] == ROWS_MAX + SOURCES_MAX + 1
    assert max(rows[1:]) <= FEW + FEW + 1
    assert _events(world) == (sum(rows), 30_000)


def _events(world: World) -> tuple[int, int]:
    """Rows of denials, and how many denials they are."""
    with world.engine.stores.use.connect() as connection:
        query = select(func.count(), func.coalesce(func.sum(audit_denial.c.count), 0))
        row = connection.execute(query.where(audit_denial.c.event == "request.deny")).one()
    return int(row[0]), int(row[1])


def _rows(world: World) -> list[Any]:
    with world.engine.stores.rights.connect() as connection:
        return list(connection.execute(select(audit_event).order_by(audit_event.c.id)))


def _by_hand(world: World, row: int, **values: object) -> None:
    with by_hand(world) as connection:
        connection.execute(update(audit_event).where(audit_event.c.id == row).values(**values))
