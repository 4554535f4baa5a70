"""Users as they are administered: kinds, passwords' ages, groups, policies of a datasource.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "rights_0002"
down_revision = "rights_0001"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    for column in (
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="person"),
        sa.Column("password_expiration_interval", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("force_password_change", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("strong_password", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("password_changed_at", _UTC, nullable=True),
        sa.Column("max_approval_amount", sa.Integer(), nullable=True),
        sa.Column("preference", sa.JSON(), nullable=True),
    ):
        op.add_column("user", column)
    for column in (
        sa.Column("password_length_min", sa.Integer(), nullable=False, server_default="15"),
        sa.Column("keys_create_keys", sa.Boolean(), nullable=False, server_default=sa.true()),
    ):
        op.add_column("datasource", column)
    op.create_index(op.f("ix_user_datasource_id_full_name"), "user", ["datasource_id", "full_name"])
    op.create_index(op.f("ix_user_datasource_id_email"), "user", ["datasource_id", "email"])
    op.create_index(
        op.f("ix_api_key_datasource_id_made_with_kind_made_with_id"),
        "api_key",
        ["datasource_id", "made_with_kind", "made_with_id"],
    )
    op.create_table(
        "user_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id"], ["datasource.id"], name=op.f("fk_user_group_datasource_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_group")),
        sa.UniqueConstraint("datasource_id", "id", name=op.f("uq_user_group_datasource_id_id")),
        sa.UniqueConstraint(
            "datasource_id", "name_folded", name=op.f("uq_user_group_datasource_id_name_folded")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "user_group_member",
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["datasource_id", "group_id"],
            ["user_group.datasource_id", "user_group.id"],
            name=op.f("fk_user_group_member_datasource_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["datasource_id", "user_id"],
            ["user.datasource_id", "user.id"],
            name=op.f("fk_user_group_member_datasource_id_user_id"),
        ),
        sa.PrimaryKeyConstraint(
            "datasource_id", "group_id", "user_id", name=op.f("pk_user_group_member")
        ),
    )
    op.create_index(
        op.f("ix_user_group_member_datasource_id_user_id"),
        "user_group_member",
        ["datasource_id", "user_id"],
    )
