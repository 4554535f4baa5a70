"""Keys that keys made, and keys made since a time: ours, EnergyCAP has no such (docs/wire.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from keyhalt.client.operations import Call, Operation, Reply
from keyhalt.core.decisions import Denied
from keyhalt.web.api.keys import key_json
from keyhalt.web.api.receipts import receipt_json
from keyhalt.web.api.wire import RECEIPT, time_text

if TYPE_CHECKING:
    from keyhalt.core.profiles import Needs
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.revoke import DeleteKey, Ended
    from keyhalt.usecases.rows import KeyRow


class EndKeysBody(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    made_since: AwareDatetime = Field(alias="madeSince", strict=False)


@dataclass(frozen=True, slots=True)
class KeyTreeHandlers:
    delete_key: DeleteKey
    look_up: LookUp

    def list(self, call: Call) -> Reply | Denied:
        rows = self.look_up.key_tree(call.principal.datasource_id, call.ids["keyId"])
        return rows if isinstance(rows, Denied) else Reply([_key(row) for row in rows])

    def receipt(self, call: Call) -> Reply | Denied:
        found = self.look_up.key_receipt(call.principal.datasource_id, call.ids["keyId"])
        return found if isinstance(found, Denied) else Reply(receipt_json(found))

    def end(self, call: Call) -> Reply | Denied:
        ended = self.delete_key.with_offspring(
            call.principal,
            datasource_id=call.principal.datasource_id,
            key_id=call.ids["keyId"],
            origin=call.origin,
        )
        return ended if isinstance(ended, Denied) else _ended(ended)

    def end_made_since(self, call: Call) -> Reply | Denied:
        since: datetime = call.body.made_since
        ended = self.delete_key.made_since(
            call.principal,
            datasource_id=call.principal.datasource_id,
            user_id=call.ids["userId"],
            since=since,
            origin=call.origin,
        )
        return ended if isinstance(ended, Denied) else _ended(ended)


def operations(handlers: KeyTreeHandlers, needs: Needs) -> list[Operation]:
    tree = "/api/keyhalt/v1/keys/{keyId}/tree"
    user = "/api/keyhalt/v1/users/{userId}/end-keys"
    receipt = "/api/keyhalt/v1/keys/{keyId}/receipt"
    manage = needs.manage_keys
    return [
        Operation("GetKeyReceipt", "GET", receipt, manage, handlers.receipt),
        Operation("GetKeyTree", "GET", tree, needs.view_keys, handlers.list),
        Operation("EndKeyTree", "DELETE", tree, manage, handlers.end),
        Operation("EndKeysOfUser", "POST", user, manage, handlers.end_made_since, EndKeysBody),
    ]


def _key(row: KeyRow) -> dict[str, object]:
    made_with = {"kind": row.made_with.kind.value, "id": row.made_with.id or None}
    return {
        **key_json(row),
        "madeBy": row.made_by,
        "madeWith": made_with,
        "deletedDate": time_text(row.deleted_at) if row.deleted_at else None,
    }


def _ended(ended: Ended) -> Reply:
    headers = ((RECEIPT, str(ended.receipt)),) if ended.receipt else ()
    return Reply({"ended": [key.id for key in ended.keys]}, headers=headers)
