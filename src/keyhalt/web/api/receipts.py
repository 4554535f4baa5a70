"""The receipt of a key's end as JSON, for the API and for who deleted it on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.web.api.wire import time_text

if TYPE_CHECKING:
    from keyhalt.core.audit import AuditEvent
    from keyhalt.usecases.rows import KeyReceipt


def receipt_json(found: KeyReceipt) -> dict[str, object]:
    key = found.key
    return {
        "keyId": key.id,
        "deletedDate": time_text(key.deleted_at) if key.deleted_at else None,
        "epoch": key.deleted_epoch,
        "inEffect": found.done and _in_effect(found.done),
    }


def _in_effect(done: AuditEvent) -> dict[str, object]:
    told = done.details
    return {
        "date": time_text(done.at),
        "requestId": done.origin.request_id or None,
        "form": told.get("form"),
        "waitedMs": told.get("waited_ms"),
        "acknowledged": told.get("acknowledged"),
        "timedOut": told.get("timed_out"),
        "waitedFor": told.get("waited_for", []),
        "waitedForMore": told.get("waited_for_more", 0),
    }
