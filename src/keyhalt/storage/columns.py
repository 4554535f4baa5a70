"""Types of columns, alike on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Dialect, String, TypeDecorator
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


class Utc(TypeDecorator[datetime]):
    """An aware UTC time to the microsecond. On SQLite a text that sorts as time does."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        if value is None:
            return None
        at = value.astimezone(UTC)
        return at if dialect.name == "postgresql" else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        del dialect
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return None if value is None else datetime.fromisoformat(str(value))


class Bits(TypeDecorator[int]):
    """A permission set of any number of bits, as hexadecimal text."""

    impl = String(256)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else format(value, "x")

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        del dialect
        return None if value is None else int(value, 16)
