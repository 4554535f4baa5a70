"""The password of somebody else: ours, EnergyCAP has no operation for it (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.web.api.wire import RECEIPT, time_text

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.reset_password import ResetPassword


class ResetBody(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    password: str = Field(max_length=1024, repr=False)
    must_change: bool | None = Field(None, alias="forcePasswordChange")


@dataclass(frozen=True, slots=True)
class PasswordHandlers:
    verb: ResetPassword

    def reset(self, call: Call) -> Reply | Denied | Refused:
        """Says how many keys were made since the password of before, so that they can be ended."""
        body: ResetBody = call.body
        reset = self.verb(
            call.principal,
            datasource_id=call.principal.datasource_id,
            user_id=call.ids["userId"],
            password=Secret(body.password),
            must_change=body.must_change is not False,
            origin=call.origin,
        )
        if isinstance(reset, Denied | Refused):
            return reset
        keys = {"madeSince": time_text(reset.since), "count": reset.keys}
        answer = {"userId": reset.user.user_id, "userCode": reset.user.user_code, "keys": keys}
        return Reply(answer, headers=((RECEIPT, str(reset.receipt)),))


def operations(handlers: PasswordHandlers, needs: Needs) -> list[Operation]:
    return [
        Operation(
            "ResetPassword",
            "PUT",
            "/api/keyhalt/v1/users/{userId}/password",
            needs.reset_passwords,
            handlers.reset,
            ResetBody,
            hashes=True,
        )
    ]
