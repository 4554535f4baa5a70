"""Passwords of people: Argon2id, so many at once and no more (docs/decisions/0004)."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from keyhalt.core.passwords import normal

if TYPE_CHECKING:
    from keyhalt.core.secrets import Secret


def at_once(processes: int) -> int:
    """How many passwords each of `processes` may check at once: together half of the cores.

    One check costs some 20 ms of a core and 19 MiB. The other half is left to verify keys.
    """
    return max(1, (os.cpu_count() or 1) // (2 * processes))


class Argon2Passwords:
    """`at_once`: how many, whatever thread asks. Who asks for more waits."""

    def __init__(self, at_once: int) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._places = threading.BoundedSemaphore(at_once)
        # Compared with when there is no such user, so that both cost the same.
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    def hash(self, password: Secret) -> str:
        with self._places:
            return self._hasher.hash(normal(password.reveal()))

    def matches(self, password_hash: str | None, password: Secret) -> bool:
        with self._places:
            try:
                self._hasher.verify(password_hash or self._nobody, normal(password.reveal()))
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None
