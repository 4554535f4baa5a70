"""What each list can be filtered by, in the wire's filter names. Each SQL needs its table only.

Names that the contract gives are spelt as it gives them; docs/energy.md says which are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keyhalt import filters
from keyhalt_energy import catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt_energy.scope import Reach

Field, FieldType = filters.Field, filters.FieldType
Fields = dict[str, filters.Field]

_TEXT, _NUMBER, _FLAG = FieldType.STRING, FieldType.INTEGER, FieldType.BOOLEAN
_DATE, _PERIOD, _AMOUNT = FieldType.DATETIME, FieldType.ACCOUNT_PERIOD, FieldType.NUMBER


def _own(table: str, stem: str) -> Fields:
    return {
        f"{stem}Id": Field(_NUMBER, f"{table}.id"),
        f"{stem}Code": Field(_TEXT, f"{table}.code"),
        f"{stem}Info": Field(_TEXT, f"{table}.info"),
    }


def _other(table: str, column: str, other: str, stem: str) -> Fields:
    """Of the one row of another table that a column points to."""
    one = (
        f"from {other} o where o.datasource_id = {table}.datasource_id and o.id = {table}.{column}"
    )
    return {
        f"{stem}Id": Field(_NUMBER, f"{table}.{column}"),
        f"{stem}Code": Field(_TEXT, f"(select o.code {one})"),
        f"{stem}Info": Field(_TEXT, f"(select o.info {one})"),
    }


def _entry(entries: Mapping[int, catalog.Entry], column: str, stem: str) -> Fields:
    return {
        f"{stem}Id": Field(_NUMBER, column),
        f"{stem}Code": Field(_TEXT, catalog.as_sql(entries, column, "code")),
        f"{stem}Info": Field(_TEXT, catalog.as_sql(entries, column, "info")),
    }


def _address(table: str) -> Fields:
    names = {"city": "city", "state": "state", "country": "country", "postalCode": "postal_code"}
    return {name: Field(_TEXT, f"{table}.{column}") for name, column in names.items()}


def _attribution(table: str) -> Fields:
    return {
        "createdDate": Field(_DATE, f"{table}.created_at"),
        "createdBy": Field(_TEXT, f"{table}.created_by_code"),
        "modifiedDate": Field(_DATE, f"{table}.modified_at"),
        "modifiedBy": Field(_TEXT, f"{table}.modified_by_code"),
    }


PLACE: Fields = {
    **_own("place", "place"),
    **_entry(catalog.PLACE_TYPES, "place.type_id", "placeType"),
    **_entry(catalog.PRIMARY_USES, "place.primary_use_id", "primaryUse"),
    **_address("place"),
    "weatherStationCode": Field(_TEXT, "place.weather_station_code"),
    "buildDate": Field(_DATE, "place.build_date"),
    **_attribution("place"),
}

METER: Fields = {
    **_own("meter", "meter"),
    "active": Field(_FLAG, "meter.active"),
    "serialNumber": Field(_TEXT, "meter.serial_number"),
    **_entry(catalog.COMMODITIES, "meter.commodity_id", "commodity"),
    **_entry(catalog.METER_TYPES, "meter.type_id", "meterType"),
    **_other("meter", "place_id", "place", "place"),
    **_address("meter"),
    **_attribution("meter"),
}

COST_CENTER: Fields = {**_own("cost_center", "costCenter"), **_attribution("cost_center")}

VENDOR: Fields = {**_own("vendor", "vendor"), **_address("vendor"), **_attribution("vendor")}

ACCOUNT: Fields = {
    **_own("account", "account"),
    "active": Field(_FLAG, "account.active"),
    **_entry(catalog.ACCOUNT_TYPES, "account.type_id", "accountType"),
    **_other("account", "cost_center_id", "cost_center", "costCenter"),
    **_other("account", "vendor_id", "vendor", "vendor"),
    **_address("account"),
    **_attribution("account"),
}

_BATCH_CODE = (
    "(select o.code from batch o where o.datasource_id = bill.datasource_id"
    " and o.id = bill.batch_id)"
)
_ACCOUNT_ACTIVE = (
    "(select o.active from account o where o.datasource_id = bill.datasource_id"
    " and o.id = bill.account_id)"
)
BILL: Fields = {
    "billId": Field(_NUMBER, "bill.id"),
    **_other("bill", "account_id", "account", "account"),
    "active": Field(_FLAG, _ACCOUNT_ACTIVE),
    "batchId": Field(_NUMBER, "bill.batch_id"),
    "batchCode": Field(_TEXT, _BATCH_CODE),
    "beginDate": Field(_DATE, "bill.begin_at"),
    "endDate": Field(_DATE, "bill.end_at"),
    "billingPeriod": Field(_PERIOD, "bill.billing_period"),
    "accountPeriod": Field(_PERIOD, "bill.account_period"),
    "totalCost": Field(_AMOUNT, "bill.total_cost"),
    "estimated": Field(_FLAG, "bill.estimated"),
    "void": Field(_FLAG, "bill.void"),
    "approved": Field(_FLAG, "bill.approved"),
    "approvedBy": Field(_TEXT, "bill.approved_by_code"),
    "approveDate": Field(_DATE, "bill.approved_at"),
    "exported": Field(_FLAG, "bill.exported"),
    "statementDate": Field(_DATE, "bill.statement_at"),
    "dueDate": Field(_DATE, "bill.due_at"),
    "invoiceNumber": Field(_TEXT, "bill.invoice_number"),
    "controlCode": Field(_TEXT, "bill.control_code"),
    **_attribution("bill"),
}


def account_of_meter(reach: Reach) -> tuple[Fields, dict[str, Any]]:
    """Of the reached account that a meter was linked to last, with the parameters that it needs.

    An account beyond the caller's cost centers must not be found out by filtering either.
    """
    topmosts = {f"top{index}": number for index, number in enumerate(reach.cost_centers)}
    places = ", ".join(f":{name}" for name in topmosts) or "null"
    last = (
        "from account_meter l join account o"  # noqa: S608 - our words, names of parameters
        " on o.datasource_id = l.datasource_id and o.id = l.account_id"
        " where l.datasource_id = meter.datasource_id and l.meter_id = meter.id"
        " and exists (select 1 from cost_center_above a where a.datasource_id = o.datasource_id"
        f" and a.node_id = o.cost_center_id and a.above_id in ({places}))"
        " order by l.begin_at desc, l.id desc limit 1"
    )
    kinds = {"Id": _NUMBER, "Code": _TEXT, "Info": _TEXT}
    fields = {
        f"account{kind}": Field(field_type, f"(select o.{kind.lower()} {last})")
        for kind, field_type in kinds.items()
    }
    return fields, topmosts
