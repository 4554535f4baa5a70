"""What permissions a key used goes into the row of its last use, so that it is written with it.

`key_permission` stays for processes of the version before that run meanwhile, and is read no more:
a later file drops it. What they alone write there is counted again when it is used again.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "use_0007"
down_revision = "use_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    days = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("key_use", sa.Column("permission_days", days, nullable=True))
    gathered = (
        "jsonb_object_agg(p.bit, p.last_day)"
        if op.get_bind().dialect.name == "postgresql"
        else "json_group_object(p.bit, p.last_day)"
    )
    op.execute(
        f"UPDATE key_use SET permission_days = (SELECT {gathered} FROM key_permission AS p"  # noqa: S608
        " WHERE p.datasource_id = key_use.datasource_id AND p.key_id = key_use.key_id)"
        " WHERE EXISTS (SELECT 1 FROM key_permission AS p"
        " WHERE p.datasource_id = key_use.datasource_id AND p.key_id = key_use.key_id)"
    )
