"""The environments of one installation, as `[[environment]]` tables say: docs/environments.md.

No two share a name, an alias or a host: one host leads to one environment, one name in a key to
one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.hosts import has_port, host_of
from keyhalt.core.names import fault_in_keys, fold

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVIRONMENT_NAME_MAX = 64
OWN_SETTINGS = frozenset({
    "data", "database_url", "listen_url", "database_pool", "database_statement_seconds",
    "database_failover", "lease_seconds", "lease_journal", "cache", "mac_keys_file", "mac_keys",
    "mark_file", "audit_anchor_file", "audit_syslog",
    "profile", "apps", "legacy_login", "legacy_sunset", "token_lifetime_hours",
    "memory_entries", "memory_mib", "internal_host", "internal_port", "proxy_secret",
})  # fmt: skip
"""Settings that an environment may have for itself; the others are the installation's."""
_OWN_KEYS = frozenset({"name", "hosts", "aliases", "product"})


class EnvironmentsError(ValueError):
    """The tables cannot be used; the text says which entry is wrong, and why."""


@dataclass(frozen=True, slots=True)
class Table:
    """One `[[environment]]`. `hosts` as they compare; `settings`: those of its own, unchecked."""

    name: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...]
    product: str
    settings: Mapping[str, object]


def tables_from(rows: object) -> tuple[Table, ...]:
    """Read what a file has under `environment`. Raises EnvironmentsError."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise EnvironmentsError("[[environment]] must be a list of tables")
    tables = tuple(_table(row, number) for number, row in enumerate(rows, start=1))
    _only_once(
        "the name", ((fold(name), each) for each in tables for name in (each.name, *each.aliases))
    )
    _only_once("the host", ((host, each) for each in tables for host in each.hosts))
    return tables


def _table(row: Mapping[str, object], number: int) -> Table:
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise EnvironmentsError(f"[[environment]] number {number} has no name")
    what = f"[[environment]] {name!r}"
    unknown = sorted(set(row) - _OWN_KEYS - OWN_SETTINGS)
    if unknown:
        raise EnvironmentsError(f"{what}: {unknown[0]!r} is no setting of an environment")
    if "data" not in row and (name in {".", ".."} or "/" in name):
        raise EnvironmentsError(f"{what}: such a name is no folder; say data = '...'")
    product = row.get("product", "")
    if not isinstance(product, str):
        raise EnvironmentsError(f"{what}: product must be a text")
    aliases = _texts(row, "aliases", what)
    for text in (name, *aliases):
        fault = fault_in_keys(text, length_max=ENVIRONMENT_NAME_MAX)
        if fault is None and "," in text:
            fault = "must not hold a comma"
        if fault is not None:
            raise EnvironmentsError(f"{what}: a name {fault}")
    hosts = tuple(_host(text, what) for text in _texts(row, "hosts", what))
    if not hosts:
        raise EnvironmentsError(f"{what} needs its hosts: hosts = ['keys.example.com']")
    own = {key: value for key, value in row.items() if key in OWN_SETTINGS}
    return Table(name, hosts, aliases, product, own)


def _texts(row: Mapping[str, object], key: str, what: str) -> tuple[str, ...]:
    value = row.get(key, ())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise EnvironmentsError(f"{what}: {key} must be a list of texts")
    texts = tuple(each for each in value if isinstance(each, str))
    if len(texts) != len(value):
        raise EnvironmentsError(f"{what}: {key} must be a list of texts")
    return texts


def _host(text: str, what: str) -> str:
    host = host_of(text)
    if host is None:
        raise EnvironmentsError(
            f"{what}: {text!r} is no host; write it as browsers send it"
            " (xn--..., an IPv6 address in brackets)"
        )
    if has_port(text):
        raise EnvironmentsError(f"{what}: {text!r} has a port, which does not count; leave it out")
    return host


def _only_once(what: str, pairs: Iterable[tuple[str, Table]]) -> None:
    seen: dict[str, Table] = {}
    for word, table in pairs:
        other = seen.setdefault(word, table)
        if other is not table:
            raise EnvironmentsError(
                f"[[environment]] {other.name!r} and {table.name!r} both have {what} {word!r}"
            )
