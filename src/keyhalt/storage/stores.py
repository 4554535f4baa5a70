"""The three stores, wherever they are: files in a folder, or tables of one PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keyhalt.storage import migrate, sqlite
from keyhalt.storage.filesystems import network_kind
from keyhalt.storage.forks import abandon_in_children
from keyhalt.storage.rights import Guarded
from keyhalt.storage.sqlite_reader import SqliteReader
from keyhalt.usecases.ports import NotSetUpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from keyhalt.core.freshness import Freshness
    from keyhalt.usecases.barrier import Barrier
    from keyhalt.usecases.ports import CredentialReader
    from keyhalt.usecases.watch import Watch


class Verifying(Protocol):
    """What one process needs to verify, and to let go of at its end."""

    @property
    def reader(self) -> CredentialReader: ...
    @property
    def freshness(self) -> Freshness: ...
    def ready(self) -> bool:
        """Whether the store can be asked, now."""

    def lease_seconds(self) -> float | None:
        """For how long this process may yet answer from memory unasked; None: it always asks."""

    def close(self) -> None: ...


class Stores(Protocol):
    """May be shared by threads. `barrier` may be used without verifying."""

    @property
    def rights(self) -> Engine: ...
    @property
    def use(self) -> Engine: ...
    @property
    def signins(self) -> Engine: ...
    def upgrade(self) -> None:
        """Bring the schema to this version's; processes that start together take turns."""

    def current(self) -> bool: ...
    def check(self) -> list[str]:
        """What would break the promise where the stores are, in sentences."""

    def barrier(self, longest: Callable[[], float]) -> Barrier:
        """`longest`: the lease of whoever has the longest, as of the last change."""

    def bury(self, process: str) -> None:
        """Wait no longer for a process that has ended, by its name in the options."""

    def verifying(self, watch: Watch) -> Verifying: ...
    def close(self) -> None: ...


class SqliteStores:
    """The three files in one folder."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        paths = {name: folder / f"{name}.db" for name in migrate.STORES}
        for path in paths.values():
            if create:
                sqlite.create_file(path)
            elif not path.exists():
                raise NotSetUpError(
                    f"there is no {path}; run 'keyhalt init', or put it back from a backup"
                )
        self.rights_path, self.signins_path = paths["rights"], paths["signins"]
        abandon_in_children(self)
        self.rights, self.use, self.signins = (sqlite.open_engine(p) for p in paths.values())

    def upgrade(self) -> None:
        for name in migrate.STORES:
            path = self.folder / f"{name}.db"
            engine = sqlite.open_engine(path, busy_seconds=sqlite.UPGRADE_BUSY_SECONDS)
            try:
                migrate.upgrade(name, engine)
            finally:
                engine.dispose()

    def current(self) -> bool:
        return all(migrate.is_current(name, engine_of(self, name)) for name in migrate.STORES)

    def check(self) -> list[str]:
        return faults_of_folder(self.folder)

    def barrier(self, longest: Callable[[], float]) -> Guarded:
        del longest
        return Guarded()

    def bury(self, process: str) -> None:
        """Nobody is waited for."""

    def verifying(self, watch: Watch) -> SqliteVerifying:
        return SqliteVerifying(SqliteReader(self.rights_path, self.signins_path, watch))

    def abandon(self) -> None:
        for engine in (self.rights, self.use, self.signins):
            engine.dispose(close=False)

    def close(self) -> None:
        for engine in (self.rights, self.use, self.signins):
            engine.dispose()


class SqliteVerifying:
    """The reader is its own guard."""

    def __init__(self, reader: SqliteReader) -> None:
        self.reader = reader
        self.freshness = reader
        abandon_in_children(self)

    def abandon(self) -> None:
        self.reader.abandon()

    def ready(self) -> bool:
        return self.reader.answers()

    def lease_seconds(self) -> None:
        return None

    def close(self) -> None:
        self.reader.close()


def faults_of_folder(folder: Path) -> list[str]:
    """What would break the promise in the files of `folder`, in sentences. It need not exist."""
    kind = network_kind(folder)
    if kind is None:
        return []
    why = f"{folder} is on a network file system ({kind}), where no lock of SQLite holds"
    return [f"{why}; use a local disk, or PostgreSQL"]


def engine_of(stores: Stores, name: str) -> Engine:
    return {"rights": stores.rights, "use": stores.use, "signins": stores.signins}[name]
