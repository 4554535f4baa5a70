"""Bringing the stores to the schema of this version, with Alembic, each store on its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError

from keyhalt.storage.transactions import transaction
from keyhalt.usecases.ports import UnfitStoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

STORES = ("rights", "use", "signins")
_FOLDER = Path(__file__).parent / "migrations"


def _config(store: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("version_locations", str(_FOLDER / store))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(store: str, engine: Engine) -> None:
    """Bring one store to this version's schema. Does nothing when it is there.

    Takes the store's write lock first, so that processes that start together take turns.
    Raises UnfitStoreError where a later version has been.
    """
    with transaction(engine, write=True) as connection:
        upgrade_on(store, connection)


def upgrade_on(store: str, connection: Connection, to: str = "head") -> None:
    """As `upgrade`, in the caller's transaction."""
    _check_known(store, _current(store, connection))
    config = _config(store)
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table(store, connection)
    command.upgrade(config, to)


def script_of(store: str) -> ScriptDirectory:
    """The migrations of a store."""
    return ScriptDirectory.from_config(_config(store))


def is_current(store: str, engine: Engine) -> bool:
    """Whether the store has exactly this version's schema.

    Raises UnfitStoreError where a later version has been.
    """
    with transaction(engine, write=False) as connection:
        current = _current(store, connection)
    _check_known(store, current)
    return current == script_of(store).get_current_head()


def _current(store: str, connection: Connection) -> str | None:
    """The last migration that the store had."""
    options = {"version_table": version_table(store, connection)}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _check_known(store: str, current: str | None) -> None:
    """There is no way back from a migration that this version has not."""
    try:
        script_of(store).get_revision(current or "base")
    except (CommandError, ResolutionError):
        raise UnfitStoreError(
            f"{store}: a later version of Keyhalt has brought the schema to {current}, which this"
            " one does not know; run that version, or put a backup from before back"
        ) from None


def version_table(store: str, connection: Connection) -> str:
    """A file has its own; in one database the stores' stand side by side."""
    return "alembic_version" if connection.dialect.name == "sqlite" else f"{store}_version"
