"""The environments that one installation serves: docs/environments.md."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.config import PREFIX, TABLES, Settings, SettingsError, load_settings, settings_file
from keyhalt.core.environments import EnvironmentsError, Table, tables_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment that is served. `settings`: the installation's, with its own before them.

    Without a name: whatever its store says. Without hosts: every host leads to it.
    """

    settings: Settings
    name: str = ""
    product: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What one server serves. `settings`: how it is reached; `environments`: one or more."""

    settings: Settings
    environments: tuple[Environment, ...]


def load_installation(name: str, said: Mapping[str, object]) -> Installation:
    """Every environment that the file has, or the only one; with a name, that one alone.

    An empty name: what KEYHALT_ENVIRONMENT says. `said` as for `load_settings`. Raises
    SettingsError.
    """
    settings = load_settings(**said)
    name = name or os.environ.get(f"{PREFIX}ENVIRONMENT", "")
    try:
        tables = tables_from(settings_file().get(TABLES, ()))
    except EnvironmentsError as error:
        raise SettingsError(str(error)) from None
    if tables and settings.aliases:
        raise SettingsError(f"aliases stand in the [[{TABLES}]] that they are of")
    if not tables:
        only = Environment(settings=settings, name=name)
        return Installation(settings=settings, environments=(only,))
    environments = tuple(_environment(table, settings.data, said) for table in tables)
    _check_apart(environments)
    wanted = tuple(each for each in environments if name in {"", each.name})
    if not wanted:
        raise SettingsError(f"there is no environment {name!r}; there is: {_names(environments)}")
    return Installation(settings=settings, environments=wanted)


def load_environment(name: str, said: Mapping[str, object]) -> Environment:
    """The environment of that name, or the only one. Raises SettingsError, also for several."""
    environments = load_installation(name, said).environments
    if len(environments) > 1:
        raise SettingsError(f"say which environment with --environment: {_names(environments)}")
    return environments[0]


def _environment(table: Table, folder: Path, said: Mapping[str, object]) -> Environment:
    own = {"data": folder / table.name, **table.settings}
    if table.aliases:
        own["aliases"] = ",".join(table.aliases)
    try:
        settings = load_settings(**{**said, **own})
    except SettingsError as error:
        raise SettingsError(f"[[{TABLES}]] {table.name!r}: {error}") from None
    if settings.internal_port == 0:
        raise SettingsError(f"[[{TABLES}]] {table.name!r}: say which internal port, not 0")
    return Environment(settings=settings, name=table.name, product=table.product, hosts=table.hosts)


def _check_apart(environments: Sequence[Environment]) -> None:
    """What makes an environment one of its own is not shared by two."""
    seen: dict[tuple[str, object], str] = {}
    for each in environments:
        settings = each.settings
        for what, value in (
            ("folder", settings.data.resolve()),
            ("database", settings.database_url),
            ("MAC keys", settings.mac_keys),
            ("file of MAC keys", settings.mac_keys_path.resolve()),
            ("file of the mark", settings.mark_path.resolve()),
            ("internal port", settings.internal_port),
        ):
            other = seen.setdefault((what, value), each.name) if value else each.name
            if other != each.name:
                raise SettingsError(
                    f"[[{TABLES}]] {other!r} and {each.name!r} have the same {what};"
                    " each needs its own"
                )


def _names(environments: Sequence[Environment]) -> str:
    return ", ".join(each.name for each in environments)
