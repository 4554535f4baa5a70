"""A store with many keys, made quickly: for measurements only."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import text

from keyhalt.config import load_profile
from keyhalt.core import keytext
from keyhalt.core.audit import Origin
from keyhalt.core.principals import Operator
from keyhalt.core.secrets import digest_of
from keyhalt.embed import Engine, EngineOptions, mac_keys_of, open_engine, set_up_of
from keyhalt.options import stores_of
from keyhalt.storage.postgres import Database
from keyhalt.usecases.people import UserDraft
from keyhalt.usecases.rows import EnvironmentRow

OPERATOR = Operator("bench")
ORIGIN = Origin("", "bench", "bench")
OWNERS = 1_000
FILL_AT_ONCE = 100_000
COLUMNS = (
    "id, datasource_id, owner_id, name, description, digest, last4, generation, made_with_kind,"
    " made_with_id, made_by, created_at"
)
MADE = ":generation, 'operator', 0, 'bench', '2026-01-01T00:00:00.000000Z'"
NEXT_KEY = text("SELECT coalesce(max(id), 0) + 1 FROM api_key")
KEY = text(
    f"INSERT INTO api_key ({COLUMNS}) VALUES (:id, 1, :owner, 'key', '', :digest, :last4, {MADE})"
)
MORE_OWNERS = text(
    'INSERT INTO "user" (datasource_id, code, code_folded, full_name, email, active, role_id,'
    " sign_in_generation, created_at) SELECT datasource_id, :code, :code, full_name, email, active,"
    ' role_id, 1, created_at FROM "user" WHERE id = 1'
)
MORE_TOPMOSTS = text(
    "INSERT INTO user_topmost SELECT u.datasource_id, u.id, t.hierarchy, t.node_id"
    ' FROM "user" u, user_topmost t WHERE t.user_id = 1 AND u.id > 1'
)


def make_engine(
    folder: Path, memory_entries: int, owners: int = OWNERS, database: Database | None = None
) -> Engine:
    """An environment with a datasource and this many owners; in `database`, if one is given."""
    profile = load_profile("energycap")
    options = EngineOptions(
        folder=folder,
        database=database,
        profile=profile,
        mac_keys_path=folder / "mac-keys.toml",
        mark_path=folder / "mac-keys.mark",
        memory_entries=memory_entries,
        memory_bytes=1 << 40,
    )
    folder.mkdir(exist_ok=True)
    stores = stores_of(options, create=True)
    stores.upgrade()
    row = EnvironmentRow("Bench", "keyhalt", profile.name, "bench")
    set_up_of(stores, profile).environment(OPERATOR, row, ORIGIN)
    mac_keys_of(stores, options.mac_keys_path).first()
    stores.close()
    engine = open_engine(options)
    datasource = engine.set_up.datasource(OPERATOR, "acme", ORIGIN)
    draft = UserDraft("owner0", "Owner", "", "Default", None, {"places": (1,), "costCenters": (2,)})
    engine.manage_users.create(OPERATOR, datasource.id, draft, ORIGIN)
    _more_owners(engine, owners)
    return engine


def _more_owners(engine: Engine, owners: int) -> None:
    with engine.stores.rights.begin() as connection:
        for number in range(1, owners):
            connection.execute(MORE_OWNERS, {"code": f"owner{number}"})
        connection.execute(MORE_TOPMOSTS)


def make_keys(engine: Engine, count: int) -> list[bytes]:
    """Texts of `count` new keys, spread over the owners, in one transaction."""
    generation = engine.here.mac_keys().minting
    texts, rows = [], []
    with engine.stores.rights.begin() as connection:
        first = connection.execute(
            text("SELECT coalesce(max(id), 0) + 1 FROM api_key")
        ).scalar_one()
        for key_id in range(first, first + count):
            user_id = key_id % OWNERS + 1
            key = keytext.mint(
                product="keyhalt",
                environment="Bench",
                datasource="acme",
                user_id=user_id,
                key_id=key_id,
                generation=generation,
                random=os.urandom(19),
            ).reveal()
            texts.append(key.encode())
            rows.append(
                {
                    "id": key_id,
                    "owner": user_id,
                    "digest": digest_of(key.encode()),
                    "last4": key[-4:],
                    "generation": generation.number,
                }
            )
        connection.execute(KEY, rows)
    return texts


def fill(engine: Engine, count: int) -> None:
    """This many keys more, of the first owner, whose texts nobody knows: quickly."""
    numbers = {
        "postgresql": "SELECT g AS n, sha256(g::text::bytea) AS digest"
        " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) g",
        "sqlite": "WITH RECURSIVE g(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM g"
        " WHERE n < :last) SELECT n, randomblob(32) AS digest FROM g",
    }
    rights = engine.stores.rights
    source = numbers[rights.dialect.name]
    rows = f"SELECT n, 1, 1, 'key', '', digest, 'AAAA', {MADE} FROM ({source}) f"
    insert = text(f"INSERT INTO api_key ({COLUMNS}) {rows}")
    with rights.begin() as connection:
        first = connection.execute(NEXT_KEY).scalar_one()
        # In parts, each within what a statement may take.
        for start in range(first, first + count, FILL_AT_ONCE):
            last = min(start + FILL_AT_ONCE, first + count) - 1
            connection.execute(insert, {"first": start, "last": last, "generation": 0})
