"""What the barrier needs: whom each epoch concerned, and who may hold a lease."""

import sqlalchemy as sa
from alembic import op

revision = "rights_0005"
down_revision = "rights_0002"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "epoch_log",
        sa.Column("epoch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subjects", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_epoch_log")),
    )
    op.create_table(
        "verifier",
        sa.Column("process", sa.String(length=36), nullable=False),
        sa.Column("incarnation", sa.String(length=36), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("process", "incarnation", name=op.f("pk_verifier")),
    )
