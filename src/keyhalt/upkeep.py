"""What an operator does with the stores as a whole: copies, and what comes of them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, actor_of
from keyhalt.core.marks import mark_of_restore
from keyhalt.embed import EngineOptions, StoreOptions, stores_of
from keyhalt.storage.backup import back_up, put_back, read_manifest, standing_in
from keyhalt.storage.copying import copy
from keyhalt.storage.inspecting import faults_of_privileges, faults_of_schema
from keyhalt.storage.rights import SqlRights, judge
from keyhalt.storage.stores import SqliteStores, faults_of_folder
from keyhalt.storage.tokens import SqlTokens
from keyhalt.storage.transactions import transaction
from keyhalt.system.clock import SystemClock
from keyhalt.system.mark_file import MarkFile
from keyhalt.usecases.ports import CopyError, NotSetUpError, StoreClosedError
from keyhalt.usecases.reopen import Reopen
from keyhalt.usecases.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Operator
    from keyhalt.storage.backup import Manifest
    from keyhalt.storage.rights import SqlTransaction
    from keyhalt.storage.stores import Stores
    from keyhalt.usecases.rows import Copied

COPY_SECONDS = 24 * 3600.0


class Upkeep:
    """For one environment. Nothing here refuses a store that is closed."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._marks = MarkFile(options.mark_path)
        self._clock = SystemClock()

    def backup(self, into: Path, *, mac_keys: bool) -> Manifest:
        """Raises CopyError."""
        self._only_sqlite("pg_dump")
        SqliteStores(self._options.folder, create=False).close()
        manifest = back_up(self._options.folder, into, self._clock.now())
        if mac_keys:
            shutil.copy2(self._options.mac_keys_path, into / "mac-keys.toml")
        return manifest

    def restore(self, source: Path) -> Manifest:
        """Under running processes too. Raises CopyError."""
        self._only_sqlite("pg_restore")
        manifest = read_manifest(source)
        folder = self._options.folder
        there = standing_in(folder)
        if there is not None and there.cluster != manifest.cluster:
            raise CopyError(f"{folder} holds the stores of another environment; say a new folder")
        # First: whatever happens from here on, it is known how far the environment had come.
        self._marks.replace(mark_of_restore(self._marks.read(), there, manifest.mark))
        put_back(folder, source, manifest)
        stores = SqliteStores(folder, create=False)
        try:
            stores.upgrade()
        finally:
            stores.close()
        return manifest

    def copy(
        self,
        source: Path | str,
        target: Path | str,
        *,
        acting: Operator,
        origin: Origin,
        progress: Callable[[int, int], None],
    ) -> Sequence[Copied]:
        """Each place is a folder of SQLite or a URL of PostgreSQL. Raises CopyError.

        The copy has the cluster and epoch of the source: what is closed stays closed.
        """

        def finish(tx: SqlTransaction) -> None:
            event = AuditEvent(
                event=Event.ENVIRONMENT_COPY,
                at=self._clock.now(),
                actor=actor_of(acting),
                origin=origin,
                object_type="environment",
                details={"from": _kind(source), "to": _kind(target)},
            )
            tx.record(event)

        with _place(source, create=False) as old, _place(target, create=True) as new:
            if not old.current():
                raise CopyError("the source has the schema of another version; upgrade it first")
            new.upgrade()
            return copy(old, new, progress=progress, finish=finish)

    def upgrade(self) -> None:
        """Bring the stores to this version's schema."""
        stores = stores_of(self._options, create=False)
        try:
            stores.upgrade()
        finally:
            stores.close()

    def check(self) -> list[str]:
        """What is not as it must be, in sentences; empty when all is."""
        stores = stores_of(self._options, create=False)
        try:
            schema = faults_of_schema(stores)
            return [*stores.check(), *schema, *faults_of_privileges(stores)]
        finally:
            stores.close()

    def unfit(self) -> list[str]:
        """What would break the promise where stores are to be made, in sentences. Makes none."""
        if self._options.database is None:
            return faults_of_folder(self._options.folder)
        stores = stores_of(self._options, create=False)
        try:
            return stores.check()
        finally:
            stores.close()

    def closed(self) -> str | None:
        """Why the stores are closed, in a sentence; None when they are open."""
        with self._stores() as stores, transaction(stores.rights, write=False) as connection:
            try:
                judge(connection, Watch(self._marks))
            except StoreClosedError as error:
                return str(error)
        return None

    @contextmanager
    def reopening(self) -> Iterator[Reopen]:
        with self._stores() as stores:
            rights = SqlRights(stores.rights)
            yield Reopen(
                rights=rights,
                tokens=SqlTokens(stores.signins),
                marks=self._marks,
                catalogue=self._options.profile.catalogue,
                barrier=stores.barrier(lambda: rights.longest_lease),
                clock=self._clock,
            )

    @contextmanager
    def _stores(self) -> Iterator[Stores]:
        stores = stores_of(self._options, create=False)
        try:
            if not stores.current():
                raise NotSetUpError("the schema is of another version; run 'keyhalt db upgrade'")
            yield stores
        finally:
            stores.close()

    def _only_sqlite(self, instead: str) -> None:
        if self._options.database is not None:
            raise CopyError(f"the stores are in PostgreSQL; use {instead} (docs/storage.md)")


@contextmanager
def _place(place: Path | str, *, create: bool) -> Iterator[Stores]:
    """A folder, or a URL. Patient: a copy holds its locks until it is done."""
    database = None
    if isinstance(place, str):
        if find_spec("psycopg") is None:
            raise CopyError("PostgreSQL needs its driver: pip install 'keyhalt[postgres]'")
        from keyhalt.storage.postgres import Database, driver_url  # noqa: PLC0415

        try:
            driver_url(place)
        except ValueError as error:
            raise CopyError(f"the URL of the database: {error}") from None
        database = Database(place, statement_seconds=COPY_SECONDS)
    folder = place if isinstance(place, Path) else Path()
    stores = stores_of(StoreOptions(folder=folder, database=database), create=create)
    try:
        yield stores
    finally:
        stores.close()


def _kind(place: Path | str) -> str:
    return "sqlite" if isinstance(place, Path) else "postgresql"
