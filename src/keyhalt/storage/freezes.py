"""Freezes in the store of rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, select, update

from keyhalt.storage.rows import frozen_by
from keyhalt.storage.schema import api_key, freeze
from keyhalt.usecases.rows import FreezeRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


class SqlFreezes:
    """The operator's, over all datasources."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, new: FreezeRow) -> int:
        row = insert(freeze).values(
            datasource_id=new.datasource_id,
            issued_before=new.issued_before,
            generation=new.generation,
            frozen_at=new.frozen_at,
        )
        return int(self._connection.execute(row.returning(freeze.c.id)).scalar_one())

    def get(self, freeze_id: int) -> FreezeRow | None:
        query = select(freeze).where(freeze.c.id == freeze_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _freeze_row(row)

    def end(self, freeze_id: int, at: datetime) -> None:
        row = and_(freeze.c.id == freeze_id, freeze.c.thawed_at.is_(None))
        self._connection.execute(update(freeze).where(row).values(thawed_at=at))

    def list(self) -> Sequence[FreezeRow]:
        rows = self._connection.execute(select(freeze).order_by(freeze.c.id))
        return [_freeze_row(row) for row in rows]

    def keys(self, row: FreezeRow) -> int:
        """How many keys that are not deleted it takes in."""
        living = api_key.c.deleted_at.is_(None)
        of = and_(living, freeze.c.id == row.id, frozen_by())
        query = select(func.count()).select_from(api_key.join(freeze, of))
        return int(self._connection.execute(query).scalar_one())


def _freeze_row(row: Any) -> FreezeRow:  # noqa: ANN401 - a row of `freeze`
    return FreezeRow(
        row.id,
        datasource_id=row.datasource_id,
        issued_before=row.issued_before,
        generation=row.generation,
        frozen_at=row.frozen_at,
        thawed_at=row.thawed_at,
    )
