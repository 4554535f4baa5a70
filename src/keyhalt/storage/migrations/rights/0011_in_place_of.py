"""A key may be made in the place of another.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0011"
down_revision = "rights_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_key", sa.Column("in_place_of", sa.Integer(), nullable=True))
