"""The audit log of changes cannot be rewritten: ten ways to try, each found, on each store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from keyhalt.core.chain import COLUMNS, START, Flaw, Link, Walk, row_hash
from keyhalt.storage import migrate
from keyhalt.storage.chain import SqlChain, link_of
from keyhalt.storage.schema import audit_event
from keyhalt.storage.transactions import transaction
from tests.world import OPERATOR, ORIGIN, World

Tamper = Callable[[Connection], None]
ROW = 6


@pytest.fixture
def logged(world: World) -> World:
    """With a dozen changes, anchored; umlauts and times in them."""
    for number in range(3):
        user = world.user(f"üser{number}", "orders.view", service=True)
        world.key(user, 'a "key" of ürsula')
    world.engine.audit_chain.anchor()
    return world


@contextmanager
def by_hand(world: World) -> Iterator[Connection]:
    with world.engine.stores.rights.begin() as connection:
        yield connection


def flaws(world: World) -> list[tuple[Flaw, int]]:
    return [(each.flaw, each.at) for each in world.engine.audit_chain.verify().findings]


def last_id(world: World) -> int:
    head = SqlChain(world.engine.stores.rights).head()
    assert head is not None
    return head[0]


def _set(row: int, **values: object) -> Tamper:
    def tamper(connection: Connection) -> None:
        connection.execute(update(audit_event).where(audit_event.c.id == row).values(**values))

    return tamper


def _remove(connection: Connection) -> None:
    connection.execute(delete(audit_event).where(audit_event.c.id == ROW))


def _remove_first(connection: Connection) -> None:
    connection.execute(delete(audit_event).where(audit_event.c.id == 1))


def _swap(connection: Connection) -> None:
    """The contents of two rows change places; ids and hashes stay."""
    names = [name for name in COLUMNS if name != "id"]
    columns = [audit_event.c[name] for name in names]
    rows = {
        row: connection.execute(select(*columns).where(audit_event.c.id == row)).mappings().one()
        for row in (ROW, ROW + 1)
    }
    for row in rows:
        _set(row, **rows[2 * ROW + 1 - row])(connection)


def _renumber(connection: Connection) -> None:
    """Two rows change places with everything that they hold, hashes too."""
    for old, new in ((ROW, 900_000), (ROW + 1, ROW), (900_000, ROW + 1)):
        _set(old, id=new)(connection)


def _append(connection: Connection) -> None:
    """A copy of a row at the end, with hashes that do not follow."""
    row = connection.execute(select(audit_event).where(audit_event.c.id == ROW)).mappings().one()
    connection.execute(insert(audit_event).values(**{**row, "id": 900_000}))


def _forge(connection: Connection) -> None:
    """Another row in the place of one, with hashes that are right for it."""
    _set(ROW, actor="somebody")(connection)
    _rehash(connection, [ROW])


def _rebuild(connection: Connection) -> None:
    """Everything from a row on is hashed again: the chain itself is whole."""
    _set(ROW, actor="somebody")(connection)
    ids = connection.execute(select(audit_event.c.id).where(audit_event.c.id >= ROW))
    _rehash(connection, sorted(ids.scalars()))


def _rehash(connection: Connection, ids: list[int]) -> None:
    for row_id in ids:
        place = audit_event.c.id == row_id
        row = connection.execute(select(audit_event).where(place)).mappings().one()
        before = select(audit_event.c.hash).where(audit_event.c.id < row_id)
        before = before.order_by(audit_event.c.id.desc()).limit(1)
        previous = bytes(connection.execute(before).scalar_one())
        _set(row_id, **link_of(previous, {name: row[name] for name in COLUMNS}))(connection)


def _truncate(connection: Connection) -> None:
    connection.execute(delete(audit_event).where(audit_event.c.id > ROW))


def _empty(connection: Connection) -> None:
    connection.execute(delete(audit_event))


LAST = 11
"""The last row of `logged`: set up, then a role, a user and a key at a time."""
WAYS: dict[str, tuple[Tamper, list[tuple[Flaw, int]]]] = {
    "another actor": (_set(ROW, actor="somebody"), [(Flaw.EDITED, ROW)]),
    "another time": (
        _set(ROW, at=datetime(2020, 1, 1, tzinfo=UTC)),
        [(Flaw.EDITED, ROW)],
    ),
    "other details": (_set(ROW, details={"name": "else"}), [(Flaw.EDITED, ROW)]),
    "no object": (_set(ROW, object_id=None), [(Flaw.EDITED, ROW)]),
    "another hash": (_set(ROW, hash=bytes(32)), [(Flaw.EDITED, ROW)]),
    "removed": (_remove, [(Flaw.REMOVED, ROW + 1)]),
    "first removed": (_remove_first, [(Flaw.REMOVED, 2)]),
    "truncated": (_truncate, [(Flaw.ANCHOR_MISSES, LAST)]),
    "emptied": (_empty, [(Flaw.EMPTY, 0), (Flaw.ANCHOR_MISSES, LAST)]),
    "put in": (_append, [(Flaw.EDITED, 900_000)]),
    "contents swapped": (_swap, [(Flaw.EDITED, ROW), (Flaw.EDITED, ROW + 1)]),
    "rows swapped": (_renumber, [(Flaw.EDITED, ROW), (Flaw.EDITED, ROW + 1)]),
    "replaced, hashes and all": (_forge, [(Flaw.REPLACED, ROW)]),
    "rebuilt from there on": (_rebuild, [(Flaw.ANCHOR_DIFFERS, LAST)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_tampering_is_found_and_said_where(logged: World, way: str) -> None:
    """The row that was touched is named, and no other."""
    assert last_id(logged) == LAST
    assert flaws(logged) == []
    tamper, expected = WAYS[way]
    with by_hand(logged) as connection:
        tamper(connection)
    assert flaws(logged) == expected


def test_what_is_appended_by_every_verb_verifies(logged: World) -> None:
    """Also after a change that failed, which may leave a gap in the ids."""
    event = logged.events()[-1]

    def fail() -> None:
        with logged.engine.rights.change() as tx:
            tx.record(event)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    logged.deactivate("üser1")
    seen = logged.engine.audit_chain.verify()
    assert seen.findings == ()
    assert seen.rows == LAST + 1
    assert seen.anchors == 1


def test_changes_at_once_make_one_chain(world: World) -> None:
    """Writers take turns, in one process and between two, so no two rows follow the same one."""
    world.user("jsmith", "orders.view", service=True)
    before = last_id(world)
    engines = (world.engine, world.other())

    def work(number: int) -> None:
        verb = engines[number % 2].manage_users.set_active
        for _ in range(5):
            verb(OPERATOR, world.datasource_id, "jsmith", ORIGIN, active=False)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for engine in engines:
        engine.audit_chain.anchor()
    assert flaws(world) == []
    assert last_id(world) - before >= 20


def test_anchors_that_somebody_wrote_are_found(logged: World) -> None:
    """A line without the MAC, one of other content, one that was cut off."""
    file = logged.folder / "mac-keys.anchors"
    good = file.read_text("ascii").splitlines()
    forged = [good[-1].replace(f" {LAST} ", f" {LAST - 1} "), "good morning", good[-1][:-3]]
    file.write_text("\n".join([*good, *forged]) + "\n", "ascii")
    expected = [(Flaw.ANCHOR_FORGED, len(good) + n) for n in (1, 2, 3)]
    assert flaws(logged) == expected


def test_an_engine_anchors_what_it_changed_when_it_ends(world: World) -> None:
    """And one that changed nothing writes nothing."""
    file = world.folder / "mac-keys.anchors"
    world.other().close()
    assert not file.exists()
    other = world.other()
    other.set_up.datasource(OPERATOR, "globex", ORIGIN)
    other.close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert world.engine.audit_chain.verify().anchors == 1


def test_an_anchor_is_not_repeated_while_nothing_changes(logged: World) -> None:
    """Anchors cost a line for each change at most."""
    for _ in range(3):
        logged.engine.audit_chain.anchor()
    assert logged.engine.audit_chain.verify().anchors == 1


def test_rows_from_before_the_chain_are_chained_by_the_upgrade(logged: World) -> None:
    """In the form without commitments, and what is appended after them in the newer one."""
    stores = logged.engine.stores
    with transaction(stores.rights, write=True) as connection:
        connection.execute(text("DROP INDEX ix_audit_event_datasource_id_at"))
        old = "CREATE INDEX ix_audit_event_datasource_id ON audit_event (datasource_id)"
        connection.execute(text(old))
        connection.execute(text("ALTER TABLE audit_event DROP COLUMN previous"))
        connection.execute(text("ALTER TABLE audit_event DROP COLUMN hash"))
        connection.execute(text("ALTER TABLE audit_event DROP COLUMN salt"))
        connection.execute(text("ALTER TABLE audit_event DROP COLUMN commitment"))
        connection.execute(text("DROP TABLE audit_checkpoint"))
        connection.execute(text("ALTER TABLE api_key DROP COLUMN in_place_of"))
        connection.execute(text("ALTER TABLE verifier DROP COLUMN lease_seconds"))
        connection.execute(text("ALTER TABLE environment DROP COLUMN bit_numbers"))
        connection.execute(text("ALTER TABLE verifier DROP COLUMN host"))
        connection.execute(text("ALTER TABLE verifier DROP COLUMN pid"))
        table = migrate.version_table("rights", connection)
        connection.execute(text(f"UPDATE {table} SET version_num = 'rights_0007'"))
    (logged.folder / "mac-keys.anchors").unlink()
    stores.upgrade()
    assert flaws(logged) == []
    logged.deactivate("üser1")
    logged.engine.audit_chain.anchor()
    seen = logged.engine.audit_chain.verify()
    assert (seen.findings, seen.rows, seen.anchors) == ((), LAST + 1, 1)
    with by_hand(logged) as connection:
        _set(ROW, source="x")(connection)
    assert flaws(logged) == [(Flaw.EDITED, ROW)]


def test_the_form_of_a_hash_does_not_change() -> None:
    """Golden: rows that were hashed once verify for ever."""
    stored = (
        '[1,1,"2026-11-24T12:00:00.123456Z","key.create","done","","j\\u00fcrgen",7,"key",12,1,'
        '"key",13,"r-1","10.0.0.1","POST /api/v3/apiKey","{\\"name\\": \\"a\\"}",5]'
    )
    values = json.loads(stored)
    assert len(values) == len(COLUMNS)
    digest = "b12917d514dc92da16e1c52f0a7ed1d4e9457eba76debd4e17d502b29e6fd1ce"
    assert row_hash(START, values).hex() == digest


def test_a_row_put_in_between_is_told_from_a_removed_one() -> None:
    """The row that follows still follows the one before: so what lies between is foreign."""
    walk = Walk()
    one, two = ([row, *[""] * (len(COLUMNS) - 1)] for row in (1, 3))
    foreign = [2, *["x"] * (len(COLUMNS) - 1)]
    first = row_hash(START, one)
    assert walk.step(one, Link(START, first)) is None
    assert walk.step(foreign, Link(first, row_hash(first, foreign))) is None
    found = walk.step(two, Link(first, row_hash(first, two)))
    assert found is not None
    assert (found.flaw, found.at) == (Flaw.INSERTED, 2)
