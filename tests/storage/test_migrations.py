"""The schema: what migrations make is what the code expects."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE
from keyhalt.storage.stores import SqliteStores, engine_of
from keyhalt.usecases.ports import NotSetUpError


def test_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    """No column or index differs between what is migrated and what is declared."""
    stores = SqliteStores(tmp_path, create=True)
    stores.upgrade()
    for name, metadata in (("rights", RIGHTS), ("use", USE), ("signins", SIGN_INS)):
        with engine_of(stores, name).connect() as connection:
            assert set(inspect(connection).get_table_names()) > set(metadata.tables)
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert stores.current()
    stores.close()


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    """It may be run at every start."""
    stores = SqliteStores(tmp_path, create=True)
    stores.upgrade()
    stores.upgrade()
    assert stores.current()
    stores.close()


def _upgrade(folder: str) -> None:
    stores = SqliteStores(Path(folder), create=True)
    stores.upgrade()
    stores.close()


def test_processes_that_start_together_take_turns(tmp_path: Path) -> None:
    """Four upgrades at once of an empty folder leave one good schema."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_upgrade, args=(str(tmp_path),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    stores = SqliteStores(tmp_path, create=False)
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
