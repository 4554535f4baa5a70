"""From settings to open engines."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from keyhalt.config import PREFIX, Settings, SettingsError, check_stores, load_profile
from keyhalt.embed import open_engine
from keyhalt.options import EngineOptions, StoreOptions, stores_of, where
from keyhalt.system.mac_key_file import mac_keys_from_text
from keyhalt.system.passwords import at_once
from keyhalt.usecases.ports import NotSetUpError

if TYPE_CHECKING:
    from keyhalt.embed import Engine
    from keyhalt.environments import Environment, Installation
    from keyhalt.storage.postgres import Database
    from keyhalt.storage.stores import Stores


def open_engines(
    installation: Installation, *, process: str = "", upgrade: bool = False
) -> list[Engine]:
    """Of each environment, in order. Those that are open are closed if one cannot be opened.

    Together they check as many passwords at once as one would. `process`: what its leases are
    called. Raises as `open_environment`.
    """
    environments = installation.environments
    processes = installation.settings.workers * len(environments)
    with ExitStack() as opened:
        engines = []
        for each in environments:
            engine = open_environment(each, processes, process=process, upgrade=upgrade)
            opened.callback(engine.close)
            engines.append(engine)
        opened.pop_all()
    return engines


def open_environment(
    environment: Environment, processes: int = 1, *, process: str = "", upgrade: bool = False
) -> Engine:
    """`processes`: how many share the cores. Raises SettingsError, and as `open_engine`.

    Also raises NotSetUpError when its store is another environment's.
    """
    options = replace(options_of(environment.settings, processes), process=process)
    engine = open_engine(options, upgrade=upgrade)
    for what, wanted, found in (
        ("environment", environment.name, engine.environment.name),
        ("product", environment.product, engine.environment.product),
    ):
        if wanted not in {"", found}:
            engine.close()
            raise NotSetUpError(f"{where(options)} is of the {what} {found!r}, not of {wanted!r}")
    return engine


def options_of(settings: Settings, processes: int = 1) -> EngineOptions:
    """Raises SettingsError, ProfileError or MacKeysError."""
    text = settings.mac_keys
    return EngineOptions(
        folder=settings.data,
        database=_database(settings),
        lease_seconds=settings.lease_seconds,
        lease_journal=settings.lease_journal,
        cache=settings.cache,
        profile=load_profile(settings.profile),
        mac_keys_path=settings.mac_keys_path,
        mark_path=settings.mark_path,
        anchor_path=settings.audit_anchor_file,
        anchor_syslog=settings.audit_syslog,
        mac_keys=mac_keys_from_text(text.get_secret_value()) if text else None,
        aliases=settings.alias_names,
        insecure_http=settings.insecure_http,
        legacy_login=settings.legacy_login,
        token_lifetime=settings.token_lifetime,
        memory_entries=settings.memory_entries,
        memory_bytes=settings.memory_mib * 1024 * 1024,
        passwords_at_once=at_once(processes),
        # Where nobody can ask how long it takes, nothing is timed.
        timed=settings.internal_port is not None,
    )


def open_stores(settings: Settings, *, create: bool) -> Stores:
    """For what needs no engine. Raises SettingsError, and as `stores_of`."""
    options = StoreOptions(
        folder=settings.data,
        database=_database(settings),
        lease_seconds=settings.lease_seconds,
        lease_journal=settings.lease_journal,
    )
    return stores_of(options, create=create)


def _database(settings: Settings) -> Database | None:
    """Raises SettingsError, also where the driver is not installed."""
    check_stores(settings)
    if settings.database_url is None:
        return None
    from keyhalt.storage.postgres import Database, driver_url  # noqa: PLC0415

    listen = settings.listen_url
    database = Database(
        url=settings.database_url.get_secret_value(),
        listen_url=listen.get_secret_value() if listen else "",
        pool_size=settings.database_pool,
        statement_seconds=settings.database_statement_seconds,
    )
    for name, url in (("DATABASE_URL", database.url), ("LISTEN_URL", database.direct_url)):
        try:
            driver_url(url)
        except ValueError as error:
            raise SettingsError(f"setting {PREFIX}{name}: {error}") from None
    if find_spec("psycopg") is None:
        raise SettingsError("PostgreSQL needs its driver: pip install 'keyhalt[postgres]'")
    return database
