"""Roles in the store of rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, select, update

from keyhalt.core.names import fold
from keyhalt.core.permissions import PermissionSet
from keyhalt.storage.schema import role, user, user_topmost
from keyhalt.usecases.rows import RoleRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

_USERS = (
    select(func.count())
    .where(user.c.datasource_id == role.c.datasource_id, user.c.role_id == role.c.id)
    .scalar_subquery()
)
_ROLE = select(role, _USERS.label("users")).order_by(role.c.id)


class SqlRoles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, datasource_id: int, new: RoleRow) -> int:
        row = insert(role).values(
            datasource_id=datasource_id,
            name=new.name,
            name_folded=fold(new.name),
            description=new.description,
            permissions=new.permissions,
            read_only=new.read_only,
            hidden=new.hidden,
        )
        return int(self._connection.execute(row.returning(role.c.id)).scalar_one())

    def get(self, datasource_id: int, role_id: int) -> RoleRow | None:
        return self._one_where(datasource_id, role.c.id == role_id)

    def find(self, datasource_id: int, name: str) -> RoleRow | None:
        return self._one_where(datasource_id, role.c.name_folded == fold(name))

    def list(self, datasource_id: int) -> Sequence[RoleRow]:
        query = _ROLE.where(role.c.datasource_id == datasource_id)
        return [_role_row(row) for row in self._connection.execute(query)]

    def edit(self, datasource_id: int, changed: RoleRow) -> None:
        values = {
            "name": changed.name,
            "name_folded": fold(changed.name),
            "description": changed.description,
            "permissions": changed.permissions,
            "hidden": changed.hidden,
        }
        row = _one(datasource_id, changed.id)
        self._connection.execute(update(role).where(row).values(values))

    def delete(self, datasource_id: int, role_id: int) -> None:
        self._connection.execute(delete(role).where(_one(datasource_id, role_id)))

    def topmosts_of_holders(
        self, datasource_id: int, role_id: int
    ) -> Mapping[str, tuple[int, ...]]:
        same = (user_topmost.c.datasource_id == user.c.datasource_id) & (
            user_topmost.c.user_id == user.c.id
        )
        query = (
            select(user_topmost.c.hierarchy, user_topmost.c.node_id)
            .join(user, same)
            .where(user.c.datasource_id == datasource_id, user.c.role_id == role_id)
            .distinct()
        )
        nodes: dict[str, tuple[int, ...]] = {}
        for hierarchy, node_id in self._connection.execute(query):
            nodes[hierarchy] = (*nodes.get(hierarchy, ()), node_id)
        return nodes

    def _one_where(self, datasource_id: int, which: ColumnElement[bool]) -> RoleRow | None:
        query = _ROLE.where(role.c.datasource_id == datasource_id, which)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _role_row(row)


def _one(datasource_id: int, role_id: int) -> ColumnElement[bool]:
    return and_(role.c.datasource_id == datasource_id, role.c.id == role_id)


def _role_row(row: Any) -> RoleRow:  # noqa: ANN401 - a row of _ROLE
    return RoleRow(
        id=row.id,
        name=row.name,
        description=row.description,
        permissions=PermissionSet(row.permissions),
        read_only=row.read_only,
        hidden=row.hidden,
        users=row.users,
    )
