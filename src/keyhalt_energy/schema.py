"""The tables. Every one has `datasource_id`, and every statement names it.

A tree is two tables: the nodes, each with its parent, and `…_above`, which has a row for each node
and each node above it, itself included (scope.py says what for; docs/energy.md has the figures).
Keys across tables hold the datasource too, so that no row can point into another one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """An aware UTC time to the microsecond. On SQLite a text that sorts as time does."""

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime] | TypeEngine[str]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> object:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        del dialect
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return None if value is None else datetime.fromisoformat(str(value))


def _table(name: str, *parts: Any) -> Table:  # noqa: ANN401 - columns and constraints
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("datasource_id", Integer, nullable=False),
        *parts,
        UniqueConstraint("datasource_id", "id"),
        # An id never comes back: a user's topmost must not point at a stranger's new node.
        sqlite_autoincrement=True,
    )


def _to(column: str, table: str, *, cascade: bool = False) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["datasource_id", column],
        [f"{table}.datasource_id", f"{table}.id"],
        ondelete="CASCADE" if cascade else None,
    )


def _attribution() -> list[Column[Any]]:
    """Who made it and who changed it last: id, code and name as they were at that moment."""
    return [
        column
        for verb in ("created", "modified")
        for column in (
            Column(f"{verb}_by_id", Integer, nullable=False),
            Column(f"{verb}_by_code", String(65), nullable=False),
            Column(f"{verb}_by_name", String(128), nullable=False),
            Column(f"{verb}_at", Utc, nullable=False),
        )
    ]


def _address() -> list[Column[Any]]:
    texts = {"line1": 100, "line2": 100, "line3": 100, "city": 100, "state": 100, "country": 64}
    return [
        Column("address_type_id", Integer),
        *(Column(name, String(length)) for name, length in texts.items()),
        Column("postal_code", String(32)),
        Column("latitude", Float),
        Column("longitude", Float),
    ]


def _node(name: str, info_length: int, *more: Any) -> Table:  # noqa: ANN401
    """A node of a tree. Codes are unique among siblings only: docs/energy.md says why."""
    return _table(
        name,
        Column("parent_id", Integer),
        Column("code", String(32), nullable=False),
        Column("info", String(info_length), nullable=False),
        *more,
        *_attribution(),
        _to("parent_id", name),
        UniqueConstraint("datasource_id", "parent_id", "code"),
        Index(f"ix_{name}_lower_code", "datasource_id", text("lower(code)")),
    )


def _above(name: str) -> Table:
    return Table(
        f"{name}_above",
        metadata,
        Column("datasource_id", Integer, primary_key=True, autoincrement=False),
        Column("node_id", Integer, primary_key=True, autoincrement=False),
        Column("above_id", Integer, primary_key=True, autoincrement=False),
        _to("node_id", name, cascade=True),
        _to("above_id", name, cascade=True),
        Index(None, "datasource_id", "above_id", "node_id"),
        sqlite_with_rowid=False,
    )


def _count(name: str) -> Column[int]:
    """How many there are at this node and below. Kept by tallies.py, for the totals of lists."""
    return Column(name, Integer, nullable=False, server_default="0")


place = _node(
    "place",
    50,
    Column("type_id", Integer, nullable=False),
    Column("primary_use_id", Integer),
    Column("build_date", Utc),
    Column("weather_station_code", String(32)),
    Column("description", Text, nullable=False, server_default=""),
    *_address(),
    _count("meters_below"),
)
place_above = _above("place")
cost_center = _node("cost_center", 32, _count("accounts_below"), _count("bills_below"))
cost_center_above = _above("cost_center")
collection = _node("collection", 50)
collection_above = _above("collection")

meter = _table(
    "meter",
    Column("code", String(32), nullable=False),
    Column("info", String(50), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("type_id", Integer, nullable=False),
    Column("commodity_id", Integer, nullable=False),
    Column("place_id", Integer, nullable=False),
    Column("bill_entry_note", String(64)),
    Column("include_in_energy_star", Boolean),
    Column("primary_use_id", Integer),
    Column("time_zone_id", Integer),
    Column("use_unit_id", Integer),
    Column("demand_unit_id", Integer),
    Column("serial_number", String(64)),
    Column("properties", JSON, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    *_address(),
    *_attribution(),
    _to("place_id", "place"),
    UniqueConstraint("datasource_id", "place_id", "code"),
    Index("ix_meter_lower_code", "datasource_id", text("lower(code)")),
    Index("ix_meter_lower_info", "datasource_id", text("lower(info)")),
)

vendor = _table(
    "vendor",
    Column("code", String(16), nullable=False),
    Column("info", String(50), nullable=False),
    Column("website", String(255)),
    Column("description", Text, nullable=False, server_default=""),
    *_address(),
    *_attribution(),
    UniqueConstraint("datasource_id", "code"),
)

account = _table(
    "account",
    Column("code", String(50), nullable=False),
    Column("info", String(50), nullable=False),
    Column("type_id", Integer, nullable=False),
    Column("cost_center_id", Integer, nullable=False),
    Column("vendor_id", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("accrual_enabled", Boolean),
    Column("deposit_paid", Utc),
    Column("deposit_return", Utc),
    Column("deposit_note", Text),
    Column("deposit_amount", Float),
    Column("memo", Text),
    Column("service_start", Utc),
    Column("service_end", Utc),
    Column("description", Text, nullable=False, server_default=""),
    *_address(),
    *_attribution(),
    _to("cost_center_id", "cost_center"),
    _to("vendor_id", "vendor"),
    UniqueConstraint("datasource_id", "cost_center_id", "code"),
    Index(None, "datasource_id", "vendor_id"),
    Index("ix_account_lower_code", "datasource_id", text("lower(code)")),
    Index("ix_account_lower_info", "datasource_id", text("lower(info)")),
)

account_meter = _table(
    "account_meter",
    Column("account_id", Integer, nullable=False),
    Column("meter_id", Integer, nullable=False),
    Column("rate_id", Integer),
    Column("begin_at", Utc, nullable=False),
    Column("end_at", Utc, nullable=False),
    Column("vendor_type_id", Integer),
    Column("general_ledger_id", Integer),
    Column("template_id", Integer),
    Column("deregulated", Boolean),
    *_attribution(),
    _to("account_id", "account", cascade=True),
    _to("meter_id", "meter", cascade=True),
    UniqueConstraint("datasource_id", "account_id", "meter_id", "begin_at"),
    Index(None, "datasource_id", "meter_id"),
)

batch = _table(
    "batch",
    Column("code", String(100), nullable=False),
    Column("open", Boolean, nullable=False),
    *_attribution(),
    Index(None, "datasource_id", "created_by_id", "open"),
)

bill = _table(
    "bill",
    Column("account_id", Integer, nullable=False),
    Column("batch_id", Integer, nullable=False),
    Column("begin_at", Utc, nullable=False),
    Column("end_at", Utc, nullable=False),
    Column("billing_period", Integer, nullable=False),
    Column("account_period", Integer, nullable=False),
    Column("total_cost", Float, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("manual_entry", Boolean, nullable=False),
    Column("statement_at", Utc),
    Column("due_at", Utc),
    Column("next_reading_at", Utc),
    Column("control_code", String(255)),
    Column("invoice_number", String(32)),
    Column("note", Text),
    Column("void", Boolean, nullable=False),
    *(
        column
        for verb in ("approved", "exported")
        for column in (
            Column(verb, Boolean, nullable=False),
            Column(f"{verb}_by_id", Integer),
            Column(f"{verb}_by_code", String(65)),
            Column(f"{verb}_by_name", String(128)),
            Column(f"{verb}_at", Utc),
        )
    ),
    *_attribution(),
    _to("account_id", "account"),
    _to("batch_id", "batch"),
    Index(None, "datasource_id", "account_id"),
    Index(None, "datasource_id", "batch_id"),
    Index(None, "datasource_id", "billing_period"),
    Index(None, "datasource_id", "account_period"),
    Index(None, "datasource_id", "created_at"),
    Index(None, "datasource_id", "modified_at"),
    *(
        Index(f"ix_bill_lower_{name}", "datasource_id", text(f"lower({name})"), "account_id")
        for name in ("invoice_number", "control_code", "created_by_code", "modified_by_code")
    ),
)

bill_line = _table(
    "bill_line",
    Column("bill_id", Integer, nullable=False),
    Column("meter_id", Integer),
    Column("observation_type_id", Integer, nullable=False),
    Column("caption", String(100), nullable=False),
    Column("value", Float),
    Column("value_unit_id", Integer),
    Column("cost", Float),
    Column("cost_unit_id", Integer),
    Column("special_charge_id", Integer),
    _to("bill_id", "bill", cascade=True),
    _to("meter_id", "meter"),
    Index(None, "datasource_id", "bill_id"),
    Index(None, "datasource_id", "meter_id"),
)

audit_setting = Table(
    "audit_setting",
    metadata,
    Column("datasource_id", Integer, primary_key=True, autoincrement=False),
    Column("code", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
    Column("modified_by_id", Integer, nullable=False),
    Column("modified_at", Utc, nullable=False),
)
