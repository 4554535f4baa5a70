"""Keys of a running contender, made and deleted by its own means, and what it says to each kind."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

GOOD, MALFORMED, FORGED, DELETED = "good", "malformed", "forged", "deleted"
MIXED = "mixed"
"""Of sixteen requests, in turn, thirteen with good keys and one with each other kind."""
KINDS = (GOOD, MALFORMED, FORGED, DELETED, MIXED)
COUNT = 16


@dataclass(frozen=True, slots=True)
class Key:
    id: str
    header: str
    texts: Mapping[str, str]
    """By kind."""


def ask(method: str, port: int, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def make(port: int) -> Key:
    status, body = ask("POST", port, "/keys", {})
    if status != 200:
        raise OSError(f"no key was made: {status} {body[:200]!r}")
    told = json.loads(body)
    texts = {kind: told[kind] for kind in (GOOD, MALFORMED, FORGED)}
    return Key(told["id"], told["header"], texts | {DELETED: told["good"]})


def delete(port: int, key: Key) -> None:
    status, body = ask("DELETE", port, f"/keys/{key.id}", {})
    if status not in {200, 204}:
        raise OSError(f"key {key.id} was not deleted: {status} {body[:200]!r}")


class Ring:
    """Some keys of one contender: half stay, half were used and then deleted."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self._port, self._path, self._headers = port, path, headers
        self._stay = [make(port) for _ in range(COUNT)]
        self._gone = [make(port) for _ in range(COUNT)]
        self._kept = list(self._gone)
        for key in self._gone:
            self._expect(key, GOOD, {200})

    def sent(self, kind: str) -> list[dict[str, str]]:
        """The headers of requests with keys of this kind."""
        if kind == MIXED:
            others = (MALFORMED, FORGED, DELETED)
            good = self.sent(GOOD)[len(others) :]
            return [*good, *(self.sent(other)[0] for other in others)]
        keys = self._gone if kind == DELETED else self._stay
        return [{**self._headers, key.header: key.texts[kind]} for key in keys]

    def delete(self) -> None:
        """Once, however often it is asked for."""
        while self._kept:
            delete(self._port, self._kept.pop())

    def check(self, kind: str) -> None:
        """Raises OSError where a good key is refused or another accepted."""
        if kind == MIXED:
            for each in (GOOD, MALFORMED, FORGED, DELETED):
                self.check(each)
            return
        key = (self._gone if kind == DELETED else self._stay)[0]
        self._expect(key, kind, {200} if kind == GOOD else {401, 403})

    def _expect(self, key: Key, kind: str, wanted: set[int]) -> None:
        headers = {**self._headers, key.header: key.texts[kind]}
        status, body = ask("GET", self._port, self._path, headers)
        if status not in wanted:
            raise OSError(f"a {kind} key was answered with {status}: {body[:200]!r}")
