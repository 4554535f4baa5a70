"""What keys do: last use, counts by day and by hour, the permissions really used.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0002"
down_revision = "use_0001"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def upgrade() -> None:
    op.create_table(
        "key_use",
        _number("datasource_id"),
        _number("key_id"),
        sa.Column("last_used_at", _UTC, nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=32), nullable=False),
        sa.Column("operation", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "key_id", name=op.f("pk_key_use")),
    )
    op.create_table(
        "key_day",
        _number("datasource_id"),
        _number("key_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "datasource_id", "key_id", "day", "outcome", name=op.f("pk_key_day")
        ),
    )
    op.create_index(op.f("ix_key_day_day"), "key_day", ["day"], unique=False)
    op.create_table(
        "key_hour",
        _number("datasource_id"),
        _number("key_id"),
        _number("place"),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), nullable=False),
        sa.Column("denied", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "key_id", "place", name=op.f("pk_key_hour")),
    )
    op.create_table(
        "key_permission",
        _number("datasource_id"),
        _number("key_id"),
        _number("bit"),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "key_id", "bit", name=op.f("pk_key_permission")),
    )
