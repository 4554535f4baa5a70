"""Permissions by name, for a verifier that has no catalogue."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from keyhalt.core.permissions import CatalogueError, Need, PermissionSet

if TYPE_CHECKING:
    from collections.abc import Iterable


class Names:
    """A bit for each name of a permission that came by; good in this process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sets: dict[str, PermissionSet] = {}

    def need(self, name: str) -> Need:
        permission, _, level = name.partition(".")
        if not permission or not level:
            raise CatalogueError(f"{name!r} is no permission; write it as meters.view")
        return Need(permission, level, self._set(name))

    def bits(self, names: Iterable[str]) -> PermissionSet:
        held = 0
        for name in names:
            held |= self._set(name)
        return PermissionSet(held)

    def _set(self, name: str) -> PermissionSet:
        found = self._sets.get(name)
        if found is None:
            with self._lock:
                found = self._sets.setdefault(name, PermissionSet(1 << len(self._sets)))
        return found
