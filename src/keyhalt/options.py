"""What an engine is built from, and the stores that this names."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.core.freshness import BYTES_MAX
from keyhalt.storage.stores import SqliteStores
from keyhalt.system.clock import SystemClock, boottime
from keyhalt.system.mac_key_file import MacKeyFile
from keyhalt.system.place import place
from keyhalt.system.randomness import new_uuid, uniform

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.profiles import Profile
    from keyhalt.core.secrets import MacKeys
    from keyhalt.storage.postgres import Database
    from keyhalt.storage.stores import Stores

MEMORY_ENTRIES = 1_000_000
TOKEN_LIFETIME = timedelta(hours=24)
LEASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Where the stores are: in `database`, or in files in `folder`."""

    folder: Path
    database: Database | None = None
    lease_seconds: float = LEASE_SECONDS
    lease_journal: Path | None = None
    """A folder for what this process does to keep its lease (storage/journal.py)."""
    process: str = ""
    """Under which name the process holds its lease; empty: a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(StoreOptions):
    """What an engine is built from. `mac_keys` set: keys from a setting instead of the file.

    `cache` off: every request asks the store, for machines whose clocks stand still at times.
    """

    profile: Profile
    mac_keys_path: Path
    mark_path: Path
    """Where the mark is kept (core/marks.py)."""
    anchor_path: Path | None = None
    """Where the audit log is anchored (core/chain.py); None: beside the mark."""
    anchor_syslog: str = ""
    """Where anchors are sent, too (system/syslog_anchor.py); empty: nowhere."""
    mac_keys: MacKeys | None = field(default=None, repr=False)
    aliases: frozenset[str] = frozenset()
    insecure_http: bool = False
    legacy_login: bool = True
    token_lifetime: timedelta = TOKEN_LIFETIME
    memory_entries: int = MEMORY_ENTRIES
    memory_bytes: int = BYTES_MAX
    cache: bool = True
    passwords_at_once: int = 1
    timed: bool = False
    """Whether it is measured how long verifications take, for who reads `measure`."""


def stores_of(options: StoreOptions, *, create: bool) -> Stores:
    """Open the stores; with `create`, make the files that are missing.

    Raises NotSetUpError or StoreUnavailableError.
    """
    if options.database is None:
        return SqliteStores(options.folder, create=create)
    # Only here, so that who uses SQLite need not have the driver of PostgreSQL.
    from keyhalt.storage.postgres_stores import Machine, PostgresStores  # noqa: PLC0415

    machine = Machine(
        clock=boottime,
        sleep=time.sleep,
        now=SystemClock().now,
        new_id=new_uuid,
        uniform=uniform,
        place=place,
    )
    return PostgresStores(
        options.database,
        machine,
        lease_seconds=options.lease_seconds,
        process=options.process or new_uuid(),
        journal=options.lease_journal,
    )


def where(options: StoreOptions) -> str:
    """The place of the stores in words, without a password."""
    return str(options.folder) if options.database is None else "the database"


def mac_keys_in(options: EngineOptions, monotonic: Callable[[], float]) -> Callable[[], MacKeys]:
    """Those of the setting, or those that are in the file now (system/mac_key_file.py)."""
    fixed = options.mac_keys
    if fixed is not None:
        return lambda: fixed
    return MacKeyFile(options.mac_keys_path, monotonic).keys
