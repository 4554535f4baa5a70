"""Another key in the place of one, with just what that one used: ours (docs/use.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.look_up_use import DAYS_MAX
from keyhalt.usecases.narrow import DAYS, Wish
from keyhalt.usecases.people import CODE_MAX
from keyhalt.web.api.key_uses import days_of
from keyhalt.web.api.keys import created_json

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.narrow import NarrowKey

_PERMISSIONS_MAX = 2_000


class NarrowBody(BaseModel):
    """What is left out is as the dry run proposes it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    days: int = Field(DAYS, ge=1, le=DAYS_MAX)
    permissions: list[str] | None = Field(None, max_length=_PERMISSIONS_MAX)
    user_code: str | None = Field(None, alias="userCode", max_length=CODE_MAX)


@dataclass(frozen=True, slots=True)
class NarrowingHandlers:
    narrow: NarrowKey

    def plan(self, call: Call) -> Reply | Denied | Refused:
        """The dry run. `permissions`: names, with commas between them."""
        days = days_of(call.query, DAYS)
        if isinstance(days, Refused):
            return days
        said = call.query.get("permissions")
        wish = Wish(days, None if said is None else [each for each in said.split(",") if each])
        plan = self.narrow.plan(call.principal.datasource_id, call.ids["keyId"], wish)
        if isinstance(plan, Denied | Refused):
            return plan
        body = {
            "keyId": plan.key.id,
            "owner": plan.key.owner_code,
            "held": plan.held,
            "permissions": list(plan.permissions),
            "wouldHaveRefused": [
                {
                    "permission": each.permission,
                    "lastDay": each.last_day.isoformat(),
                    "weeks": each.weeks,
                    "by": list(each.by),
                }
                for each in plan.missing
            ],
            "givesRights": plan.gives_rights,
        }
        return Reply(body)

    def make(self, call: Call) -> Reply | Denied | Refused:
        """The text is in this answer and nowhere else, ever."""
        body: NarrowBody = call.body
        made = self.narrow.make(
            call.principal,
            datasource_id=call.principal.datasource_id,
            key_id=call.ids["keyId"],
            wish=Wish(body.days, body.permissions, body.user_code),
            origin=call.origin,
        )
        if isinstance(made, Denied | Refused):
            return made
        more = {"inPlaceOf": call.ids["keyId"], "userRoleId": made.role.id}
        return Reply({**created_json(made.issued), **more})


def operations(handlers: NarrowingHandlers, needs: Needs) -> list[Operation]:
    path = "/api/keyhalt/v1/keys/{keyId}/narrowing"
    return [
        Operation("GetNarrowing", "GET", path, needs.view_keys, handlers.plan),
        Operation("NarrowKey", "POST", path, needs.manage_keys, handlers.make, NarrowBody),
    ]
