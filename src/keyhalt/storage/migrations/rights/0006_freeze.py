"""Whole sets of keys that are stopped, and may be thawed."""

import sqlalchemy as sa
from alembic import op

revision = "rights_0006"
down_revision = "rights_0005"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "freeze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=True),
        sa.Column("issued_before", _UTC, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("frozen_at", _UTC, nullable=False),
        sa.Column("thawed_at", _UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["datasource_id"], ["datasource.id"], name=op.f("fk_freeze_datasource_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze")),
        sqlite_autoincrement=True,
    )
