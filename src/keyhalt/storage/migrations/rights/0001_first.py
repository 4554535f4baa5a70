"""The first schema of rights: environment, datasources, roles, users, keys, epoch, audit.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0001"
down_revision = None
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_event",
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"], unique=False)
    op.create_index(
        op.f("ix_audit_event_datasource_id"), "audit_event", ["datasource_id"], unique=False
    )
    op.create_index(op.f("ix_audit_event_request_id"), "audit_event", ["request_id"], unique=False)
    op.create_table(
        "auth_epoch",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.String(length=36), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_auth_epoch_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_auth_epoch")),
    )
    op.create_table(
        "datasource",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasource")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_datasource_name_folded")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "environment",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=32), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_environment_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_environment")),
    )
    op.create_table(
        "role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("permissions", sa.String(length=256), nullable=False),
        sa.Column("read_only", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id"], ["datasource.id"], name=op.f("fk_role_datasource_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_role_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id", "name_folded", name=op.f("uq_role_datasource_id_name_folded")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=65), nullable=False),
        sa.Column("code_folded", sa.String(length=200), nullable=False),
        sa.Column("full_name", sa.String(length=32), nullable=False),
        sa.Column("email", sa.String(length=128), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("sign_in_generation", sa.Integer(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "role_id"],
            ["role.datasource_id", "role.id"],
            name=op.f("fk_user_datasource_id_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id"], ["datasource.id"], name=op.f("fk_user_datasource_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint(
            "datasource_id", "code_folded", name=op.f("uq_user_datasource_id_code_folded")
        ),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_user_datasource_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_user_datasource_id_role_id"), "user", ["datasource_id", "role_id"], unique=False
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("description", sa.String(length=4000), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=True),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("imported_mac", sa.LargeBinary(length=32), nullable=True),
        sa.Column("made_with_kind", sa.String(length=16), nullable=False),
        sa.Column("made_with_id", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("deleted_at", _UTC, nullable=True),
        sa.Column("deleted_epoch", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["datasource_id", "owner_id"],
            ["user.datasource_id", "user.id"],
            name=op.f("fk_api_key_datasource_id_owner_id"),
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id"], ["datasource.id"], name=op.f("fk_api_key_datasource_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_api_key_datasource_id_owner_id"),
        "api_key",
        ["datasource_id", "owner_id"],
        unique=False,
    )
    op.create_table(
        "user_topmost",
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("hierarchy", sa.String(length=64), nullable=False),
        sa.Column("node_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "user_id"],
            ["user.datasource_id", "user.id"],
            name=op.f("fk_user_topmost_datasource_id_user_id"),
        ),
        sa.PrimaryKeyConstraint(
            "datasource_id", "user_id", "hierarchy", "node_id", name=op.f("pk_user_topmost")
        ),
    )
