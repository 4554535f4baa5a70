"""Advice about keys: ours (docs/wire.md, docs/use.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.refusals import Refused
from keyhalt.usecases.advise import DAYS
from keyhalt.web.api.key_uses import days_of
from keyhalt.web.api.wire import time_text

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.advise import Advise
    from keyhalt.usecases.look_up_use import LookUpUse


@dataclass(frozen=True, slots=True)
class AdviceHandlers:
    advise: Advise
    look_up_use: LookUpUse

    def list(self, call: Call) -> Reply | Refused:
        days = days_of(call.query, DAYS)
        if isinstance(days, Refused):
            return days
        since = self.look_up_use.counted_since()
        advice = [
            {
                "kind": each.advice.kind.value,
                "keyId": each.key.id if each.key else None,
                "keyName": each.key.name if each.key else None,
                "owner": each.owner_code,
                "says": each.advice.says,
                "nextStep": each.advice.next_step,
                "evidence": {name: _plain(value) for name, value in each.advice.evidence.items()},
            }
            for each in self.advise(call.principal.datasource_id, days=days)
        ]
        return Reply({"countedSince": since and since.isoformat(), "advice": advice})


def operations(handlers: AdviceHandlers, needs: Needs) -> list[Operation]:
    path = "/api/keyhalt/v1/advice"
    return [Operation("GetAdvice", "GET", path, needs.view_keys, handlers.list)]


def _plain(value: object) -> object:
    return time_text(value) if isinstance(value, datetime) else value
