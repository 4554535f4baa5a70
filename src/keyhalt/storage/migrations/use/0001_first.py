"""The first schema of use: audit of denials and sign-ins, sign-in throttle.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "use_0001"
down_revision = None
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_denial",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", _UTC, nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("credential_kind", sa.String(length=16), nullable=True),
        sa.Column("credential_id", sa.Integer(), nullable=True),
        sa.Column("datasource_id", sa.Integer(), nullable=True),
        sa.Column("object_type", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.Integer(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.String(length=300), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_denial")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_denial_at"), "audit_denial", ["at"], unique=False)
    op.create_index(
        op.f("ix_audit_denial_datasource_id"), "audit_denial", ["datasource_id"], unique=False
    )
    op.create_index(
        op.f("ix_audit_denial_request_id"), "audit_denial", ["request_id"], unique=False
    )
    op.create_table(
        "sign_in_bucket",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("full_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sign_in_bucket")),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("last_try", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_sign_in_failures")),
    )
    op.create_table(
        "sign_in_source",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("last_success", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "source", name=op.f("pk_sign_in_source")),
    )
