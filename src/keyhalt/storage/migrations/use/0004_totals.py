"""Totals for whoever watches: of denials and sign-ins, and of what keys were allowed.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0004"
down_revision = "use_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_total",
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("happened", sa.BigInteger(), nullable=False),
        sa.Column("waited_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event", "outcome", "reason", name=op.f("pk_event_total")),
    )
    op.create_table(
        "allowed_total",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("before", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_allowed_total_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_allowed_total")),
    )
    op.execute(
        "INSERT INTO event_total (event, outcome, reason, happened, waited_ms)"
        " SELECT event, outcome, reason, SUM(count), 0 FROM audit_denial"
        " GROUP BY event, outcome, reason"
    )
    op.execute("INSERT INTO allowed_total (one, before, requests) VALUES (TRUE, '1970-01-01', 0)")
