"""Policies in the store of rights: versions that are only added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from keyhalt.storage.schema import policy
from keyhalt.usecases.rows import PolicyRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class SqlPolicies:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: PolicyRow) -> None:
        self._connection.execute(
            insert(policy).values(
                name=new.name,
                version=new.version,
                text=new.text,
                created_at=new.created_at,
                made_by=new.made_by,
            )
        )

    def get(self, name: str, version: int | None = None) -> PolicyRow | None:
        query = select(policy).where(policy.c.name == name)
        if version is not None:
            query = query.where(policy.c.version == version)
        query = query.order_by(policy.c.version.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _policy_row(row)

    def newest(self) -> Sequence[PolicyRow]:
        newest = select(policy.c.name, func.max(policy.c.version).label("version"))
        last = newest.group_by(policy.c.name).subquery()
        same = (last.c.name == policy.c.name) & (last.c.version == policy.c.version)
        query = select(policy).join(last, same).order_by(policy.c.name)
        return [_policy_row(row) for row in self._connection.execute(query)]


def _policy_row(row: Any) -> PolicyRow:  # noqa: ANN401 - a row of `policy`
    return PolicyRow(row.name, row.version, row.text, row.created_at, row.made_by)
