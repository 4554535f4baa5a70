"""Those who ask without a pause while the chaos run breaks things, and what they share with it."""

from __future__ import annotations

import http.client
import mmap
import random
import threading
from typing import TYPE_CHECKING

from proofs.servers import ACCEPTED, PATH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proofs.servers import Address

PROCESSES = 2
THREADS = 4
KEYS = 8
"""How many keys are asked about at a time."""
_SPACE = 160
_NUMBER = 8
_COUNTS = 3
_STOP = KEYS * _SPACE + KEYS
_SIZE = _STOP + 1 + PROCESSES * THREADS * _COUNTS * _NUMBER


class Board:
    """Memory that all processes of a run see: a file's, so that a killed one leaves nothing.

    Per key its text and the word that is set once its delete has returned; per client how much it
    asked, how much of that later than the word, and how much of that was allowed.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _SIZE)

    def write(self, texts: Sequence[str]) -> None:
        """The next keys: words first, so that none is read beside another's text."""
        for which in range(KEYS):
            self._bytes[KEYS * _SPACE + which] = 0
        for which, text in enumerate(texts):
            self._bytes[which * _SPACE : (which + 1) * _SPACE] = text.encode().ljust(_SPACE, b"\0")

    def key(self, which: int) -> str:
        """Empty before there is one; half of two while it is written, which no server knows."""
        padded = self._bytes[which * _SPACE : (which + 1) * _SPACE]
        return padded.rstrip(b"\0").decode("ascii", "replace")

    def set_returned(self, which: int) -> None:
        self._bytes[KEYS * _SPACE + which] = 1

    def returned(self, which: int) -> bool:
        return bool(self._bytes[KEYS * _SPACE + which])

    def stop(self) -> None:
        self._bytes[_STOP] = 1

    @property
    def stopped(self) -> bool:
        return bool(self._bytes[_STOP])

    def count(self, client: int, *, later: bool, allowed: bool) -> None:
        self._add(client * _COUNTS)
        if later:
            self._add(client * _COUNTS + 1)
            if allowed:
                self._add(client * _COUNTS + 2)

    def counts(self) -> tuple[int, int, int]:
        """Asked, later, allowed later: of all clients."""
        numbers = [self._number(each) for each in range(PROCESSES * THREADS * _COUNTS)]
        return sum(numbers[::3]), sum(numbers[1::3]), sum(numbers[2::3])

    def _at(self, number: int) -> slice:
        start = _STOP + 1 + number * _NUMBER
        return slice(start, start + _NUMBER)

    def _number(self, number: int) -> int:
        return int.from_bytes(self._bytes[self._at(number)], "big")

    def _add(self, number: int) -> None:
        self._bytes[self._at(number)] = (self._number(number) + 1).to_bytes(_NUMBER, "big")


def ask_until_stopped(number: int, path: Path, servers: Sequence[Address]) -> None:
    """One process of clients."""
    board = Board(path)
    clients = [number * THREADS + each for each in range(THREADS)]
    threads = [threading.Thread(target=_ask, args=(each, board, servers)) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask(client: int, board: Board, servers: Sequence[Address]) -> None:
    choose = random.Random(client)
    open_to: dict[Address, http.client.HTTPConnection] = {}
    while not board.stopped:
        which, server = choose.randrange(KEYS), choose.choice(servers)
        # The word between two looks at the key, so that it is this key's.
        key = board.key(which)
        later = board.returned(which)
        if key and board.key(which) == key:
            status = _status(open_to, server, key)
            if status:
                board.count(client, later=later, allowed=status == ACCEPTED)
    for connection in open_to.values():
        connection.close()


def _status(open_to: dict[Address, http.client.HTTPConnection], server: Address, key: str) -> int:
    """0 where there was no answer."""
    connection = open_to.get(server) or http.client.HTTPConnection(*server, timeout=20)
    open_to[server] = connection
    try:
        connection.request("GET", PATH, headers={"ECI-ApiKey": key})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        del open_to[server]
        return 0
    return answer.status
