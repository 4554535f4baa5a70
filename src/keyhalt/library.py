"""The engine inside somebody else's app: opens the stores in their process as a verifier.

Needs the extra `sqlite` or `postgres`. It reads the same settings as the server does
(docs/settings.md), so an app and a server beside it agree; what is given here comes before them.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from keyhalt.config import (
    Settings,
    SettingsError,
    check_stores,
    load_profile,
    load_settings,
)
from keyhalt.embed import EngineOptions, open_engine
from keyhalt.system.mac_key_file import mac_keys_from_text
from keyhalt.system.passwords import at_once

if TYPE_CHECKING:
    from pathlib import Path

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Decision, Denied, Presented
    from keyhalt.core.permissions import Need
    from keyhalt.core.principals import Principal
    from keyhalt.embed import Engine
    from keyhalt.storage.postgres import Database


def open_verifier(
    data: Path | str | None = None, profile: Path | str | None = None, **settings: object
) -> EmbeddedVerifier:
    """Open an environment that `keyhalt init` made. One per process, used from one event loop.

    Raises SettingsError, NotSetUpError, ProfileError, MacKeysError or StoreUnavailableError.
    """
    read = load_settings(
        data=None if data is None else str(data),
        profile=None if profile is None else str(profile),
        **settings,
    )
    return EmbeddedVerifier(open_engine(options_of(read)))


def options_of(settings: Settings, *, process: str = "") -> EngineOptions:
    """What the settings say of an engine. Raises SettingsError, ProfileError or MacKeysError."""
    text = settings.mac_keys
    return EngineOptions(
        folder=settings.data,
        database=database_of(settings),
        lease_seconds=settings.lease_seconds,
        cache=settings.cache,
        process=process,
        profile=load_profile(settings.profile),
        mac_keys_path=settings.mac_keys_path,
        mark_path=settings.mark_path,
        mac_keys=mac_keys_from_text(text.get_secret_value()) if text else None,
        aliases=settings.alias_names,
        insecure_http=settings.insecure_http,
        legacy_login=settings.legacy_login,
        token_lifetime=settings.token_lifetime,
        memory_entries=settings.memory_entries,
        memory_bytes=settings.memory_mib * 1024 * 1024,
        passwords_at_once=at_once(settings.workers),
    )


def database_of(settings: Settings) -> Database | None:
    """Raises SettingsError, also where the driver is not installed."""
    check_stores(settings)
    if settings.database_url is None:
        return None
    from keyhalt.storage.postgres import Database, driver_url  # noqa: PLC0415 - an extra

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
            raise SettingsError(f"setting KEYHALT_{name}: {error}") from None
    if find_spec("psycopg") is None:
        raise SettingsError("PostgreSQL needs its driver: pip install 'keyhalt[postgres]'")
    return database


class EmbeddedVerifier:
    """The engine as a verifier, with the same promise as the server's. Close it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._verify = engine.verify
        self.realm: str = self._verify.realm

    def need(self, name: str) -> Need:
        return self._verify.need(name)

    def remembered(self, presented: Presented) -> Principal | None:
        return self._verify.remembered(presented)

    async def verify(self, presented: Presented) -> Decision:
        return await self._verify.verify(presented)

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        return self._verify.refused(denied, origin)

    def close(self) -> None:
        """Write what is queued for the audit log and let go of the files."""
        self.engine.close()
