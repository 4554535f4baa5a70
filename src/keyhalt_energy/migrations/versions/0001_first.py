"""The first schema of energy.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "energy_0001"
down_revision = None
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_setting",
        sa.Column("datasource_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "code", name=op.f("pk_audit_setting")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_batch_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_batch_datasource_id_created_by_id_open"),
        "batch",
        ["datasource_id", "created_by_id", "open"],
        unique=False,
    )
    op.create_table(
        "collection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("info", sa.String(length=50), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "parent_id"],
            ["collection.datasource_id", "collection.id"],
            name=op.f("fk_collection_datasource_id_parent_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_collection_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id",
            "parent_id",
            "code",
            name=op.f("uq_collection_datasource_id_parent_id_code"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cost_center",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("info", sa.String(length=32), nullable=False),
        sa.Column("accounts_below", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bills_below", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "parent_id"],
            ["cost_center.datasource_id", "cost_center.id"],
            name=op.f("fk_cost_center_datasource_id_parent_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_center")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_cost_center_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id",
            "parent_id",
            "code",
            name=op.f("uq_cost_center_datasource_id_parent_id_code"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("info", sa.String(length=50), nullable=False),
        sa.Column("type_id", sa.Integer(), nullable=False),
        sa.Column("primary_use_id", sa.Integer(), nullable=True),
        sa.Column("build_date", _UTC, nullable=True),
        sa.Column("weather_station_code", sa.String(length=32), nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("address_type_id", sa.Integer(), nullable=True),
        sa.Column("line1", sa.String(length=100), nullable=True),
        sa.Column("line2", sa.String(length=100), nullable=True),
        sa.Column("line3", sa.String(length=100), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=True),
        sa.Column("postal_code", sa.String(length=32), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("meters_below", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "parent_id"],
            ["place.datasource_id", "place.id"],
            name=op.f("fk_place_datasource_id_parent_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_place_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id", "parent_id", "code", name=op.f("uq_place_datasource_id_parent_id_code")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vendor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("info", sa.String(length=50), nullable=False),
        sa.Column("website", sa.String(length=255), nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("address_type_id", sa.Integer(), nullable=True),
        sa.Column("line1", sa.String(length=100), nullable=True),
        sa.Column("line2", sa.String(length=100), nullable=True),
        sa.Column("line3", sa.String(length=100), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=True),
        sa.Column("postal_code", sa.String(length=32), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor")),
        sa.UniqueConstraint("datasource_id", "code", name=op.f("uq_vendor_datasource_id_code")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_vendor_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=50), nullable=False),
        sa.Column("info", sa.String(length=50), nullable=False),
        sa.Column("type_id", sa.Integer(), nullable=False),
        sa.Column("cost_center_id", sa.Integer(), nullable=False),
        sa.Column("vendor_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("accrual_enabled", sa.Boolean(), nullable=True),
        sa.Column("deposit_paid", _UTC, nullable=True),
        sa.Column("deposit_return", _UTC, nullable=True),
        sa.Column("deposit_note", sa.Text(), nullable=True),
        sa.Column("deposit_amount", sa.Float(), nullable=True),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("service_start", _UTC, nullable=True),
        sa.Column("service_end", _UTC, nullable=True),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("address_type_id", sa.Integer(), nullable=True),
        sa.Column("line1", sa.String(length=100), nullable=True),
        sa.Column("line2", sa.String(length=100), nullable=True),
        sa.Column("line3", sa.String(length=100), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=True),
        sa.Column("postal_code", sa.String(length=32), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "cost_center_id"],
            ["cost_center.datasource_id", "cost_center.id"],
            name=op.f("fk_account_datasource_id_cost_center_id"),
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "vendor_id"],
            ["vendor.datasource_id", "vendor.id"],
            name=op.f("fk_account_datasource_id_vendor_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint(
            "datasource_id",
            "cost_center_id",
            "code",
            name=op.f("uq_account_datasource_id_cost_center_id_code"),
        ),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_account_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_account_datasource_id_vendor_id"),
        "account",
        ["datasource_id", "vendor_id"],
        unique=False,
    )
    op.create_table(
        "collection_above",
        sa.Column("datasource_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("above_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "above_id"],
            ["collection.datasource_id", "collection.id"],
            name=op.f("fk_collection_above_datasource_id_above_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "node_id"],
            ["collection.datasource_id", "collection.id"],
            name=op.f("fk_collection_above_datasource_id_node_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "datasource_id", "node_id", "above_id", name=op.f("pk_collection_above")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_collection_above_datasource_id_above_id_node_id"),
        "collection_above",
        ["datasource_id", "above_id", "node_id"],
        unique=False,
    )
    op.create_table(
        "cost_center_above",
        sa.Column("datasource_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("above_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "above_id"],
            ["cost_center.datasource_id", "cost_center.id"],
            name=op.f("fk_cost_center_above_datasource_id_above_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "node_id"],
            ["cost_center.datasource_id", "cost_center.id"],
            name=op.f("fk_cost_center_above_datasource_id_node_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "datasource_id", "node_id", "above_id", name=op.f("pk_cost_center_above")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_cost_center_above_datasource_id_above_id_node_id"),
        "cost_center_above",
        ["datasource_id", "above_id", "node_id"],
        unique=False,
    )
    op.create_table(
        "meter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("info", sa.String(length=50), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("type_id", sa.Integer(), nullable=False),
        sa.Column("commodity_id", sa.Integer(), nullable=False),
        sa.Column("place_id", sa.Integer(), nullable=False),
        sa.Column("bill_entry_note", sa.String(length=64), nullable=True),
        sa.Column("include_in_energy_star", sa.Boolean(), nullable=True),
        sa.Column("primary_use_id", sa.Integer(), nullable=True),
        sa.Column("time_zone_id", sa.Integer(), nullable=True),
        sa.Column("use_unit_id", sa.Integer(), nullable=True),
        sa.Column("demand_unit_id", sa.Integer(), nullable=True),
        sa.Column("serial_number", sa.String(length=64), nullable=True),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("address_type_id", sa.Integer(), nullable=True),
        sa.Column("line1", sa.String(length=100), nullable=True),
        sa.Column("line2", sa.String(length=100), nullable=True),
        sa.Column("line3", sa.String(length=100), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=100), nullable=True),
        sa.Column("country", sa.String(length=64), nullable=True),
        sa.Column("postal_code", sa.String(length=32), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "place_id"],
            ["place.datasource_id", "place.id"],
            name=op.f("fk_meter_datasource_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_meter_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id", "place_id", "code", name=op.f("uq_meter_datasource_id_place_id_code")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "place_above",
        sa.Column("datasource_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("above_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "above_id"],
            ["place.datasource_id", "place.id"],
            name=op.f("fk_place_above_datasource_id_above_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "node_id"],
            ["place.datasource_id", "place.id"],
            name=op.f("fk_place_above_datasource_id_node_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "datasource_id", "node_id", "above_id", name=op.f("pk_place_above")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_place_above_datasource_id_above_id_node_id"),
        "place_above",
        ["datasource_id", "above_id", "node_id"],
        unique=False,
    )
    op.create_table(
        "account_meter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=False),
        sa.Column("rate_id", sa.Integer(), nullable=True),
        sa.Column("begin_at", _UTC, nullable=False),
        sa.Column("end_at", _UTC, nullable=False),
        sa.Column("vendor_type_id", sa.Integer(), nullable=True),
        sa.Column("general_ledger_id", sa.Integer(), nullable=True),
        sa.Column("template_id", sa.Integer(), nullable=True),
        sa.Column("deregulated", sa.Boolean(), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "account_id"],
            ["account.datasource_id", "account.id"],
            name=op.f("fk_account_meter_datasource_id_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "meter_id"],
            ["meter.datasource_id", "meter.id"],
            name=op.f("fk_account_meter_datasource_id_meter_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_meter")),
        sa.UniqueConstraint(
            "datasource_id",
            "account_id",
            "meter_id",
            "begin_at",
            name=op.f("uq_account_meter_datasource_id_account_id_meter_id_begin_at"),
        ),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_account_meter_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_account_meter_datasource_id_meter_id"),
        "account_meter",
        ["datasource_id", "meter_id"],
        unique=False,
    )
    op.create_table(
        "bill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("begin_at", _UTC, nullable=False),
        sa.Column("end_at", _UTC, nullable=False),
        sa.Column("billing_period", sa.Integer(), nullable=False),
        sa.Column("account_period", sa.Integer(), nullable=False),
        sa.Column("total_cost", sa.Float(), nullable=False),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.Column("manual_entry", sa.Boolean(), nullable=False),
        sa.Column("statement_at", _UTC, nullable=True),
        sa.Column("due_at", _UTC, nullable=True),
        sa.Column("next_reading_at", _UTC, nullable=True),
        sa.Column("control_code", sa.String(length=255), nullable=True),
        sa.Column("invoice_number", sa.String(length=32), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("approved_by_id", sa.Integer(), nullable=True),
        sa.Column("approved_by_code", sa.String(length=65), nullable=True),
        sa.Column("approved_by_name", sa.String(length=128), nullable=True),
        sa.Column("approved_at", _UTC, nullable=True),
        sa.Column("exported", sa.Boolean(), nullable=False),
        sa.Column("exported_by_id", sa.Integer(), nullable=True),
        sa.Column("exported_by_code", sa.String(length=65), nullable=True),
        sa.Column("exported_by_name", sa.String(length=128), nullable=True),
        sa.Column("exported_at", _UTC, nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("created_by_code", sa.String(length=65), nullable=False),
        sa.Column("created_by_name", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("modified_by_id", sa.Integer(), nullable=False),
        sa.Column("modified_by_code", sa.String(length=65), nullable=False),
        sa.Column("modified_by_name", sa.String(length=128), nullable=False),
        sa.Column("modified_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "account_id"],
            ["account.datasource_id", "account.id"],
            name=op.f("fk_bill_datasource_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "batch_id"],
            ["batch.datasource_id", "batch.id"],
            name=op.f("fk_bill_datasource_id_batch_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_bill_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_bill_datasource_id_account_id"),
        "bill",
        ["datasource_id", "account_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bill_datasource_id_account_period"),
        "bill",
        ["datasource_id", "account_period"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bill_datasource_id_batch_id"), "bill", ["datasource_id", "batch_id"], unique=False
    )
    op.create_index(
        op.f("ix_bill_datasource_id_billing_period"),
        "bill",
        ["datasource_id", "billing_period"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bill_datasource_id_created_at"),
        "bill",
        ["datasource_id", "created_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bill_datasource_id_modified_at"),
        "bill",
        ["datasource_id", "modified_at"],
        unique=False,
    )
    op.create_table(
        "bill_line",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("bill_id", sa.Integer(), nullable=False),
        sa.Column("meter_id", sa.Integer(), nullable=True),
        sa.Column("observation_type_id", sa.Integer(), nullable=False),
        sa.Column("caption", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("value_unit_id", sa.Integer(), nullable=True),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("cost_unit_id", sa.Integer(), nullable=True),
        sa.Column("special_charge_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["datasource_id", "bill_id"],
            ["bill.datasource_id", "bill.id"],
            name=op.f("fk_bill_line_datasource_id_bill_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "meter_id"],
            ["meter.datasource_id", "meter.id"],
            name=op.f("fk_bill_line_datasource_id_meter_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_line")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_bill_line_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_bill_line_datasource_id_bill_id"),
        "bill_line",
        ["datasource_id", "bill_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_bill_line_datasource_id_meter_id"),
        "bill_line",
        ["datasource_id", "meter_id"],
        unique=False,
    )
    op.create_index(
        "ix_collection_lower_code", "collection", ["datasource_id", sa.text("lower(code)")]
    )
    op.create_index(
        "ix_cost_center_lower_code", "cost_center", ["datasource_id", sa.text("lower(code)")]
    )
    op.create_index("ix_place_lower_code", "place", ["datasource_id", sa.text("lower(code)")])
    op.create_index("ix_account_lower_code", "account", ["datasource_id", sa.text("lower(code)")])
    op.create_index("ix_meter_lower_code", "meter", ["datasource_id", sa.text("lower(code)")])
    op.create_index(
        "ix_bill_lower_invoice_number", "bill", ["datasource_id", sa.text("lower(invoice_number)")]
    )
