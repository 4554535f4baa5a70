"""What each list can be filtered by, in the wire's filter names. Each SQL needs its table only.

Names that the contract gives are spelt as it gives them; docs/energy.md says which are ours. What
lies in other rows is looked for there, and never beyond what the caller reaches: who may not see an
account must not find it out by filtering meters either. The parameters are those of `values_of`.
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


def values_of(reach: Reach) -> dict[str, Any]:
    """The parameters that fields use beside those of a filter: a number, and lists of numbers."""
    return {
        "own": reach.datasource_id,
        "place_tops": list(reach.places),
        "center_tops": list(reach.cost_centers),
    }


def _in(column: str, found: str, *conditions: str) -> str:
    """An `among`. `found`: what to select, and from where; `o` is the row that has the values."""
    return f"{column} in (select {' and '.join([found, *conditions, '{}'])})"


def _reached(tree: str, node: str) -> str:
    tops = {"place": "place_tops", "cost_center": "center_tops"}[tree]
    return (
        f"exists (select 1 from {tree}_above r where r.datasource_id = :own"  # noqa: S608 - our words
        f" and r.node_id = {node} and r.above_id in :{tops})"
    )


def _named(stem: str, table: str, among: str = "{}") -> Fields:
    return {
        f"{stem}Id": Field(_NUMBER, f"{table}.id", among),
        f"{stem}Code": Field(_TEXT, f"{table}.code", among),
        f"{stem}Info": Field(_TEXT, f"{table}.info", among),
    }


def _other(column: str, other: str, stem: str) -> Fields:
    """Of the one row of another table that a column, never null, points to."""
    among = _in(column, f"o.id from {other} o where o.datasource_id = :own")
    return _named(stem, "o", among) | {f"{stem}Id": Field(_NUMBER, column)}


def _above(column: str, tree: str, stem: str, *, rows: str = "") -> Fields:
    """By a node that the column's is, or lies below. `rows`: more tables, `b` being what is below.

    Without `rows` the column is compared with `b.node_id`, otherwise with `l.account_id`.
    """
    among = _in(
        column,
        f"{'l.account_id' if rows else 'b.node_id'} from {tree} o"
        f" join {tree}_above b on b.datasource_id = :own and b.above_id = o.id{rows}"
        " where o.datasource_id = :own",
        _reached(tree, "o.id"),
    )
    return _named(f"topmost{stem}", "o", among)


def _parent(tree: str) -> Fields:
    among = _in(
        f"{tree}.id",
        f"c.id from {tree} o join {tree} c on c.datasource_id = :own and c.parent_id = o.id"
        " where o.datasource_id = :own",
        _reached(tree, "o.id"),
    )
    return {"parentId": Field(_NUMBER, "o.id", among)}


def _linked(column: str, key: str, other: str, reached: str) -> Fields:
    """By the reached accounts of a meter, or the reached meters of an account."""
    among = _in(
        column,
        f"l.{key} from account_meter l join {other} o"
        f" on o.datasource_id = :own and o.id = l.{other}_id where l.datasource_id = :own",
        reached,
    )
    return _named(other, "o", among)


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


# What EnergyCAP filters by and we have none of: groups, channels, accruals. Nothing passes, and a
# client that asks is told so by an empty list.
_NO_NUMBER, _NO_TEXT = (
    Field(kind, f"cast(null as {sql})") for kind, sql in ((_NUMBER, "integer"), (_TEXT, "text"))
)
_NO_DATE = Field(_DATE, "cast(null as timestamp)")
_NEVER = Field(_FLAG, "(1 = 0)")


def _no_group(stem: str) -> Fields:
    return {f"{stem}Id": _NO_NUMBER, f"{stem}Code": _NO_TEXT, f"{stem}Info": _NO_TEXT}


_METERS_BELOW = (
    " join meter m on m.datasource_id = :own and m.place_id = b.node_id"
    " join account_meter l on l.datasource_id = :own and l.meter_id = m.id"
)

PLACE: Fields = {
    **_named("place", "place"),
    **_parent("place"),
    **_above("place.id", "place", "Place"),
    **_entry(catalog.PLACE_TYPES, "place.type_id", "placeType"),
    **_entry(catalog.PRIMARY_USES, "place.primary_use_id", "primaryUse"),
    **_address("place"),
    "weatherStationCode": Field(_TEXT, "place.weather_station_code"),
    "buildDate": Field(_DATE, "place.build_date"),
    **_no_group("placeGroup"),
    **_attribution("place"),
}

METER: Fields = {
    **_named("meter", "meter"),
    "active": Field(_FLAG, "meter.active"),
    "serialNumber": Field(_TEXT, "meter.serial_number"),
    **_linked("meter.id", "meter_id", "account", _reached("cost_center", "o.cost_center_id")),
    **_entry(catalog.COMMODITIES, "meter.commodity_id", "commodity"),
    **_entry(catalog.METER_TYPES, "meter.type_id", "meterType"),
    **_other("meter.place_id", "place", "place"),
    **_above("meter.place_id", "place", "Place"),
    **_address("meter"),
    **_no_group("meterGroup"),
    "channelId": _NO_NUMBER,
    "interval": _NO_NUMBER,
    "hasChannels": _NEVER,
    "importId": _NO_TEXT,
    **_attribution("meter"),
}

COST_CENTER: Fields = {
    **_named("costCenter", "cost_center"),
    **_parent("cost_center"),
    **_above("cost_center.id", "cost_center", "CostCenter"),
    **_attribution("cost_center"),
}

VENDOR: Fields = {**_named("vendor", "vendor"), **_address("vendor"), **_attribution("vendor")}

ACCOUNT: Fields = {
    **_named("account", "account"),
    "active": Field(_FLAG, "account.active"),
    **_entry(catalog.ACCOUNT_TYPES, "account.type_id", "accountType"),
    **_other("account.cost_center_id", "cost_center", "costCenter"),
    **_other("account.vendor_id", "vendor", "vendor"),
    **_linked("account.id", "account_id", "meter", _reached("place", "o.place_id")),
    **_above("account.cost_center_id", "cost_center", "CostCenter"),
    **_above("account.id", "place", "Place", rows=_METERS_BELOW),
    **_address("account"),
    **_attribution("account"),
}

BILL: Fields = {
    "billId": Field(_NUMBER, "bill.id"),
    **_other("bill.account_id", "account", "account"),
    "active": Field(
        _FLAG,
        "o.active",
        _in("bill.account_id", "o.id from account o where o.datasource_id = :own"),
    ),
    **_above("bill.account_id", "place", "Place", rows=_METERS_BELOW),
    **_above(
        "bill.account_id",
        "cost_center",
        "CostCenter",
        rows=" join (select a.id as account_id, a.cost_center_id from account a"
        " where a.datasource_id = :own) l on l.cost_center_id = b.node_id",
    ),
    "batchId": Field(_NUMBER, "bill.batch_id"),
    "batchCode": Field(
        _TEXT, "o.code", _in("bill.batch_id", "o.id from batch o where o.datasource_id = :own")
    ),
    "batchCloseDate": _NO_DATE,
    "beginDate": Field(_DATE, "bill.begin_at"),
    "endDate": Field(_DATE, "bill.end_at"),
    "billingPeriod": Field(_PERIOD, "bill.billing_period"),
    "accountPeriod": Field(_PERIOD, "bill.account_period"),
    "totalCost": Field(_AMOUNT, "bill.total_cost"),
    "estimated": Field(_FLAG, "bill.estimated"),
    "accrual": _NEVER,
    "accrualReversed": _NEVER,
    "void": Field(_FLAG, "bill.void"),
    "approved": Field(_FLAG, "bill.approved"),
    "approvedBy": Field(_NUMBER, "bill.approved_by_id"),
    "approveDate": Field(_DATE, "bill.approved_at"),
    "exported": Field(_FLAG, "bill.exported"),
    "statementDate": Field(_DATE, "bill.statement_at"),
    "dueDate": Field(_DATE, "bill.due_at"),
    "invoiceNumber": Field(_TEXT, "bill.invoice_number"),
    "controlCode": Field(_TEXT, "bill.control_code"),
    **_attribution("bill"),
}
