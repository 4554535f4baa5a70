"""Settings: from KEYHALT_* variables, or a TOML file named by KEYHALT_CONFIG. docs/settings.md.

Incomplete security settings stop the program; nothing here has an unsafe default.
"""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from keyhalt.core.names import near
from keyhalt.core.profiles import Profile, ProfileError, profile_from

PREFIX = "KEYHALT_"
TABLES = "environment"
OTHERS = ("config", "environment", "url", "api_key")
"""Variables that are no settings: which file and environment; what programs that call may have."""


class SettingsError(ValueError):
    """A setting is wrong; the text names it."""


_PORT = r"(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
# What a setting is that must look a certain way, in words.
_SHAPES = {
    "audit_syslog": "it is the path of a socket, such as /dev/log, or HOST:PORT",
    "aliases": "names of environments, separated by commas; no name has a '|'",
}


class Settings(BaseSettings):
    """One attribute a setting. Each is described in docs/settings.md, which a test compares."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    data: Path = Path("keyhalt-data")
    database_url: SecretStr | None = None
    listen_url: SecretStr | None = None
    database_pool: int = Field(10, ge=2, le=1000)
    database_statement_seconds: float = Field(5.0, ge=0.1, le=60)
    database_failover: Literal["none", "automatic"] = "none"
    lease_seconds: float = Field(10.0, ge=1, le=120)
    lease_journal: Path | None = None
    cache: bool = True
    mac_keys_file: Path | None = None
    mac_keys: SecretStr | None = None
    mark_file: Path | None = None
    audit_anchor_file: Path | None = None
    audit_syslog: str = Field(
        "", pattern=rf"^$|^/.+$|^[^\s:]+:{_PORT}$|^\[[0-9A-Fa-f:]+\]:{_PORT}$"
    )
    profile: str = "energycap"
    apps: str = "energy"
    aliases: str = Field("", pattern=r"^[^|]*$")

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=256)
    drain_seconds: float = Field(1.0, ge=0, le=600)
    insecure_http: bool = False
    trusted_proxies: str = ""
    certificate: Path | None = None
    private_key: Path | None = None
    access_log: bool = False
    log_format: Literal["text", "json"] = "text"
    traces: bool = False
    internal_host: str = "127.0.0.1"
    internal_port: int | None = Field(None, ge=0, le=65535)
    proxy_secret: SecretStr | None = Field(None, min_length=16)

    legacy_login: bool = True
    legacy_sunset: date | None = None
    token_lifetime_hours: float = Field(24.0, gt=0, le=24 * 365)
    memory_entries: int = Field(1_000_000, ge=1, le=50_000_000)
    memory_mib: int = Field(256, ge=1, le=1_048_576)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a command says, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        file = {name: value for name, value in settings_file().items() if name != TABLES}
        return init_settings, env_settings, InitSettingsSource(settings_cls, file)

    @property
    def mac_keys_path(self) -> Path:
        """Where the MAC keys are, unless they are a setting themselves."""
        return self.mac_keys_file or self.data / "mac-keys.toml"

    @property
    def mark_path(self) -> Path:
        """Where the mark is kept: beside the MAC keys, or where they would be."""
        return self.mark_file or self.mac_keys_path.with_suffix(".mark")

    @property
    def alias_names(self) -> frozenset[str]:
        return frozenset(_listed(self.aliases))

    @property
    def app_names(self) -> tuple[str, ...]:
        return tuple(_listed(self.apps))

    @property
    def proxies(self) -> tuple[str, ...]:
        return tuple(_listed(self.trusted_proxies))

    @property
    def token_lifetime(self) -> timedelta:
        return timedelta(hours=self.token_lifetime_hours)

    @property
    def sunset(self) -> datetime | None:
        """The first moment of that day, UTC."""
        day = self.legacy_sunset
        return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def load_settings(**said: object) -> Settings:
    """`said`: what comes before variables and file; None says nothing. Raises SettingsError."""
    try:
        _check_variables()
        given = {name: value for name, value in said.items() if value is not None}
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(step) for step in first["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(_unknown(name)) from None
        wrong = _SHAPES.get(name) if first["type"] == "string_pattern_mismatch" else None
        raise SettingsError(f"setting {PREFIX}{name.upper()}: {wrong or first['msg']}") from None


def _check_variables() -> None:
    """A misspelt variable would leave a setting at its default, and nobody would know."""
    for variable in os.environ:
        name = variable.upper().removeprefix(PREFIX).lower()
        known = name in Settings.model_fields or name in OTHERS
        if variable.upper().startswith(PREFIX) and not known:
            raise SettingsError(_unknown(name))


def _unknown(name: str) -> str:
    known = [PREFIX + each.upper() for each in (*Settings.model_fields, *OTHERS)]
    return f"there is no setting {PREFIX}{name.upper()}{near(PREFIX + name.upper(), known)}"


def settings_file() -> dict[str, Any]:
    """What the file of KEYHALT_CONFIG has, if it is set. Raises SettingsError."""
    name = os.environ.get(f"{PREFIX}CONFIG")
    if not name:
        return {}
    if not Path(name).is_file():
        raise SettingsError(f"{PREFIX}CONFIG names {name}, which is not a file")
    try:
        return tomllib.loads(Path(name).read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} is not TOML: {error}") from None


def check_stores(settings: Settings) -> None:
    """Refuse what would break the promise, before anything is opened."""
    if settings.listen_url is not None and settings.database_url is None:
        raise SettingsError(f"{PREFIX}LISTEN_URL needs {PREFIX}DATABASE_URL")
    if settings.database_failover == "automatic":
        raise SettingsError(
            f"{PREFIX}DATABASE_FAILOVER=automatic is not supported: a primary that was replaced"
            " may still answer, and what an asynchronous standby never received comes back with"
            " it. Run one primary, and fail over by hand, with Keyhalt stopped"
        )


def check_transport(settings: Settings) -> None:
    """Refuse to serve before it is said how keys are protected on their way."""
    if (settings.certificate is None) != (settings.private_key is None):
        raise SettingsError("a certificate needs its private key, and the other way round")
    for name, path in (
        ("CERTIFICATE", settings.certificate),
        ("PRIVATE_KEY", settings.private_key),
    ):
        if path is not None and not path.is_file():
            raise SettingsError(f"{PREFIX}{name} names {path}, which is not a file")
    for proxy in settings.proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise SettingsError(
                f"{PREFIX}TRUSTED_PROXIES: {proxy!r} is no address and no network (10.0.0.0/8)"
            ) from None
    _check_internal(settings)
    if settings.traces and find_spec("opentelemetry") is None:
        raise SettingsError(f"{PREFIX}TRACES needs an extra: pip install 'keyhalt[otel]'")
    if settings.certificate or settings.proxies or settings.insecure_http:
        return
    raise SettingsError(
        "say how transport is protected, one of:\n"
        f"  {PREFIX}CERTIFICATE and {PREFIX}PRIVATE_KEY: this server speaks HTTPS\n"
        f"  {PREFIX}TRUSTED_PROXIES=10.0.0.0/8,...: a proxy speaks HTTPS and says so\n"
        f"  {PREFIX}INSECURE_HTTP=true: keys travel readable for everybody on the way"
    )


def _check_internal(settings: Settings) -> None:
    """More than this machine can reach the internal listener only with its secret."""
    if settings.internal_port is None:
        return
    if settings.internal_port and settings.internal_port == settings.port:
        raise SettingsError(f"{PREFIX}INTERNAL_PORT must be another port than {PREFIX}PORT")
    try:
        alone = ip_address(settings.internal_host).is_loopback
    except ValueError:
        alone = settings.internal_host == "localhost"
    if not alone and settings.proxy_secret is None:
        raise SettingsError(
            f"{PREFIX}INTERNAL_HOST is not loopback, so {PREFIX}PROXY_SECRET must be set"
        )


def load_profile(name: str) -> Profile:
    """A profile that ships, by name, or a file, by its path. Raises ProfileError."""
    shipped = resources.files("keyhalt") / "profiles" / f"{name}.toml"
    try:
        if name.isidentifier() and shipped.is_file():
            return profile_from(tomllib.loads(shipped.read_text("utf-8")))
        with Path(name).open("rb") as file:
            return profile_from(tomllib.load(file))
    except OSError as error:
        raise ProfileError(f"cannot read the profile {name!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"the profile {name!r} is not TOML: {error}") from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
