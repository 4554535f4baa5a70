"""The tables of the store of use: what changes often, and is no right (docs/storage.md)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from keyhalt.storage.columns import NAMES, Utc, event_columns

USE = MetaData(naming_convention=NAMES)
RETIRED = frozenset({"key_permission"})
"""Tables that only older versions use, which may still be running: a later migration drops them."""


def _key_columns() -> list[Column[int]]:
    return [
        Column(name, Integer, primary_key=True, autoincrement=False)
        for name in ("datasource_id", "key_id")
    ]


audit_denial = Table(
    "audit_denial",
    USE,
    *event_columns(),
    Column("count", Integer, nullable=False),
    Index(None, "datasource_id", "at"),
    # When changes had taken effect everywhere.
    Index(
        None,
        "epoch",
        sqlite_where=text("epoch IS NOT NULL"),
        postgresql_where=text("epoch IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

sign_in_bucket = Table(
    "sign_in_bucket",
    USE,
    Column("name", String(80), primary_key=True),
    Column("full_at", Float, nullable=False),
)

sign_in_failures = Table(
    "sign_in_failures",
    USE,
    Column("account", String(64), primary_key=True),
    Column("in_a_row", Integer, nullable=False),
    Column("last_try", Float, nullable=False),
)

sign_in_source = Table(
    "sign_in_source",
    USE,
    Column("account", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("last_success", Float, nullable=False),
)

# What keys do (storage/uses.py). Each key has one row of the first, and of the others one for each
# day and outcome, for each of the last 24 hours, and for each week and caller, so many at most.
key_use = Table(
    "key_use",
    USE,
    *_key_columns(),
    Column("last_used_at", Utc, nullable=False),
    Column("network", String(64), nullable=False),
    Column("agent", String(32), nullable=False),
    Column("operation", String(300), nullable=False),
    # By the number of each permission's bit that the key ever used: when last. NULL is none.
    Column("permission_days", JSON().with_variant(JSONB(), "postgresql")),
)

key_day = Table(
    "key_day",
    USE,
    *_key_columns(),
    Column("day", Date, primary_key=True),
    # `allowed`, or the exact reason of a denial.
    Column("outcome", String(64), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Index(None, "day"),
)

# A ring of 24 places: an hour takes the place of the one a day before.
key_hour = Table(
    "key_hour",
    USE,
    *_key_columns(),
    Column("place", Integer, primary_key=True, autoincrement=False),
    # Since 1970.
    Column("hour", Integer, nullable=False),
    Column("allowed", BigInteger, nullable=False),
    Column("denied", BigInteger, nullable=False),
)

# When each process last let a key through (storage/promise.py): the promise is audited with it.
key_allowed = Table(
    "key_allowed",
    USE,
    *_key_columns(),
    # One life of a process; the boot of the machine on which it ran.
    Column("process", String(36), primary_key=True),
    Column("boot", String(36), nullable=False),
    # When the request began, in seconds since that boot.
    Column("began", Float, nullable=False),
    # The highest epoch that the process knew of.
    Column("epoch", BigInteger, nullable=False),
    Column("day", Date, nullable=False),
    Index(None, "day"),
)

# Totals for whoever watches (storage/measures.py).
event_total = Table(
    "event_total",
    USE,
    Column("event", String(64), primary_key=True),
    Column("outcome", String(16), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("happened", BigInteger, nullable=False),
    # For how long changes waited until they counted everywhere, together.
    Column("waited_ms", BigInteger, nullable=False),
)

# How long verifications took, in all (usecases/timing.py).
verification_time = Table(
    "verification_time",
    USE,
    Column("source", String(16), primary_key=True),
    # Microseconds, at most; 0: longer than all of those.
    Column("upto_us", Integer, primary_key=True, autoincrement=False),
    Column("happened", BigInteger, nullable=False),
    Column("spent_ns", BigInteger, nullable=False),
)

# What keys were allowed on the days before `before`; later days are still in `key_day`.
allowed_total = Table(
    "allowed_total",
    USE,
    Column("one", Boolean, CheckConstraint("one", name="one_row"), primary_key=True),
    Column("before", Date, nullable=False),
    Column("requests", BigInteger, nullable=False),
)

# By whom a key was used (storage/callers.py). Week 1 began on Monday, 1 January of the year 1.
key_caller = Table(
    "key_caller",
    USE,
    *_key_columns(),
    Column("week", Integer, primary_key=True, autoincrement=False),
    Column("network", String(64), primary_key=True),
    Column("agent", String(32), primary_key=True),
    # Which part of a permission set `bits` is: an integer of a database has not enough of them.
    Column("page", Integer, primary_key=True, autoincrement=False),
    # Monday is bit 0.
    Column("days", Integer, nullable=False),
    Column("bits", BigInteger, nullable=False),
    Index(None, "week"),
)

# A key that everybody on the way could read (storage/exposures.py). It was refused before anything
# was asked of the store of rights, so only what its MAC vouches for is known: its id.
key_exposed = Table(
    "key_exposed",
    USE,
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("place", String(16), primary_key=True),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("network", String(64), nullable=False),
)

# Who still uses bearer tokens (storage/token_uses.py).
token_use = Table(
    "token_use",
    USE,
    Column("datasource_id", Integer, primary_key=True, autoincrement=False),
    Column("user_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("last_used_at", Utc, nullable=False),
    Column("network", String(64), nullable=False),
    Column("agent", String(32), nullable=False),
    Column("operation", String(300), nullable=False),
    Index(None, "day"),
)
