"""One's own sessions of the web pages: ours, EnergyCAP has no operation for it (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import NO_CONTENT, Call, Operation, Reply
from keyhalt.web.api.wire import time_text

if TYPE_CHECKING:
    from keyhalt.core.decisions import Denied
    from keyhalt.usecases.sessions import WebSessions


@dataclass(frozen=True, slots=True)
class SessionHandlers:
    verbs: WebSessions

    def list(self, call: Call) -> Reply:
        return Reply(
            [
                {
                    "sessionId": row.id,
                    "createdDate": time_text(row.created_at),
                    "seenDate": time_text(row.seen_at),
                    "expiresDate": time_text(row.expires_at),
                }
                for row in self.verbs.of(call.principal)
            ]
        )

    def end(self, call: Call) -> Reply | Denied:
        return self.verbs.end(call.principal, call.ids["sessionId"], call.origin) or NO_CONTENT


def operations(handlers: SessionHandlers) -> list[Operation]:
    mine = "/api/keyhalt/v1/me/sessions"
    return [
        Operation("GetMySessions", "GET", mine, None, handlers.list),
        Operation("EndMySession", "DELETE", f"{mine}/{{sessionId}}", None, handlers.end),
    ]
