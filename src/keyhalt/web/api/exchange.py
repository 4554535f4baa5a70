"""Exchange a partition for a token: contract row 8 (docs/wire.md, "Sign-in")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused

if TYPE_CHECKING:
    from keyhalt.usecases.exchange import ExchangeToken


@dataclass(frozen=True, slots=True)
class ExchangeHandlers:
    verb: ExchangeToken

    def exchange(self, call: Call) -> Reply | Denied | Refused:
        token = self.verb(call.principal, call.query.get("partition", ""), call.origin)
        return token if isinstance(token, Denied | Refused) else Reply({"value": token.reveal()})


def operations(handlers: ExchangeHandlers) -> list[Operation]:
    path = "/api/v3/exchange/eco"
    return [Operation("CreateTokenForPartitionV3", "GET", path, None, handlers.exchange)]
