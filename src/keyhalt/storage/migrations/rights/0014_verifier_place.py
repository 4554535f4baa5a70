"""A process tells where it runs, so that a change can say whom it waited for.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0014"
down_revision = "rights_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verifier", sa.Column("host", sa.String(255), nullable=True))
    op.add_column("verifier", sa.Column("pid", sa.Integer(), nullable=True))
