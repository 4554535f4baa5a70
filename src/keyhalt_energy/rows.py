"""What a statement finds, as plain facts by label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

Row: TypeAlias = Mapping[str, Any]


def rows_of(connection: Connection, statement: Select[Any]) -> list[Row]:
    return [row._asdict() for row in connection.execute(statement)]
