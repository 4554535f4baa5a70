"""The tables, in three stores: Rights, Sign-ins and, in schema_use.py, Use (docs/storage.md).

Rights is small and guarded: every commit to it costs every verifier a look. What changes often
lives in the others. A table with `datasource_id` is read and changed with it, always.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from keyhalt.storage.columns import NAMES, Bits, Utc, event_columns
from keyhalt.storage.schema_use import USE

__all__ = ["RIGHTS", "SIGN_INS", "USE"]

RIGHTS = MetaData(naming_convention=NAMES)
SIGN_INS = MetaData(naming_convention=NAMES)

# ------------------------------------------------------------------ rights

environment = Table(
    "environment",
    RIGHTS,
    Column("one", Boolean, CheckConstraint("one", name="one_row"), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("product", String(32), nullable=False),
    Column("profile", String(64), nullable=False),
    # `meters.view` and so on to its bit, for every name that ever was. None before it was opened.
    Column("bit_numbers", JSON),
)

auth_epoch = Table(
    "auth_epoch",
    RIGHTS,
    Column("one", Boolean, CheckConstraint("one", name="one_row"), primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("cluster", String(36), nullable=False),
)

datasource = Table(
    "datasource",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("name_folded", String(200), nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("password_length_min", Integer, nullable=False, default=15),
    Column("keys_create_keys", Boolean, nullable=False, default=True),
    sqlite_autoincrement=True,
)

role = Table(
    "role",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("datasource_id", ForeignKey("datasource.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_folded", String(200), nullable=False),
    Column("description", String(1000), nullable=False),
    Column("permissions", Bits, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("hidden", Boolean, nullable=False),
    UniqueConstraint("datasource_id", "name_folded"),
    UniqueConstraint("datasource_id", "id"),
    sqlite_autoincrement=True,
)

user = Table(
    "user",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("datasource_id", ForeignKey("datasource.id"), nullable=False),
    Column("code", String(65), nullable=False),
    Column("code_folded", String(200), nullable=False),
    Column("full_name", String(32), nullable=False),
    Column("email", String(128), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("role_id", Integer, nullable=False),
    Column("password_hash", String(255)),
    Column("sign_in_generation", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    # `person` or `service`: an account that owns keys and never signs in.
    Column("kind", String(16), nullable=False, default="person"),
    # Days; 0 is never.
    Column("password_expiration_interval", Integer, nullable=False, default=0),
    Column("force_password_change", Boolean, nullable=False, default=False),
    Column("strong_password", Boolean, nullable=False, default=False),
    # Null: before passwords were dated, or there is none.
    Column("password_changed_at", Utc),
    Column("max_approval_amount", Integer),
    Column("preference", JSON(none_as_null=True)),
    ForeignKeyConstraint(["datasource_id", "role_id"], ["role.datasource_id", "role.id"]),
    UniqueConstraint("datasource_id", "code_folded"),
    UniqueConstraint("datasource_id", "id"),
    Index(None, "datasource_id", "role_id"),
    # The orders in which users are paged.
    Index(None, "datasource_id", "full_name"),
    Index(None, "datasource_id", "email"),
    sqlite_autoincrement=True,
)

user_topmost = Table(
    "user_topmost",
    RIGHTS,
    Column("datasource_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    Column("hierarchy", String(64), primary_key=True),
    Column("node_id", Integer, primary_key=True),
    ForeignKeyConstraint(["datasource_id", "user_id"], ["user.datasource_id", "user.id"]),
)

user_group = Table(
    "user_group",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("datasource_id", ForeignKey("datasource.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("name_folded", String(200), nullable=False),
    Column("description", String(255), nullable=False),
    Column("created_at", Utc, nullable=False),
    UniqueConstraint("datasource_id", "name_folded"),
    UniqueConstraint("datasource_id", "id"),
    sqlite_autoincrement=True,
)

user_group_member = Table(
    "user_group_member",
    RIGHTS,
    Column("datasource_id", Integer, primary_key=True),
    Column("group_id", Integer, primary_key=True),
    Column("user_id", Integer, primary_key=True),
    ForeignKeyConstraint(
        ["datasource_id", "group_id"], ["user_group.datasource_id", "user_group.id"]
    ),
    ForeignKeyConstraint(["datasource_id", "user_id"], ["user.datasource_id", "user.id"]),
    Index(None, "datasource_id", "user_id"),
)

api_key = Table(
    "api_key",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("datasource_id", ForeignKey("datasource.id"), nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("name", String(60), nullable=False),
    Column("description", String(4000), nullable=False),
    # Null only between the two statements of the transaction that makes the key.
    Column("digest", LargeBinary(32), unique=True),
    Column("last4", String(4), nullable=False),
    Column("generation", Integer),
    Column("imported_mac", LargeBinary(32)),
    Column("made_with_kind", String(16), nullable=False),
    Column("made_with_id", Integer, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("deleted_at", Utc),
    Column("deleted_epoch", BigInteger),
    # The key whose programs are to use this one, as its maker said.
    Column("in_place_of", Integer),
    ForeignKeyConstraint(["datasource_id", "owner_id"], ["user.datasource_id", "user.id"]),
    Index(None, "datasource_id", "owner_id"),
    # What a key made.
    Index(None, "datasource_id", "made_with_kind", "made_with_id"),
    sqlite_autoincrement=True,
)


policy = Table(
    "policy",
    RIGHTS,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("made_by", String(128), nullable=False),
)


freeze = Table(
    "freeze",
    RIGHTS,
    Column("id", Integer, primary_key=True),
    Column("datasource_id", ForeignKey("datasource.id")),
    Column("issued_before", Utc, nullable=False),
    Column("generation", Integer),
    Column("frozen_at", Utc, nullable=False),
    Column("thawed_at", Utc),
    sqlite_autoincrement=True,
)

epoch_log = Table(
    "epoch_log",
    RIGHTS,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("subjects", JSON, nullable=False),
)

# Processes that may answer from memory, on PostgreSQL, a row for each life of one. Nothing here is
# a right.
verifier = Table(
    "verifier",
    RIGHTS,
    Column("process", String(36), primary_key=True),
    Column("incarnation", String(36), primary_key=True),
    Column("alive", Boolean, nullable=False),
    Column("acknowledged", BigInteger, nullable=False),
    Column("joined_at", Utc, nullable=False),
    Column("lease_seconds", Float),
    # Where it runs, as it said; null: of the version before.
    Column("host", String(255)),
    Column("pid", Integer),
)

audit_event = Table(
    "audit_event",
    RIGHTS,
    *event_columns(),
    # The chain of changes (storage/chain.py): of the row before, and of this one.
    Column("previous", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    # To what is personal in the row; the salt goes when that is taken away. Without: of form 1.
    Column("salt", LargeBinary(16)),
    Column("commitment", LargeBinary(32)),
    Index(None, "datasource_id", "at"),
    sqlite_autoincrement=True,
)

# Where the chain begins when older rows were let go: a line with a MAC (core/chain.py).
audit_checkpoint = Table(
    "audit_checkpoint",
    RIGHTS,
    Column("one", Boolean, CheckConstraint("one", name="one_row"), primary_key=True),
    Column("line", String(512), nullable=False),
)

# ------------------------------------------------------------------ sign-ins

# Of each user the last, kept when tokens and sessions are gone.
last_sign_in = Table(
    "last_sign_in",
    SIGN_INS,
    Column("datasource_id", Integer, primary_key=True, autoincrement=False),
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
)

bearer_token = Table(
    "bearer_token",
    SIGN_INS,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("datasource_id", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("sign_in_generation", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False, index=True),
    Column("ended_at", Utc),
    sqlite_autoincrement=True,
)

web_session = Table(
    "web_session",
    SIGN_INS,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("datasource_id", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("sign_in_generation", Integer, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False, index=True),
    Column("ended_at", Utc),
    sqlite_autoincrement=True,
)

# Half of what shows a new key once: random bytes, worth nothing without what the browser holds.
key_pad = Table(
    "key_pad",
    SIGN_INS,
    Column(
        "session_id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("datasource_id", Integer, nullable=False),
    Column("pad", LargeBinary(1024), nullable=False),
    Column("expires_at", Utc, nullable=False, index=True),
)
