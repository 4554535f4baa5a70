"""When each user signed in last: also of before, as far as tokens and sessions tell.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "signins_0003"
down_revision = "signins_0002"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "last_sign_in",
        sa.Column("datasource_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("datasource_id", "user_id", name=op.f("pk_last_sign_in")),
    )
    op.execute(
        "INSERT INTO last_sign_in (datasource_id, user_id, at)"
        " SELECT datasource_id, user_id, max(created_at) FROM ("
        "SELECT datasource_id, user_id, created_at FROM bearer_token"
        " UNION ALL SELECT datasource_id, user_id, created_at FROM web_session"
        ") AS opened GROUP BY datasource_id, user_id"
    )
