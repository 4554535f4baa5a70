"""An index for pages of one datasource's audit log, in place of the one on the datasource alone.

Written once and never changed: later schemas are later files.
"""

from alembic import op

revision = "rights_0009"
down_revision = "rights_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_event_datasource_id_at"), "audit_event", ["datasource_id", "at"])
    op.drop_index(op.f("ix_audit_event_datasource_id"), table_name="audit_event")
