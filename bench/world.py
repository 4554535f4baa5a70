"""A store with many keys, made quickly: for measurements only."""

from __future__ import annotations

import os
from pathlib import Path

from keyhalt.config import load_profile
from keyhalt.core import keytext
from keyhalt.core.audit import Origin
from keyhalt.core.principals import Operator
from keyhalt.core.secrets import digest_of
from keyhalt.embed import Engine, EngineOptions, mac_keys_of, open_engine, set_up_of
from keyhalt.storage.sqlite import open_file
from keyhalt.storage.stores import SqliteStores
from keyhalt.usecases.people import UserDraft
from keyhalt.usecases.rows import EnvironmentRow

OPERATOR = Operator("bench")
ORIGIN = Origin("", "bench", "bench")
OWNERS = 1_000


def make_engine(folder: Path, memory_entries: int, owners: int = OWNERS) -> Engine:
    """An environment with a datasource and this many owners."""
    profile = load_profile("energycap")
    options = EngineOptions(
        folder=folder,
        profile=profile,
        mac_keys_path=folder / "mac-keys.toml",
        mark_path=folder / "mac-keys.mark",
        memory_entries=memory_entries,
        memory_bytes=1 << 40,
    )
    stores = SqliteStores(folder, create=True)
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
    connection = open_file(engine.stores.rights_path)
    connection.execute("BEGIN IMMEDIATE")
    for number in range(1, owners):
        connection.execute(
            "INSERT INTO user (datasource_id, code, code_folded, full_name, email, active, role_id,"
            " sign_in_generation, created_at) SELECT datasource_id, 'owner' || ?1, 'owner' || ?1,"
            " full_name, email, active, role_id, 1, created_at FROM user WHERE id = 1",
            (number,),
        )
        connection.execute(
            "INSERT INTO user_topmost SELECT datasource_id, ?, hierarchy, node_id"
            " FROM user_topmost WHERE user_id = 1",
            (number + 1,),
        )
    connection.execute("COMMIT")
    connection.close()


def make_keys(engine: Engine, count: int) -> list[bytes]:
    """Texts of `count` new keys, spread over the owners, in one transaction."""
    generation = engine.here.mac_keys().minting
    connection = open_file(engine.stores.rights_path)
    first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM api_key").fetchone()[0]
    texts, rows = [], []
    for key_id in range(first, first + count):
        user_id = key_id % OWNERS + 1
        text = keytext.mint(
            product="keyhalt",
            environment="Bench",
            datasource="acme",
            user_id=user_id,
            key_id=key_id,
            generation=generation,
            random=os.urandom(19),
        ).reveal()
        texts.append(text.encode())
        rows.append((key_id, user_id, digest_of(text.encode()), text[-4:], generation.number))
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO api_key (id, datasource_id, owner_id, name, description, digest, last4,"
        " generation, made_with_kind, made_with_id, made_by, created_at)"
        " VALUES (?, 1, ?, 'key', '', ?, ?, ?, 'operator', 0, 'bench',"
        " '2026-01-01T00:00:00.000000Z')",
        rows,
    )
    connection.execute("COMMIT")
    connection.close()
    return texts
