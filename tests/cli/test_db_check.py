"""`keyhalt db check`: what is not as it must be is said, each in a sentence."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from keyhalt.main import MainTools
from keyhalt.storage.filesystems import network_kind
from keyhalt.storage.stores import SqliteStores
from tests.cli.conftest import Keyhalt, create
from tests.postgres import Server


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def on_postgres(
    bare: Keyhalt, password: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Keyhalt:
    """`keyhalt init` was run on a database of PostgreSQL."""
    monkeypatch.setenv("KEYHALT_DATABASE_URL", database_url)
    init = ["init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada"]
    done = bare(*init, "--password-file", password)
    assert done.code == 0, done
    return bare


@pytest.fixture
def stranger(postgres: Server, database_url: str) -> Iterator[str]:
    """The URL of a user of the database who may connect, and is no superuser."""
    run(
        database_url,
        "DROP ROLE IF EXISTS stranger",
        "CREATE ROLE stranger LOGIN PASSWORD 'a-word' NOSUPERUSER NOCREATEDB",
    )
    url = make_url(database_url).set(username="stranger", password="a-word")
    yield url.render_as_string(hide_password=False)
    run(database_url, "DROP OWNED BY stranger")
    postgres.run("DROP ROLE stranger")


def test_all_is_well_after_init(keyhalt: Keyhalt) -> None:
    """On SQLite."""
    done = keyhalt("db", "check")
    assert (done.code, done.out) == (0, ""), done


def test_all_is_well_after_init_on_postgresql(on_postgres: Keyhalt) -> None:
    """What the migrations make is what the code declares, to the last index."""
    done = on_postgres("db", "check")
    assert (done.code, done.out) == (0, ""), done


FAULTS = [
    ("DROP TABLE user_group_member", "the table user_group_member is missing"),
    ("DROP INDEX ix_audit_event_at", "the index ix_audit_event_at of the table"),
    ('ALTER TABLE "user" DROP COLUMN preference', "the column user.preference is missing"),
    ("ALTER TABLE role ADD COLUMN more INTEGER", "the column role.more is none of this version"),
]


@pytest.mark.parametrize(("change", "says"), FAULTS)
def test_what_is_missing_is_named(keyhalt: Keyhalt, data: Path, change: str, says: str) -> None:
    """Tables, columns and indexes, on SQLite."""
    with closing(sqlite3.connect(data / "rights.db")) as store:
        store.execute(change)
        store.commit()
    done = keyhalt("db", "check")
    assert (done.code, says in done.err) == (78, True), done


@pytest.mark.parametrize(
    ("change", "says"),
    [
        *FAULTS,
        (
            "ALTER TABLE api_key DROP CONSTRAINT uq_api_key_digest",
            "the constraint uq_api_key_digest of the table api_key is missing",
        ),
        ("ALTER TABLE api_key ALTER name DROP NOT NULL", "api_key.name is not as it must be"),
        ("ALTER TABLE api_key ALTER last4 TYPE text", "api_key.last4 is not as it must be"),
    ],
)
def test_what_is_missing_on_postgresql_is_named(
    on_postgres: Keyhalt, database_url: str, change: str, says: str
) -> None:
    """Constraints, types and nullability too."""
    run(database_url, change)
    done = on_postgres("db", "check")
    assert (done.code, says in done.err) == (78, True), done


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("", 78, "it is no URL like postgresql://user@host/database"),
        ("postgresql//db", 78, "it is no URL like"),
        ("mysql://me:a-word@db/keyhalt", 78, "'mysql' is no database that Keyhalt knows"),
        ("postgresql://me:a-word@db:54e2/keyhalt", 78, "it is no URL like"),
        ("postgresql://me:a-word@127.0.0.1:1/keyhalt", 69, "Connection refused"),
    ],
)
@pytest.mark.parametrize("command", [("db", "check"), ("key", "list")])
def test_a_mistyped_address_is_one_line_without_the_password(
    bare: Keyhalt,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    url: str,
    code: int,
    says: str,
) -> None:
    """With the setting's name where it is the setting that is wrong."""
    monkeypatch.setenv("KEYHALT_DATABASE_URL", url)
    done = bare(*command)
    assert (done.code, says in done.err) == (code, True), done
    assert ("KEYHALT_DATABASE_URL" in done.err) == (code == 78)
    assert len(done.err.splitlines()) == 1, done
    assert "a-word" not in done.err


