"""How long verifications take, added up for whoever watches.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0008"
down_revision = "use_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verification_time",
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("upto_us", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("happened", sa.BigInteger(), nullable=False),
        sa.Column("spent_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "upto_us", name=op.f("pk_verification_time")),
    )
