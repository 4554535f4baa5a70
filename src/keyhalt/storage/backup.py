"""Copies of SQLite stores while they are in use, and putting one back under running processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.core.marks import Mark
from keyhalt.storage.migrate import STORES
from keyhalt.storage.questions import STANDING
from keyhalt.storage.sqlite import create_file, in_our_words, open_file, quoted
from keyhalt.usecases.ports import CopyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MANIFEST = "backup.json"
_NAME = re.compile(r"[\w-]+\.db")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `files`: SHA-256 of each, in hexadecimal."""

    cluster: str
    epoch: int
    at: str
    files: Mapping[str, str]

    @property
    def mark(self) -> Mark:
        return Mark(self.cluster, self.epoch)


def back_up(folder: Path, into: Path, at: datetime) -> Manifest:
    """All files of `folder` at one moment, into a folder that is new or empty.

    The stores are locked only until each has its snapshot; writers go on while it is copied.
    """
    _claim(into)
    others = [path.stem for path in sorted(folder.glob("*.db")) if path.stem not in STORES]
    names = [*STORES, *others]
    with ExitStack() as stack:
        opened = {name: _opened(stack, folder / f"{name}.db") for name in names}
        _snapshot(folder, opened)
        with in_our_words(folder / "rights.db"):
            standing = opened["rights"].execute(STANDING).fetchone()
        if standing is None:
            raise CopyError(f"{folder} holds no environment yet")
        files = {f"{name}.db": _copied(opened[name], into / f"{name}.db") for name in names}
    manifest = Manifest(standing[0], standing[1], at.isoformat(timespec="seconds"), files)
    _write(into / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Of a whole and unchanged backup. Raises CopyError."""
    try:
        data = json.loads((source / MANIFEST).read_text("utf-8"))
        manifest = Manifest(
            str(data["cluster"]), int(data["epoch"]), str(data["at"]), dict(data["files"])
        )
    except FileNotFoundError:
        raise CopyError(f"{source} is no whole backup: it has no {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise CopyError(f"{source / MANIFEST} is not what keyhalt writes") from None
    if not all(_NAME.fullmatch(name) for name in manifest.files):
        raise CopyError(f"{source / MANIFEST} is not what keyhalt writes")
    missing = [f"{name}.db" for name in STORES if f"{name}.db" not in manifest.files]
    changed = [name for name, digest in manifest.files.items() if not _is(source / name, digest)]
    if missing or changed:
        raise CopyError(f"{source}: {(missing + changed)[0]} is not as it was written")
    return manifest


def put_back(folder: Path, source: Path, manifest: Manifest) -> None:
    """Write the backup over the stores, each in one transaction that running guards see.

    Rights first: from then on nobody is let in who would have been refused before.
    """
    for name in sorted(manifest.files, key=lambda name: name != "rights.db"):
        path = folder / name
        create_file(path)
        with (
            in_our_words(path),
            closing(sqlite3.connect(f"file:{quoted(source / name)}?mode=ro", uri=True)) as copy,
            closing(open_file(path)) as store,
        ):
            copy.backup(store)


def standing_in(folder: Path) -> Mark | None:
    """Where the store in `folder` stands; None where nothing was set up."""
    path = folder / "rights.db"
    if not path.exists():
        return None
    with in_our_words(path), closing(open_file(path)) as store:
        known = store.execute("SELECT 1 FROM sqlite_master WHERE name = 'auth_epoch'").fetchone()
        row = store.execute(STANDING).fetchone() if known else None
    return None if row is None else Mark(*row)


def _claim(into: Path) -> None:
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise CopyError(f"{into} is not empty; say a new folder")


def _opened(stack: ExitStack, path: Path) -> sqlite3.Connection:
    return stack.enter_context(closing(open_file(path)))


def _snapshot(folder: Path, opened: Mapping[str, sqlite3.Connection]) -> None:
    """Begin to read each store while nobody can write to any of the three."""
    with ExitStack() as locks:
        for name in STORES:
            lock = _opened(locks, folder / f"{name}.db")
            with in_our_words(folder / f"{name}.db"):
                lock.execute("BEGIN IMMEDIATE")
        for name, connection in opened.items():
            with in_our_words(folder / f"{name}.db"):
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _copied(source: sqlite3.Connection, path: Path) -> str:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with in_our_words(path), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        source.backup(copy)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    """Last of all, and in one step: without it there is no backup."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
