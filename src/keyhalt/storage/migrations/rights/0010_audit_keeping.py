"""What is personal in the audit log may be taken away, old rows let go; the rest still verifies.

Rows that are there keep the hashes that they have. Written once and never changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0010"
down_revision = "rights_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_event", sa.Column("salt", sa.LargeBinary(length=16), nullable=True))
    op.add_column("audit_event", sa.Column("commitment", sa.LargeBinary(length=32), nullable=True))
    op.create_table(
        "audit_checkpoint",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("line", sa.String(length=512), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_audit_checkpoint_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_checkpoint")),
    )
