"""Groups of users in the store of rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, select, update

from keyhalt.core.filters import Field, FieldType
from keyhalt.core.names import fold
from keyhalt.storage.keys import condition_of
from keyhalt.storage.rows import missing_of
from keyhalt.storage.schema import user_group, user_group_member
from keyhalt.usecases.people import GroupRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from keyhalt.core.filters import Condition
    from keyhalt.core.paging import Page
    from keyhalt.usecases.people import NewGroup

# The wire's names of what a list of groups can be filtered by (docs/wire.md).
GROUP_FIELDS = {
    "userGroupId": Field(FieldType.INTEGER, "user_group.id"),
    "userGroupName": Field(FieldType.STRING, "user_group.name"),
    "description": Field(FieldType.STRING, "user_group.description"),
}
_MEMBERS = (
    select(func.count())
    .where(
        user_group_member.c.datasource_id == user_group.c.datasource_id,
        user_group_member.c.group_id == user_group.c.id,
    )
    .scalar_subquery()
)
_GROUP = select(
    user_group.c.id, user_group.c.name, user_group.c.description, _MEMBERS.label("members")
).order_by(user_group.c.id)


class SqlGroups:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, datasource_id: int, group: NewGroup) -> int:
        row = insert(user_group).values(
            datasource_id=datasource_id,
            **_named(group.name, group.description),
            created_at=group.created_at,
        )
        return int(self._connection.execute(row.returning(user_group.c.id)).scalar_one())

    def get(self, datasource_id: int, group_id: int) -> GroupRow | None:
        query = _GROUP.where(_one(datasource_id, group_id))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _group_row(row)

    def page(
        self, datasource_id: int, where: Condition | None, page: Page | None
    ) -> tuple[Sequence[GroupRow], int]:
        chosen = user_group.c.datasource_id == datasource_id
        if where is not None:
            chosen = and_(chosen, condition_of(where))
        count = select(func.count()).select_from(user_group).where(chosen)
        total = int(self._connection.execute(count).scalar_one())
        query = _GROUP.where(chosen)
        if page is not None:
            query = query.limit(page.size).offset(page.offset)
        return [_group_row(row) for row in self._connection.execute(query)], total

    def edit(self, datasource_id: int, group_id: int, *, name: str, description: str) -> None:
        row = _one(datasource_id, group_id)
        values = _named(name, description)
        self._connection.execute(update(user_group).where(row).values(values))

    def delete(self, datasource_id: int, group_id: int) -> None:
        self._empty(datasource_id, user_group_member.c.group_id == group_id)
        self._connection.execute(delete(user_group).where(_one(datasource_id, group_id)))

    def members(self, datasource_id: int, group_id: int) -> Sequence[int]:
        query = select(user_group_member.c.user_id).where(
            user_group_member.c.datasource_id == datasource_id,
            user_group_member.c.group_id == group_id,
        )
        return list(self._connection.execute(query.order_by("user_id")).scalars())

    def set_members(self, datasource_id: int, group_id: int, user_ids: Sequence[int]) -> None:
        self._empty(datasource_id, user_group_member.c.group_id == group_id)
        self._join(datasource_id, [(group_id, user_id) for user_id in dict.fromkeys(user_ids)])

    def set_groups_of(self, datasource_id: int, user_id: int, group_ids: Sequence[int]) -> None:
        self._empty(datasource_id, user_group_member.c.user_id == user_id)
        self._join(datasource_id, [(group_id, user_id) for group_id in dict.fromkeys(group_ids)])

    def missing(self, datasource_id: int, group_ids: Sequence[int]) -> Sequence[int]:
        return missing_of(self._connection, user_group, datasource_id, group_ids)

    def _empty(self, datasource_id: int, which: ColumnElement[bool]) -> None:
        rows = and_(user_group_member.c.datasource_id == datasource_id, which)
        self._connection.execute(delete(user_group_member).where(rows))

    def _join(self, datasource_id: int, pairs: Sequence[tuple[int, int]]) -> None:
        rows = [
            {"datasource_id": datasource_id, "group_id": group_id, "user_id": user_id}
            for group_id, user_id in pairs
        ]
        if rows:
            self._connection.execute(insert(user_group_member), rows)


def _named(name: str, description: str) -> dict[str, str]:
    return {"name": name, "name_folded": fold(name), "description": description}


def _one(datasource_id: int, group_id: int) -> ColumnElement[bool]:
    return and_(user_group.c.datasource_id == datasource_id, user_group.c.id == group_id)


def _group_row(row: Any) -> GroupRow:  # noqa: ANN401 - a row of _GROUP
    return GroupRow(row.id, row.name, row.description, row.members)
