"""By whom keys are used, which travelled in clear, and who still uses bearer tokens.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0006"
down_revision = "use_0005"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=False)


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False)


def upgrade() -> None:
    op.create_table(
        "key_caller",
        _number("datasource_id"),
        _number("key_id"),
        _number("week"),
        _text("network", 64),
        _text("agent", 32),
        _number("page"),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("bits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "datasource_id",
            "key_id",
            "week",
            "network",
            "agent",
            "page",
            name=op.f("pk_key_caller"),
        ),
    )
    op.create_index(op.f("ix_key_caller_week"), "key_caller", ["week"], unique=False)
    op.create_table(
        "key_exposed",
        _number("key_id"),
        _text("place", 16),
        sa.Column("first_at", _UTC, nullable=False),
        sa.Column("last_at", _UTC, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        _text("network", 64),
        sa.PrimaryKeyConstraint("key_id", "place", name=op.f("pk_key_exposed")),
    )
    op.create_table(
        "token_use",
        _number("datasource_id"),
        _number("user_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", _UTC, nullable=False),
        _text("network", 64),
        _text("agent", 32),
        _text("operation", 300),
        sa.PrimaryKeyConstraint("datasource_id", "user_id", "day", name=op.f("pk_token_use")),
    )
    op.create_index(op.f("ix_token_use_day"), "token_use", ["day"], unique=False)
