"""The rule against escalation, asked here only: nobody gives or takes beyond their own rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.permissions import excess
from keyhalt.core.principals import Operator

if TYPE_CHECKING:
    from keyhalt.core.permissions import Catalogue, Excess, Power
    from keyhalt.core.principals import Acting
    from keyhalt.usecases.ports import RightsTransaction, Trees


@dataclass(frozen=True, slots=True)
class Covering:
    """Whether who acts covers what they touch: call it inside the transaction that changes."""

    trees: Trees
    catalogue: Catalogue

    def refuse(self, tx: RightsTransaction, acting: Acting, *touched: Power) -> Denied | None:
        """A denial that names what of `touched` is beyond who acts, as this transaction sees both.

        An operator is not asked: whoever can write the store's files has it all.
        """
        if isinstance(acting, Operator):
            return None
        datasource_id = acting.datasource_id
        held = tx.users.get(datasource_id, acting.user_id)
        assert held is not None  # noqa: S101 - check_again has found it in this transaction

        def contains(hierarchy: str, ancestor: int, node: int) -> bool:
            return self.trees.contains(datasource_id, hierarchy, ancestor, node)

        for power in touched:
            beyond = excess(held.power, power, contains)
            if beyond is not None:
                return Denied(Reason.BEYOND_OWN_RIGHTS, need=self._said(beyond))
        return None

    def _said(self, beyond: Excess) -> str:
        for name in self.catalogue.names(beyond.permissions):
            return name
        for hierarchy, node in beyond.topmosts:
            return f"{hierarchy} {node}"
        return "a permission that this version does not know"
