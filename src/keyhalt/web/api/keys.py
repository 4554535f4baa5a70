"""The apiKey operations: contract rows 1 to 5 (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.web.api.wire import RECEIPT, time_text, user_child

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.making_keys import Issued
    from keyhalt.usecases.revoke import DeleteKey
    from keyhalt.usecases.rows import KeyRow


class KeyBody(BaseModel):
    """Create and edit. The client leaves out what is null; a null description changes nothing."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: str = Field(alias="apiKeyName", max_length=60)
    description: str | None = Field(None, alias="apiKeyDescription", max_length=4000)


@dataclass(frozen=True, slots=True)
class KeyHandlers:
    issue: IssueKey
    delete_key: DeleteKey
    look_up: LookUp

    def list(self, call: Call) -> Reply | Refused:
        rows = self.look_up.keys(
            call.principal.datasource_id, filter_text=call.query.get("filter", "")
        )
        return rows if isinstance(rows, Refused) else Reply([key_json(row) for row in rows])

    def get(self, call: Call) -> Reply | Denied:
        row = self.look_up.key(call.principal.datasource_id, call.ids["apiKeyId"])
        return row if isinstance(row, Denied) else Reply(key_json(row))

    def create(self, call: Call) -> Reply | Denied | Refused:
        """The owner is the caller; the text is in this answer and nowhere else, ever."""
        issued = self.issue.create(
            call.principal,
            datasource_id=call.principal.datasource_id,
            owner_id=call.principal.user_id,
            name=call.body.name,
            description=call.body.description or "",
            origin=call.origin,
        )
        if isinstance(issued, Denied | Refused):
            return issued
        return Reply(created_json(issued))

    def edit(self, call: Call) -> Reply | Denied | Refused:
        row = self.issue.edit(
            call.principal,
            datasource_id=call.principal.datasource_id,
            key_id=call.ids["apiKeyId"],
            name=call.body.name,
            description=call.body.description,
            origin=call.origin,
        )
        return row if isinstance(row, Denied | Refused) else Reply(key_json(row))

    def delete(self, call: Call) -> Reply | Denied:
        receipt = self.delete_key(
            call.principal,
            datasource_id=call.principal.datasource_id,
            key_id=call.ids["apiKeyId"],
            origin=call.origin,
        )
        if isinstance(receipt, Denied):
            return receipt
        return Reply(status=204, headers=((RECEIPT, str(receipt)),))


def operations(handlers: KeyHandlers, needs: Needs) -> list[Operation]:
    one = "/api/v3/apiKey/{apiKeyId}"
    view, manage = needs.view_keys, needs.manage_keys
    return [
        Operation("GetApiKeysV3", "GET", "/api/v3/apiKey", view, handlers.list),
        Operation("CreateApiKeyV3", "POST", "/api/v3/apiKey", manage, handlers.create, KeyBody),
        Operation("GetApiKeyV3", "GET", one, view, handlers.get),
        Operation("EditApiKeyV3", "PUT", one, manage, handlers.edit, KeyBody),
        Operation("DeleteApiKeyV3", "DELETE", one, manage, handlers.delete),
    ]


def created_json(issued: Issued) -> dict[str, object]:
    """A new key with its text, for the only time."""
    return {"apiKey": issued.text.reveal(), **key_json(issued.row)}


def key_json(row: KeyRow) -> dict[str, object]:
    """A key as it may be shown, ever."""
    return {
        "apiKeyId": row.id,
        "apiKeyName": row.name,
        "apiKeyDescription": row.description,
        "createdBy": user_child(row.owner_id, row.owner_code, row.owner_full_name),
        "createdDate": time_text(row.created_at),
    }
