"""What a statement finds, as plain facts by label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, Select

Row: TypeAlias = Mapping[str, Any]


def rows_of(connection: Connection, statement: Select[Any]) -> list[Row]:
    return [row._asdict() for row in connection.execute(statement)]


def sorted_by(column: Column[int]) -> ColumnElement[int]:
    """To order a few rows by. Of the bare column SQLite would rather walk the whole table."""
    return column + 0