@pytest.mark.parametrize("command", [("db", "check"), ("key", "list")])
def test_a_database_that_is_not_there_is_one_line(
    bare: Keyhalt, database_url: str, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """In the server's words."""
    other = make_url(database_url).set(database="no_such_database")
    monkeypatch.setenv("KEYHALT_DATABASE_URL", other.render_as_string(hide_password=False))
    done = bare(*command)
    assert (done.code, "no_such_database" in done.err) == (69, True), done
    assert len(done.err.splitlines()) == 1, done


def test_an_index_of_the_administrators_own_is_no_fault(
    on_postgres: Keyhalt, database_url: str
) -> None:
    """It takes nothing away."""
    run(database_url, "CREATE INDEX own ON api_key (name)")
    assert on_postgres("db", "check").code == 0


def test_what_the_databases_user_may_not_do_is_named(
    on_postgres: Keyhalt, database_url: str, stranger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four rights on each table, and the sequences; with these, who is no owner may work."""
    monkeypatch.setenv("KEYHALT_DATABASE_URL", stranger)
    run(database_url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger")
    done = on_postgres("db", "check")
    assert done.code == 78
    assert "may not DELETE on the table api_key" in done.err
    assert "may not make ids for the table user" in done.err
    assert "a-word" not in done.err
    tables, sequences = "ALL TABLES IN SCHEMA public", "ALL SEQUENCES IN SCHEMA public"
    run(
        database_url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO stranger",
        f"GRANT USAGE ON {sequences} TO stranger",
    )
    assert on_postgres("db", "check").code == 0
    create_user = ("user", "create", "jsmith", "--role", "Default", "--no-password")
    assert on_postgres(*create_user).code == 0
    create(on_postgres)
    assert on_postgres("key", "delete", 1, "--yes").code == 0


def test_serve_refuses_a_server_on_which_the_promise_would_not_hold(
    on_postgres: Keyhalt, postgres: Server, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting, exit 78, as `db check` does."""
    monkeypatch.setenv("KEYHALT_INSECURE_HTTP", "true")
    name = make_url(database_url).database
    postgres.run(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    for command in (["db", "check"], ["serve", "--port", "0"]):
        done = on_postgres(*command)
        assert (done.code, "synchronous_commit = off" in done.err) == (78, True), done


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["key", "list"], ["db", "check"]])
def test_automatic_failover_is_refused_where_it_is_declared(
    keyhalt: Keyhalt, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Exit 78 and the setting's name, before anything is opened."""
    monkeypatch.setenv("KEYHALT_INSECURE_HTTP", "true")
    monkeypatch.setenv("KEYHALT_DATABASE_FAILOVER", "automatic")
    done = keyhalt(*command)
    assert (done.code, "KEYHALT_DATABASE_FAILOVER" in done.err) == (78, True), done


def test_a_closed_store_is_a_fault(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """With what to run."""
    create(keyhalt)
    keyhalt("db", "backup", tmp_path / "copy")
    keyhalt("key", "delete", 1, "--yes")
    keyhalt("db", "restore", tmp_path / "copy", "--yes")
    done = keyhalt("db", "check")
    assert (done.code, "keyhalt db reopen" in done.err) == (78, True), done


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:50 / /srv rw - nfs4 server:/srv rw
31 22 0:51 / /mnt/my\\040disk rw shared:1 - cifs //server/x rw
32 30 8:2 / /srv/local rw - xfs /dev/sdb1 rw
33 22 0:52 / /mnt/ssh rw - fuse.sshfs me@host: rw
34 22 0:53 / /mnt/plain rw - fuse.gocryptfs /dev/x rw
35 22 0:54 / /mnt/usb rw - fuseblk /dev/sdc1 rw
36 22 0:55 / /over rw - tmpfs tmpfs rw
37 36 0:56 / /over rw - nfs server:/over rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/data", None),
        ("/srv/keyhalt", "nfs4"),
        ("/srv/local/keyhalt", None),
        ("/srvx", None),
        ("/mnt/my disk/keyhalt", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/plain/x", None),
        ("/mnt/usb/x", None),
        ("/over/x", "nfs"),
    ],
)
def test_a_folder_on_a_network_file_system_is_known(
    tmp_path: Path, folder: str, kind: str | None
) -> None:
    """By the kernel's own list of what is mounted, the nearest and the latest."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert network_kind(Path(folder), mounts) == kind


def test_a_local_folder_is_fit(tmp_path: Path) -> None:
    """As the tests themselves run on."""
    stores = SqliteStores(tmp_path / "data", create=True)
    assert stores.check() == []
    stores.close()


def _upgrade(url: str, folder: str) -> None:
    MainTools().upkeep(database_url=url, data=Path(folder)).upgrade()


def test_upgrades_of_one_database_take_turns(database_url: str, tmp_path: Path) -> None:
    """Four at once of an empty database leave one good schema."""
    context = multiprocessing.get_context("spawn")
    arguments = (database_url, str(tmp_path))
    processes = [context.Process(target=_upgrade, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert MainTools().upkeep(database_url=database_url, data=tmp_path).check() == []
