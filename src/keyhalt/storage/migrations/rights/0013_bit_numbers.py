"""An environment remembers which bit number each permission has.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0013"
down_revision = "rights_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("environment", sa.Column("bit_numbers", sa.JSON(), nullable=True))
