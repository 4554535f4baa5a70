"""Bill audits: contract rows 31 to 33. The settings are kept; nothing is found by them yet.

They are the datasource's, not a place's: whoever may see or change them does so for all of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model
from sqlalchemy import delete, insert, select

from keyhalt import Call, Fault, Refused, Reply
from keyhalt_energy.clock import now
from keyhalt_energy.schema import audit_setting
from keyhalt_energy.wire import ID_MAX, Id, Wire, reduced

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from keyhalt_energy.store import Store

# The contract's 25 settings, each with what it has beside status, least cost and assignees.
SETTINGS: dict[str, dict[str, Any]] = {
    "billContainsLineItemDescriptions": {"lineItemDescriptions": []},
    "billContainsLineItemTypes": {"lineItemTypes": []},
    "totalBillCostDoesNotMatchLineItemTypes": {"lineItemTypes": []},
    "billingPeriodOutsideStartEndDates": {},
    "billOverlapsWithOtherAccountBill": {},
    "gapBetweenBillAndPreviousBillOnAccount": {},
    "billEndsInFuture": {},
    "accountHasMultipleBillsInBillingPeriod": {},
    "statementDateBeforeEndDate": {},
    "dueDateBeforeEndDate": {},
    "billSignificantlyShorterOrLongerThanPrevious": {"percentLengthVariance": 20},
    "tooManyConsecutiveEstimatedBills": {"bills": 3},
    "dueDateTooLongAfterBillEnd": {"days": 60},
    "statementDateTooLongAfterBillEnd": {"days": 30},
    "invoiceNumberIsRepeatedOnAccount": {},
    "likelyDuplicateBillOnAccount": {},
    "totalMeterCostIsPercentageHigherThanPastYear": {},
    "totalMeterUseIsPercentageHigherThanPastYear": {},
    "serialNumberDoesNotMatchImportFile": {},
    "rateCodeDoesNotMatchImportFile": {},
    "importFileStartDateAdjustedToPreventGaps": {},
    "accountAlertExistsOnAccountInImportFile": {},
    "abnormalBillCostWithOutlierAnalysis": {"sensitivity": "Medium"},
    "abnormalBillUseWithOutlierAnalysis": {"sensitivity": "Medium"},
    "abnormalBillDemandWithOutlierAnalysis": {"sensitivity": "Medium"},
}


class AuditSetting(Wire):
    setting_status: Literal["Check", "Hold", "Skip"]
    minimum_cost: int | None = Field(None, ge=0, le=ID_MAX)
    assignees: list[Id] | None = Field(None, max_length=1000)
    line_item_descriptions: list[str] | None = Field(None, max_length=1000)
    line_item_types: list[str] | None = Field(None, max_length=1000)
    percent_length_variance: int | None = Field(None, ge=0, le=ID_MAX)
    bills: int | None = Field(None, ge=1, le=ID_MAX)
    days: int | None = Field(None, ge=0, le=ID_MAX)
    sensitivity: str | None = Field(None, max_length=64)


_FIELDS: Any = {name: (AuditSetting, Field(alias=name)) for name in SETTINGS}
AuditSettings: Any = create_model("AuditSettings", __base__=Wire, **_FIELDS)
"""All 25 are required, as the contract says."""


class Audits:
    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, call: Call) -> Reply | Refused:
        """Accepted, and answered as the contract says: without a body."""
        text = call.query.get("listId", "")
        if text and not (text.isascii() and text.isdigit() and int(text[:11]) <= ID_MAX):
            return Refused(Fault.INVALID_QUERY, "listId must be a whole number.", "listId")
        return Reply()

    def get(self, call: Call) -> Reply:
        with self._store.read() as connection:
            body = _settings(connection, call.principal.datasource_id)
        return Reply(reduced(body, call.query))

    def edit(self, call: Call) -> Reply:
        ds, at = call.principal.datasource_id, now()
        by = {"datasource_id": ds, "modified_by_id": call.principal.user_id, "modified_at": at}
        rows = [
            by | {"code": name, "value": _value(name, getattr(call.body, name))}
            for name in SETTINGS
        ]
        with self._store.write() as connection:
            connection.execute(delete(audit_setting).where(audit_setting.c.datasource_id == ds))
            connection.execute(insert(audit_setting), rows)
            body = _settings(connection, ds)
        return Reply(body)


def _value(name: str, setting: AuditSetting) -> dict[str, Any]:
    sent = setting.model_dump(by_alias=True, exclude_none=True)
    common = {"settingStatus", "minimumCost", "assignees"}
    return {key: sent[key] for key in sent if key in common | SETTINGS[name].keys()}


def _settings(connection: Connection, datasource_id: int) -> dict[str, object]:
    own = audit_setting.c.datasource_id == datasource_id
    query = select(audit_setting.c.code, audit_setting.c.value).where(own)
    stored = {row.code: row.value for row in connection.execute(query)}
    return {name: _body(name, stored.get(name, {})) for name in SETTINGS}


def _body(name: str, value: dict[str, Any]) -> dict[str, object]:
    words = re.sub(r"(?<!^)([A-Z])", lambda match: f" {match[1].lower()}", name)
    return {
        "settingStatus": "Skip",
        "settingCode": name[0].upper() + name[1:],
        "settingDescription": words[0].upper() + words[1:],
        "minimumCost": 0,
        **SETTINGS[name],
        **value,
        "assignees": [{"userId": number} for number in value.get("assignees", [])],
    }
