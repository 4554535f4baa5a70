"""A process tells for how long it may answer without asking, so that changes wait for the longest.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0012"
down_revision = "rights_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verifier", sa.Column("lease_seconds", sa.Float(), nullable=True))
