"""Types of columns, alike on both databases; what several tables have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import JSON, BigInteger, Column, Dialect, Integer, String, TypeDecorator
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


_ENDS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def utc_of(at: datetime) -> datetime:
    """A time that another zone has and UTC has not, at either end of all years, is that end."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return _ENDS[at.year > 1]


def text_of(at: datetime) -> str:
    """As SQLite stores a time."""
    return f"{utc_of(at).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


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
        return utc_of(value) if dialect.name == "postgresql" else text_of(value)

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


NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def event_columns() -> list[Column[object]]:
    """Of the audit log, in whichever store."""
    return [
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("at", Utc, nullable=False, index=True),
        Column("event", String(64), nullable=False),
        Column("outcome", String(16), nullable=False),
        Column("reason", String(64), nullable=False),
        Column("actor", String(128), nullable=False),
        Column("user_id", Integer),
        Column("credential_kind", String(16)),
        Column("credential_id", Integer),
        Column("datasource_id", Integer),
        Column("object_type", String(32), nullable=False),
        Column("object_id", Integer),
        Column("request_id", String(128), nullable=False, index=True),
        Column("source", String(64), nullable=False),
        Column("operation", String(300), nullable=False),
        Column("details", JSON, nullable=False),
        Column("epoch", BigInteger),
    ]
