"""A database that goes silent: connections stay open, packets are acknowledged, nothing is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from keyhalt.core.decisions import Allowed, Denied
from keyhalt.storage.patience import Punctual
from keyhalt.storage.postgres import Database
from keyhalt.system.clock import boottime
from keyhalt.usecases.barrier import Receipt
from keyhalt.usecases.ports import StoreUnavailableError
from tests.storage.test_guard import ask, changes, remembers
from tests.world import World, make_world, until


class Between:
    """Carries bytes to the database, until a client says `last_words`.

    What comes after them is lost, on every connection there is and on new ones; once told to
    `speak`, on new ones no more. `answered`: whether the answer to the last words comes back.
    """

    def __init__(self, database_url: str) -> None:
        with psycopg.connect(database_url) as connection:
            self._host, self._port = connection.info.host, connection.info.port
            user = connection.info.user
        self._listener = socket.create_server(("127.0.0.1", 0))
        here = {"host": "127.0.0.1", "port": self._listener.getsockname()[1], "query": {}}
        url = make_url(database_url).set(username=user, **here)
        self.url = url.render_as_string(hide_password=False)
        self.last_words: bytes | None = None
        self.answered = True
        self._silent = False
        self._live: list[_Carried] = []
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def speak(self) -> None:
        self._silent = False

    def cut(self) -> None:
        """End every connection there is, as a link or a pooler that goes away does."""
        for each in self._live:
            with suppress(OSError):
                each.near.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                carried = _Carried(near, self._connect(), speaks=not self._silent)
                self._sockets += [near, carried.far]
                self._live.append(carried)
                self._start(self._forth, carried)
                self._start(self._back, carried)

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return far

    def _forth(self, carried: _Carried) -> None:
        with suppress(OSError):
            while data := carried.near.recv(65536):
                if self.last_words is not None and self.last_words in data:
                    self.last_words, self._silent = None, True
                    for each in self._live:
                        each.speaks = False
                    carried.last_answers = int(self.answered)
                    carried.far.sendall(data)
                elif carried.speaks:
                    carried.far.sendall(data)
            carried.far.shutdown(socket.SHUT_RDWR)

    def _back(self, carried: _Carried) -> None:
        with suppress(OSError):
            while data := carried.far.recv(65536):
                if carried.speaks or carried.last_answers:
                    carried.last_answers = 0
                    carried.near.sendall(data)


@dataclass
class _Carried:
    near: socket.socket
    far: socket.socket
    speaks: bool
    last_answers: int = 0


@pytest.fixture
def store() -> str:
    return "postgresql"


@pytest.fixture
def between(database_url: str) -> Iterator[Between]:
    made = Between(database_url)
    yield made
    made.close()


@pytest.fixture
def behind(tmp_path: Path, database_url: str, between: Between) -> Iterator[World]:
    """A world that asks through `between`, with leases of a second."""
    made = make_world(
        tmp_path / "data",
        database=Database(between.url, statement_seconds=1.0),
        lease_seconds=1.0,
    )
    yield made
    made.close()


def answers(world: World) -> bool:
    """Whether a lease is held again, and a change could be made."""
    try:
        return world.engine.ready() and world.engine.look_up.datasource("acme") is not None
    except StoreUnavailableError:
        return False


def test_a_database_that_goes_silent_after_a_commit_keeps_no_change_for_ever(
    behind: World, between: Between, database_url: str
) -> None:
    """The wait ends when nobody can hold a lease from before; and nobody does."""
    _, key = behind.key(behind.user("jsmith", "orders.view"))
    direct = behind.other(database=Database(database_url))
    for engine in (behind.engine, direct):
        assert isinstance(ask(engine, key), Allowed)
        assert remembers(engine, key)
    between.last_words = b"COMMIT\0"
    receipt = changes(behind)["delete_key"]()
    assert isinstance(receipt, Receipt)
    assert receipt.waited_ms >= 1250
    for engine in (behind.engine, direct):
        assert isinstance(ask(engine, key), Denied)
    # What was silent is given up on, and the lease comes back without a restart.
    between.speak()
    until(lambda: answers(behind))
    _, other = behind.key(behind.user("ada", "orders.view"))
    until(lambda: isinstance(ask(behind.engine, other), Allowed))
    until(lambda: remembers(behind.engine, other))


def test_the_lease_comes_back_after_connections_that_end_without_a_word(
    behind: World, between: Between
) -> None:
    """Its keeper mostly waits for a word from the database when that happens."""
    until(behind.engine.ready)
    page = behind.engine.freshness
    for _ in range(5):
        before = page.deadline
        between.cut()
        until(lambda before=before: page.deadline > before)  # type: ignore[misc]


def test_a_commit_that_is_never_answered_is_not_reported_as_done(
    behind: World, between: Between, database_url: str
) -> None:
    """Its outcome is unknown: unavailable. Once asked again, it promises what the first would."""
    _, key = behind.key(behind.user("jsmith", "orders.view"))
    direct = behind.other(database=Database(database_url))
    assert isinstance(ask(direct, key), Allowed)
    between.answered = False
    between.last_words = b"COMMIT\0"
    with pytest.raises(StoreUnavailableError, match="said nothing"):
        changes(behind)["delete_key"]()
    between.speak()
    until(lambda: answers(behind))
    assert isinstance(changes(behind)["delete_key"](), Receipt)
    for engine in (behind.engine, direct):
        assert isinstance(ask(engine, key), Denied)


class Held:
    """A barrier whose database is never heard of again."""

    def __init__(self) -> None:
        self.end = threading.Event()

    def guard_seconds(self) -> float:
        return 0.125

    def wait(self, epoch: int) -> Receipt:
        self.end.wait()
        return Receipt(epoch, form="barrier")


def test_whatever_holds_up_who_asks_for_it_a_change_returns_in_its_time() -> None:
    """R5: when no lease can last any more nobody has to be asked, nor waited for."""
    held = Held()
    receipt = Punctual(held, boottime).wait(7)
    assert receipt.epoch == 7
    assert receipt.waited_ms >= 125
    held.end.set()
