"""What keys do: ours, EnergyCAP has no such (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.paging import whole_number
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.look_up_use import DAYS, DAYS_MAX, LATE_SECONDS
from keyhalt.web.api.wire import time_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_use import LookUpUse
    from keyhalt.usecases.uses import LastUse


@dataclass(frozen=True, slots=True)
class KeyUseHandlers:
    profile: Profile
    look_up: LookUp
    look_up_use: LookUpUse

    def last(self, call: Call) -> Reply:
        """Of every key of the datasource that was ever used, by id."""
        found = self.look_up_use.last(call.principal.datasource_id)
        rows = [{"keyId": key_id, "lastUsed": _last(found[key_id])} for key_id in sorted(found)]
        return Reply({"keys": rows, "lateSeconds": LATE_SECONDS})

    def get(self, call: Call) -> Reply | Denied | Refused:
        days = days_of(call.query, DAYS)
        if isinstance(days, Refused):
            return days
        datasource_id, key_id = call.principal.datasource_id, call.ids["keyId"]
        if self.look_up.any_key(datasource_id, key_id) is None:
            return Denied(Reason.NOT_FOUND)
        use = self.look_up_use.of(datasource_id, [key_id], days=days)[key_id]
        allowed, denied = use.last_24_hours
        body = {
            "keyId": key_id,
            "lastUsed": _last(use.last) if use.last else None,
            "last24Hours": {"allowed": allowed, "denied": denied},
            "days": [
                {"day": each.day.isoformat(), "allowed": each.allowed, "denied": each.denied}
                for each in use.days
            ],
            "deniedByReason": dict(use.denied),
            "permissions": list(self.profile.catalogue.names(use.permissions)),
            "lateSeconds": LATE_SECONDS,
        }
        return Reply(body)


def days_of(query: Mapping[str, str], default: int) -> int | Refused:
    """The parameter `days`: how far to look back."""
    days = whole_number(query.get("days", str(default)))
    if days is None or days > DAYS_MAX:
        says = f"days must be a whole number from 1 to {DAYS_MAX}"
        return Refused(Fault.INVALID_QUERY, says, field="days")
    return days


def operations(handlers: KeyUseHandlers) -> list[Operation]:
    view = handlers.profile.needs.view_keys
    one = "/api/keyhalt/v1/keys/{keyId}/use"
    return [
        Operation("GetKeysLastUsed", "GET", "/api/keyhalt/v1/keys/use", view, handlers.last),
        Operation("GetKeyUse", "GET", one, view, handlers.get),
    ]


def _last(last: LastUse) -> dict[str, object]:
    return {
        "at": time_text(last.at),
        "network": last.network,
        "agent": last.agent,
        "operation": last.operation,
    }
