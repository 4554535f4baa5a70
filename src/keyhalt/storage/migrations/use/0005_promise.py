"""When each process last let a key through, and when changes had taken effect.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0005"
down_revision = "use_0004"
branch_labels = None
depends_on = None


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def upgrade() -> None:
    op.create_table(
        "key_allowed",
        _number("datasource_id"),
        _number("key_id"),
        sa.Column("process", sa.String(length=36), nullable=False),
        sa.Column("boot", sa.String(length=36), nullable=False),
        sa.Column("began", sa.Float(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "key_id", "process", name=op.f("pk_key_allowed")),
    )
    op.create_index(op.f("ix_key_allowed_day"), "key_allowed", ["day"], unique=False)
    op.create_index(
        op.f("ix_audit_denial_epoch"),
        "audit_denial",
        ["epoch"],
        unique=False,
        sqlite_where=sa.text("epoch IS NOT NULL"),
        postgresql_where=sa.text("epoch IS NOT NULL"),
    )
