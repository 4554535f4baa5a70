"""Passwords of people: Argon2id, at most as many at once as there are cores.

One check costs some 20 ms and 19 MiB, so without the limit a sign-in storm would starve
everything else (docs/decisions/0004).
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

if TYPE_CHECKING:
    from keyhalt.core.secrets import Secret


class Argon2Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._places = threading.BoundedSemaphore(os.cpu_count() or 1)
        # Compared with when there is no such user, so that both cost the same.
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    def hash(self, password: Secret) -> str:
        with self._places:
            return self._hasher.hash(password.reveal())

    def matches(self, password_hash: str | None, password: Secret) -> bool:
        with self._places:
            try:
                self._hasher.verify(password_hash or self._nobody, password.reveal())
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None
