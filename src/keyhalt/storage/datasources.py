"""The environment and its datasources in the store of rights: the operator's view."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from keyhalt.core.names import fold
from keyhalt.storage.schema import auth_epoch, datasource, environment
from keyhalt.usecases.rows import DatasourcePolicy, DatasourceRow, EnvironmentRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection


class SqlDatasources:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def environment(self) -> EnvironmentRow | None:
        query = select(environment, auth_epoch.c.cluster).join(
            auth_epoch, auth_epoch.c.one == environment.c.one
        )
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        numbers = row.bit_numbers or {}
        return EnvironmentRow(row.name, row.product, row.profile, row.cluster, numbers)

    def add_environment(self, new: EnvironmentRow) -> None:
        self._connection.execute(
            insert(environment).values(
                one=True, name=new.name, product=new.product, profile=new.profile
            )
        )
        self._connection.execute(insert(auth_epoch).values(one=True, n=1, cluster=new.cluster))

    def set_bit_numbers(self, numbers: Mapping[str, int]) -> None:
        self._connection.execute(update(environment).values(bit_numbers=dict(numbers)))

    def add(self, name: str, at: datetime) -> int:
        row = insert(datasource).values(
            name=name, name_folded=fold(name), active=True, created_at=at
        )
        return int(self._connection.execute(row.returning(datasource.c.id)).scalar_one())

    def find(self, name: str) -> DatasourceRow | None:
        query = select(datasource).where(datasource.c.name_folded == fold(name))
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _datasource_row(row)

    def list(self) -> Sequence[DatasourceRow]:
        query = select(datasource).order_by(datasource.c.id)
        return [_datasource_row(row) for row in self._connection.execute(query)]

    def policy(self, datasource_id: int) -> DatasourcePolicy:
        query = select(datasource).where(datasource.c.id == datasource_id)
        return _datasource_row(self._connection.execute(query).one()).policy

    def set_policy(self, datasource_id: int, policy: DatasourcePolicy) -> None:
        row = update(datasource).where(datasource.c.id == datasource_id)
        self._connection.execute(row.values(asdict(policy)))

    def set_active(self, datasource_id: int, *, active: bool) -> None:
        row = datasource.c.id == datasource_id
        self._connection.execute(update(datasource).where(row).values(active=active))


def _datasource_row(row: Any) -> DatasourceRow:  # noqa: ANN401 - a row of `datasource`
    policy = DatasourcePolicy(row.password_length_min, row.keys_create_keys)
    return DatasourceRow(row.id, row.name, row.active, row.created_at, policy)
