"""The hierarchies of the apps behind the keys, as the engine asks about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from keyhalt.client.operations import App

_IDS_MAX = 1_000


@dataclass(slots=True)
class Trees:
    """`apps` is set once, by whoever puts server and apps together; until then there is no node."""

    apps: Sequence[App] = ()

    def contains(self, datasource_id: int, hierarchy: str, ancestor: int, node: int) -> bool:
        """Whether `node` is `ancestor` or lies below it, now."""
        return any(app.contains(datasource_id, hierarchy, ancestor, node) for app in self.apps)

    def describe(
        self, datasource_id: int, hierarchy: str, ids: Iterable[int]
    ) -> Mapping[int, Node]:
        """Each of the nodes; one that no app knows has its id only."""
        wanted = list(dict.fromkeys(ids))
        nodes = {number: Node(number, "", "") for number in wanted}
        for app in self.apps:
            for start in range(0, len(wanted), _IDS_MAX):
                some = wanted[start : start + _IDS_MAX]
                nodes |= {n.id: n for n in app.describe(datasource_id, hierarchy, some)}
        return nodes
