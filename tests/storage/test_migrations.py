"""The schema: what migrations make is what the code expects."""

from __future__ import annotations

import multiprocessing
import os
import stat
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect

from keyhalt.core.permissions import PermissionSet
from keyhalt.options import StoreOptions, stores_of
from keyhalt.storage import migrate
from keyhalt.storage.postgres import Database, driver_url
from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE
from keyhalt.storage.schema_use import RETIRED
from keyhalt.storage.sqlite import create_file, open_engine
from keyhalt.storage.stores import SqliteStores, Stores, engine_of
from keyhalt.storage.uses import SqlUses
from keyhalt.usecases.ports import NotSetUpError


def _is_in_use(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name not in RETIRED


def test_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    """No column or index differs between what is migrated and what is declared."""
    stores = SqliteStores(tmp_path, create=True)
    stores.upgrade()
    for name, metadata in (("rights", RIGHTS), ("use", USE), ("signins", SIGN_INS)):
        with engine_of(stores, name).connect() as connection:
            assert set(inspect(connection).get_table_names()) > set(metadata.tables)
            context = MigrationContext.configure(connection, opts={"include_name": _is_in_use})
            assert compare_metadata(context, metadata) == []
    assert stores.current()
    stores.close()


@pytest.mark.parametrize("name", migrate.STORES)
def test_the_version_before_goes_on_while_a_migration_is_there(
    database_url: str, name: str
) -> None:
    """Each migration only adds: what the code of the step before writes and reads is still there.

    So a server may be upgraded while others still run the version before. No column goes or
    changes its type, none that is new needs a value, and nothing more is unique or a condition;
    a table goes when the version before did not use it any more.
    """
    engine = create_engine(driver_url(database_url))
    script = migrate.script_of(name)
    steps = [each.revision for each in script.walk_revisions()][::-1]
    before: dict[str, _Shape] = {}
    for revision in steps:
        with engine.begin() as connection:
            migrate.upgrade_on(name, connection, to=revision)
            after = _shapes(connection)
        assert before.keys() - after.keys() <= RETIRED, revision
        for table in before.keys() & after.keys():
            assert before[table].broken_by(after[table]) == [], f"{revision}, {table}"
        before = after
    assert before
    engine.dispose()


def test_what_was_known_of_permissions_is_known_after_the_upgrade(
    database_url: str, tmp_path: Path
) -> None:
    """Rows for each bit become one value in the row of the key; on both databases."""
    since = date(2026, 11, 1)
    create_file(tmp_path / "use.db")
    for engine in (create_engine(driver_url(database_url)), open_engine(tmp_path / "use.db")):
        with engine.begin() as connection:
            migrate.upgrade_on("use", connection, to="use_0006")
            for key_id in (1, 2):
                connection.exec_driver_sql(
                    "INSERT INTO key_use (datasource_id, key_id, last_used_at, network, agent,"
                    f" operation) VALUES (1, {key_id}, '2026-11-24T12:00:00.000000Z', '', '', '')"
                )
            for bit, day in ((0, "2026-11-24"), (70, "2026-11-20"), (5, "2026-10-01")):
                connection.exec_driver_sql(
                    "INSERT INTO key_permission (datasource_id, key_id, bit, last_day)"
                    f" VALUES (1, 1, {bit}, '{day}')"
                )
            migrate.upgrade_on("use", connection)
        uses = SqlUses(engine)
        found = uses.of(1, None, since=since, now=datetime(2026, 11, 24, 13, tzinfo=UTC))
        assert {key_id: use.permissions for key_id, use in found.items()} == {1: 1 | 1 << 70, 2: 0}
        assert uses.history(1, 1).last_days[PermissionSet(1 << 5)] == date(2026, 10, 1)
        engine.dispose()


@dataclass(frozen=True)
class _Shape:
    """What of a table a statement depends on."""

    types: dict[str, str]
    needed: frozenset[str]
    """Columns that an INSERT has to name."""
    rules: frozenset[str]

    def broken_by(self, later: _Shape) -> list[str]:
        same = {name: later.types.get(name) for name in self.types}
        faults = [name for name in same if same[name] != self.types[name]]
        return [*faults, *(later.needed - self.needed), *(later.rules - self.rules)]


def _shapes(connection: Connection) -> dict[str, _Shape]:
    looking = inspect(connection)
    found = {}
    for table in looking.get_table_names():
        columns = looking.get_columns(table)
        unique = [each for each in looking.get_indexes(table) if each["unique"]]
        rules = [
            *looking.get_check_constraints(table),
            *looking.get_unique_constraints(table),
            *looking.get_foreign_keys(table),
            *unique,
        ]
        found[table] = _Shape(
            {each["name"]: str(each["type"]) for each in columns},
            frozenset(
                each["name"]
                for each in columns
                if not each["nullable"] and each["default"] is None and not each.get("identity")
            ),
            frozenset(str(each["name"]) for each in rules),
        )
    return found


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    """It may be run at every start."""
    stores = SqliteStores(tmp_path, create=True)
    stores.upgrade()
    stores.upgrade()
    assert stores.current()
    stores.close()


def _upgrade(folder: str, url: str) -> None:
    stores = _stores(folder, url)
    stores.upgrade()
    stores.close()


def _stores(folder: str, url: str) -> Stores:
    return stores_of(
        StoreOptions(folder=Path(folder), database=Database(url) if url else None), create=True
    )


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_ten_replicas_that_start_together_take_turns(
    tmp_path: Path, store: str, request: pytest.FixtureRequest
) -> None:
    """Ten upgrades at once of nothing leave one good schema, and each succeeds."""
    url = request.getfixturevalue("database_url") if store == "postgresql" else ""
    context = multiprocessing.get_context("spawn")
    told = (str(tmp_path), url)
    processes = [context.Process(target=_upgrade, args=told) for _ in range(10)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 10
    stores = _stores(*told)
    assert stores.current()
    stores.close()


def test_stores_are_private_to_their_user(tmp_path: Path) -> None:
    """Files 0600 in a folder 0700, whatever the umask."""
    old = os.umask(0)
    try:
        stores = SqliteStores(tmp_path / "data", create=True)
        stores.upgrade()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    for file in (tmp_path / "data").glob("*.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    stores.close()


def test_a_folder_without_stores_is_said_to_be_not_set_up(tmp_path: Path) -> None:
    """In words that say what to run."""
    with pytest.raises(NotSetUpError, match="keyhalt init"):
        SqliteStores(tmp_path, create=False)
