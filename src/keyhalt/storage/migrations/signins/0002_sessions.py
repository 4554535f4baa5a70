"""Sessions of the web pages, and what hands a new key over to the page that shows it.

Written once and never changed: later schemas are later files.
"""

import sqlalchemy as sa
from alembic import op

revision = "signins_0002"
down_revision = "signins_0001"
branch_labels = None
depends_on = None

_UTC = sa.String(length=27).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "web_session",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("sign_in_generation", sa.Integer(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("seen_at", _UTC, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_web_session_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_web_session_expires_at"), "web_session", ["expires_at"], unique=False)
    op.create_table(
        "key_pad",
        sa.Column("session_id", _BIG, nullable=False, autoincrement=False),
        sa.Column("key_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("datasource_id", sa.Integer(), nullable=False),
        sa.Column("pad", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "key_id", name=op.f("pk_key_pad")),
    )
    op.create_index(op.f("ix_key_pad_expires_at"), "key_pad", ["expires_at"], unique=False)
