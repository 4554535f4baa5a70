"""Users as they are administered: filtered, ordered, page by page.

A page is found by ids first, in an index where the order has one; what is shown is read for those
only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from keyhalt.core.filters import Field, FieldType
from keyhalt.storage.keys import condition_of, holds
from keyhalt.storage.rows import IDS_MAX, USER_COLUMNS, owner, user_facts, user_from
from keyhalt.storage.schema import role, user_group, user_group_member
from keyhalt.usecases.people import USER_ORDERS, UserDetails, UserRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Select

    from keyhalt.usecases.people import UserQuery

# The wire's names of what a list of users can be filtered by (docs/wire.md). A user of several
# groups passes by any of them.
_MEMBER = "user_group_member"
USER_FIELDS = {
    "active": Field(FieldType.BOOLEAN, "owner.active"),
    "email": Field(FieldType.STRING, "owner.email"),
    "fullName": Field(FieldType.STRING, "owner.full_name"),
    "systemUserCode": Field(FieldType.STRING, "owner.code"),
    "systemUserID": Field(FieldType.INTEGER, "owner.id"),
    "userGroupID": Field(FieldType.INTEGER, f"{_MEMBER}.group_id"),
}
_ORDERS = dict(
    zip(
        USER_ORDERS,
        (owner.c.id, owner.c.full_name, owner.c.code_folded, owner.c.email, role.c.name),
        strict=True,
    )
)
_DETAILS = (
    owner.c.code,
    owner.c.full_name,
    owner.c.email,
    owner.c.password_expiration_interval,
    owner.c.strong_password,
    owner.c.force_password_change,
    owner.c.max_approval_amount,
)
_ROW = select(*USER_COLUMNS, *(column.label(f"d_{column.name}") for column in _DETAILS))
_ROW = _ROW.select_from(user_from())


def row(connection: Connection, datasource_id: int, user_id: int) -> UserRow | None:
    found = _rows(connection, datasource_id, [user_id])
    return found[0] if found else None


def page(
    connection: Connection, datasource_id: int, query: UserQuery
) -> tuple[Sequence[UserRow], int]:
    """The users in their order, and how many pass."""
    ids = _passing(datasource_id, query)
    key = _ORDERS[query.order]
    if query.order == USER_ORDERS[-1]:
        same = (role.c.datasource_id == owner.c.datasource_id) & (role.c.id == owner.c.role_id)
        ids = ids.join(role, same)
    ids = ids.order_by(key.desc() if query.descending else key, owner.c.id)
    if query.page is None:
        wanted = list(connection.execute(ids).scalars())
        return _rows(connection, datasource_id, wanted), len(wanted)
    passing = _passing(datasource_id, query).subquery()
    total = int(connection.execute(select(func.count()).select_from(passing)).scalar_one())
    shown = ids.limit(query.page.size).offset(query.page.offset)
    wanted = list(connection.execute(shown).scalars())
    return _rows(connection, datasource_id, wanted), total


def _passing(datasource_id: int, query: UserQuery) -> Select[Any]:
    ids = select(owner.c.id).where(owner.c.datasource_id == datasource_id)
    if query.role_id is not None:
        ids = ids.where(owner.c.role_id == query.role_id)
    if query.active is not None:
        ids = ids.where(owner.c.active == query.active)
    if query.text:
        ids = ids.where(holds(query.text, owner.c.full_name, owner.c.code, owner.c.email))
    where = query.where
    if where is None:
        return ids
    if _MEMBER not in where.sql:
        return ids.where(condition_of(where))
    same = and_(
        user_group_member.c.datasource_id == owner.c.datasource_id,
        user_group_member.c.user_id == owner.c.id,
    )
    members = (
        select(owner.c.id)
        .join(user_group_member, same, isouter=True)
        .where(owner.c.datasource_id == datasource_id, condition_of(where))
    )
    return ids.where(owner.c.id.in_(members.correlate(None)))


def _rows(connection: Connection, datasource_id: int, ids: Sequence[int]) -> list[UserRow]:
    """The users with these ids, in this order."""
    found: dict[int, Any] = {}
    groups: dict[int, list[tuple[int, str]]] = {}
    for start in range(0, len(ids), IDS_MAX):
        some = ids[start : start + IDS_MAX]
        query = _ROW.where(owner.c.datasource_id == datasource_id, owner.c.id.in_(some))
        found |= {each.id: each for each in connection.execute(query)}
        for user_id, group_id, name in connection.execute(_groups_of(datasource_id, some)):
            groups.setdefault(user_id, []).append((group_id, name))
    return [_user_row(found[each], groups) for each in ids if each in found]


def _groups_of(datasource_id: int, user_ids: Sequence[int]) -> Select[Any]:
    same = and_(
        user_group.c.datasource_id == user_group_member.c.datasource_id,
        user_group.c.id == user_group_member.c.group_id,
    )
    return (
        select(user_group_member.c.user_id, user_group.c.id, user_group.c.name)
        .join(user_group, same)
        .where(
            user_group_member.c.datasource_id == datasource_id,
            user_group_member.c.user_id.in_(user_ids),
        )
        .order_by(user_group.c.id)
    )


def _user_row(row: Any, groups: Mapping[int, list[tuple[int, str]]]) -> UserRow:  # noqa: ANN401
    details = UserDetails(*row[len(USER_COLUMNS) :])
    return UserRow(user_facts(row), details, tuple(groups.get(row.id, ())))
