"""The app: its operations, and what the engine asks about its trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt import Node
from keyhalt_energy import sample, trees
from keyhalt_energy.scope import TREES
from keyhalt_energy.store import open_store
from keyhalt_energy.table import operations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyhalt import AppContext, Operation


class EnergyApp:
    """An `App` of keyhalt."""

    def __init__(self, context: AppContext) -> None:
        self._store = open_store(context)
        self._operations = operations(self._store, context)

    def operations(self) -> Sequence[Operation]:
        return self._operations

    def contains(self, datasource_id: int, hierarchy: str, ancestor: int, node: int) -> bool:
        tree = TREES.get(hierarchy)
        if tree is None:
            return False
        with self._store.read() as connection:
            return trees.contains(connection, tree, datasource_id, ancestor=ancestor, node=node)

    def describe(self, datasource_id: int, hierarchy: str, ids: Sequence[int]) -> Sequence[Node]:
        tree = TREES.get(hierarchy)
        if tree is None:
            return []
        with self._store.read() as connection:
            nodes = trees.described(connection, tree, datasource_id, ids)
        return [nodes[number] for number in ids if number in nodes]

    def load_sample(
        self,
        datasource_id: int,
        user_id: int,
        *,
        sizes: Mapping[str, int],
        progress: Callable[[int, int], None],
    ) -> Sequence[Mapping[str, int]]:
        """`sizes`: `meters` and `bills`. Views: all of it, a campus, a building of another one."""
        size = sample.size_of(sizes)
        return sample.load(self._store, datasource_id, user_id, size, progress)

    def close(self) -> None:
        self._store.close()
