"""From rows to facts, in one place for every statement that reads a user or a key."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    and_,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import (
    Credential,
    CredentialKind,
    KeyFacts,
    SessionFacts,
    TokenFacts,
    UserFacts,
)
from keyhalt.storage.schema import api_key, datasource, freeze, role, user, user_topmost
from keyhalt.usecases.rows import KeyRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Table

# Fewer than any database takes as parameters of one statement.
IDS_MAX = 1_000
OWNERS_MAX = 16_384
"""How many owners of keys a process has one copy of; another is made for each key."""
PERSON, SERVICE = "person", "service"
owner = user.alias("owner")

_topmosts = (
    select(
        func.aggregate_strings(
            user_topmost.c.hierarchy + literal_column("':'") + cast(user_topmost.c.node_id, String),
            ",",
        )
    )
    .where(
        user_topmost.c.datasource_id == owner.c.datasource_id,
        user_topmost.c.user_id == owner.c.id,
    )
    .scalar_subquery()
)

# The order is that of `user_facts`.
USER_COLUMNS: tuple[ColumnElement[Any], ...] = (
    owner.c.id,
    owner.c.code,
    owner.c.full_name,
    owner.c.email,
    owner.c.datasource_id,
    datasource.c.name.label("datasource_name"),
    owner.c.role_id,
    role.c.name.label("role_name"),
    role.c.permissions,
    _topmosts.label("topmosts"),
    owner.c.active,
    datasource.c.active.label("datasource_active"),
    owner.c.sign_in_generation,
    owner.c.kind,
)


def user_from() -> FromClause:
    """A user with role and datasource."""
    same_role = (role.c.datasource_id == owner.c.datasource_id) & (role.c.id == owner.c.role_id)
    return owner.join(role, same_role).join(datasource, datasource.c.id == owner.c.datasource_id)


def key_from() -> FromClause:
    """A key with its owner, role and datasource."""
    same_owner = (owner.c.datasource_id == api_key.c.datasource_id) & (
        owner.c.id == api_key.c.owner_id
    )
    same_role = (role.c.datasource_id == owner.c.datasource_id) & (role.c.id == owner.c.role_id)
    joined = api_key.join(owner, same_owner).join(role, same_role)
    return joined.join(datasource, datasource.c.id == owner.c.datasource_id)


def user_facts(row: Sequence[Any]) -> UserFacts:
    """From USER_COLUMNS, whether typed by SQLAlchemy or plain from the driver."""
    bits = row[8]
    return UserFacts(
        user_id=row[0],
        user_code=row[1],
        full_name=row[2],
        email=row[3],
        datasource_id=row[4],
        datasource=row[5],
        role_id=row[6],
        role_name=row[7],
        permissions=PermissionSet(bits if isinstance(bits, int) else int(bits, 16)),
        topmosts=_topmosts_of(row[9]),
        active=bool(row[10]),
        datasource_active=bool(row[11]),
        sign_in_generation=row[12],
        service=row[13] == SERVICE,
    )


# One copy of an owner for all keys that are read while nothing of it changes.
_owner_facts = lru_cache(OWNERS_MAX)(user_facts)


def _topmosts_of(text: str | None) -> Mapping[str, tuple[int, ...]]:
    nodes: dict[str, list[int]] = {}
    for pair in text.split(",") if text else ():
        hierarchy, _, node_id = pair.rpartition(":")
        nodes.setdefault(hierarchy, []).append(int(node_id))
    return {hierarchy: tuple(sorted(ids)) for hierarchy, ids in nodes.items()}


def missing_of(
    connection: Connection, table: Table, datasource_id: int, ids: Sequence[int]
) -> Sequence[int]:
    """Those of `ids` that this table has not for the datasource, in their order."""
    there: set[int] = set()
    for start in range(0, len(ids), IDS_MAX):
        some = table.c.id.in_(ids[start : start + IDS_MAX])
        query = select(table.c.id).where(table.c.datasource_id == datasource_id, some)
        there.update(connection.execute(query).scalars())
    return [each for each in ids if each not in there]


def frozen_by() -> ColumnElement[bool]:
    """Whether a row of `freeze` takes a row of `api_key` in."""
    return and_(
        freeze.c.thawed_at.is_(None),
        or_(freeze.c.datasource_id.is_(None), freeze.c.datasource_id == api_key.c.datasource_id),
        or_(freeze.c.generation.is_(None), freeze.c.generation == api_key.c.generation),
        api_key.c.created_at < freeze.c.issued_before,
    )


# The order is that of `key_facts`, before USER_COLUMNS.
KEY_COLUMNS: tuple[ColumnElement[Any], ...] = (
    api_key.c.id,
    api_key.c.digest,
    api_key.c.deleted_epoch,
    api_key.c.generation,
    api_key.c.imported_mac,
    exists(select(freeze.c.id).where(frozen_by()).correlate(api_key)).label("frozen"),
)


def key_facts(row: Sequence[Any]) -> KeyFacts:
    """From KEY_COLUMNS and USER_COLUMNS, plain from the driver."""
    return KeyFacts(
        key_id=row[0],
        digest=bytes(row[1] or b""),
        deleted=row[2] is not None,
        generation=row[3],
        imported_mac=bytes(row[4] or b""),
        frozen=bool(row[5]),
        owner=_owner_facts(row[len(KEY_COLUMNS) :]),
    )


def token_facts(row: Sequence[Any], user: Sequence[Any] | None) -> TokenFacts:
    """From a row of `Questions.token`, plain from the driver, and its user's USER_COLUMNS."""
    return TokenFacts(
        token_id=row[0],
        sign_in_generation=row[3],
        expires_at=_time(row[4]),
        ended=row[5] is not None,
        user=None if user is None else user_facts(user),
    )


def session_facts(row: Sequence[Any], user: Sequence[Any] | None) -> SessionFacts:
    """From a row of `Questions.session`, as `token_facts`."""
    return SessionFacts(
        session_id=row[0],
        sign_in_generation=row[3],
        seen_at=_time(row[6]),
        expires_at=_time(row[4]),
        ended=row[5] is not None,
        user=None if user is None else user_facts(user),
    )


def _time(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


KEY_ROW = (
    select(
        api_key,
        owner.c.code.label("owner_code"),
        owner.c.full_name.label("owner_full_name"),
        owner.c.active.label("owner_active"),
    )
    .join(
        owner,
        (owner.c.datasource_id == api_key.c.datasource_id) & (owner.c.id == api_key.c.owner_id),
    )
    .order_by(api_key.c.id)
)


def key_row(row: Any) -> KeyRow:  # noqa: ANN401 - a row of KEY_ROW
    return KeyRow(
        id=row.id,
        datasource_id=row.datasource_id,
        name=row.name,
        description=row.description,
        hint=f"{row.id}…{row.last4}",
        owner_id=row.owner_id,
        owner_code=row.owner_code,
        owner_full_name=row.owner_full_name,
        owner_active=row.owner_active,
        created_at=row.created_at,
        made_with=Credential(CredentialKind(row.made_with_kind), row.made_with_id),
        made_by=row.made_by,
        deleted_at=row.deleted_at,
        deleted_epoch=row.deleted_epoch,
        imported=row.imported_mac is not None,
        in_place_of=row.in_place_of,
    )
