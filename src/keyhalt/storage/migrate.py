"""Bringing the stores to the schema of this version, with Alembic, each store on its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from keyhalt.storage.transactions import transaction

if TYPE_CHECKING:
    from sqlalchemy import Engine

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
    """
    config = _config(store)
    with transaction(engine, write=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(store: str, engine: Engine) -> bool:
    """Whether the store has exactly this version's schema."""
    head = ScriptDirectory.from_config(_config(store)).get_current_head()
    with transaction(engine, write=False) as connection:
        return MigrationContext.configure(connection).get_current_revision() == head
