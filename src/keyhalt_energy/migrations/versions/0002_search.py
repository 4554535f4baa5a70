"""Indexes that are searched by texts, and statistics that keep SQLite to the indexes.

SQLite plans by counts that ANALYZE takes of the rows that are there. A portfolio of one datasource
would teach it that `datasource_id` selects nothing, an empty one nothing at all. So it is told what
is typical, once and the same for all: its documentation names this way to stable plans ("Manual
Control Of Query Plans Using SQLITE_STAT Tables"). Each text is the rows of a table, then how many
are alike in one, two, ... columns of the index. `sz` makes the index in the order of ids the first
choice where no other helps. PostgreSQL keeps statistics of its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "energy_0002"
down_revision = "energy_0001"
branch_labels = None
depends_on = None

TYPICAL = {
    "account": {
        "ix_account_datasource_id_vendor_id": "90000 1000 1000",
        "ix_account_lower_code": "90000 1000 1",
        "ix_account_lower_info": "90000 1000 2",
        "sqlite_autoindex_account_1": "90000 1000 4 1",
        "sqlite_autoindex_account_2": "90000 1000 1",
    },
    "account_meter": {
        "ix_account_meter_datasource_id_meter_id": "100000 1000 1",
        "sqlite_autoindex_account_meter_1": "100000 1000 2 1 1",
        "sqlite_autoindex_account_meter_2": "100000 1000 1",
    },
    "batch": {
        "ix_batch_datasource_id_created_by_id_open": "1000 100 12 12",
        "sqlite_autoindex_batch_1": "1000 100 1",
    },
    "bill": {
        "ix_bill_datasource_id_account_id": "1000000 1000 13",
        "ix_bill_datasource_id_account_period": "1000000 1000 1000",
        "ix_bill_datasource_id_batch_id": "1000000 1000 1000",
        "ix_bill_datasource_id_billing_period": "1000000 1000 1000",
        "ix_bill_datasource_id_created_at": "1000000 1000 126",
        "ix_bill_datasource_id_modified_at": "1000000 1000 126",
        "ix_bill_lower_control_code": "1000000 1000 2 1",
        "ix_bill_lower_created_by_code": "1000000 1000 500 13",
        "ix_bill_lower_invoice_number": "1000000 1000 2 1",
        "ix_bill_lower_modified_by_code": "1000000 1000 500 13",
        "sqlite_autoindex_bill_1": "1000000 1000 1 sz=4",
    },
    "bill_line": {
        "ix_bill_line_datasource_id_bill_id": "3000000 1000 3",
        "ix_bill_line_datasource_id_meter_id": "3000000 1000 1000",
        "sqlite_autoindex_bill_line_1": "3000000 1000 1",
    },
    "cost_center": {
        "ix_cost_center_lower_code": "20000 1000 1",
        "sqlite_autoindex_cost_center_1": "20000 1000 1",
        "sqlite_autoindex_cost_center_2": "20000 1000 334 1",
    },
    "cost_center_above": {
        "cost_center_above": "68000 1000 3 1",
        "ix_cost_center_above_datasource_id_above_id_node_id": "68000 1000 50 1",
    },
    "meter": {
        "ix_meter_lower_code": "100000 1000 1",
        "ix_meter_lower_info": "100000 1000 2",
        "sqlite_autoindex_meter_1": "100000 1000 1",
        "sqlite_autoindex_meter_2": "100000 1000 5 1",
    },
    "place": {
        "ix_place_lower_code": "20000 1000 1",
        "sqlite_autoindex_place_1": "20000 1000 1",
        "sqlite_autoindex_place_2": "20000 1000 334 1",
    },
    "place_above": {
        "ix_place_above_datasource_id_above_id_node_id": "68000 1000 50 1",
        "place_above": "68000 1000 3 1",
    },
    "vendor": {
        "sqlite_autoindex_vendor_1": "1000 100 1",
        "sqlite_autoindex_vendor_2": "1000 100 1",
    },
}


def upgrade() -> None:
    for table in ("account", "meter"):
        op.create_index(f"ix_{table}_lower_info", table, ["datasource_id", sa.text("lower(info)")])
    op.drop_index("ix_bill_lower_invoice_number", "bill")
    for name in ("invoice_number", "control_code", "created_by_code", "modified_by_code"):
        op.create_index(
            f"ix_bill_lower_{name}",
            "bill",
            ["datasource_id", sa.text(f"lower({name})"), "account_id"],
        )
    if op.get_bind().dialect.name == "sqlite":
        _tell_sqlite()


def _tell_sqlite() -> None:
    op.execute("ANALYZE alembic_version")  # the table of statistics is made by this word only
    op.execute("DELETE FROM sqlite_stat1")
    row = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)")
    for table, indexes in TYPICAL.items():
        for index, stat in indexes.items():
            op.execute(row.bindparams(tbl=table, idx=index, stat=stat))
    op.execute("ANALYZE sqlite_master")  # reads them again, and counts nothing
