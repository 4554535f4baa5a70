"""Links of accounts and meters: contract row 59."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from sqlalchemy import insert, select

from keyhalt import Call, Denied, Refused, Reply
from keyhalt_energy.children import account_child, labelled, meter_child
from keyhalt_energy.clock import now
from keyhalt_energy.rows import Row, rows_of, sorted_by
from keyhalt_energy.schema import account, account_meter, meter, vendor
from keyhalt_energy.scope import Reach, reach_of
from keyhalt_energy.store import DuplicateError, Store
from keyhalt_energy.wire import (
    DATE_MAX,
    LINK_BEGIN,
    NOT_FOUND,
    At,
    Id,
    Wire,
    attribution,
    invalid,
    made_by,
    taken,
    time_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection


class LinkBody(Wire):
    account_id: Id
    meter_id: Id
    rate_id: Id
    begin_at: At | None = Field(None, alias="beginDate")
    end_at: At | None = Field(None, alias="endDate")
    vendor_type_id: Id | None = None
    general_ledger_id: Id | None = None
    template_id: Id | None = None
    deregulated: bool | None = None


LinkBodies = Annotated[list[LinkBody], Field(max_length=1000)]


class Links:
    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, call: Call) -> Reply | Denied | Refused:
        """All of them or none. Each needs both its account and its meter to be reached."""
        reach, made = reach_of(call.principal), made_by(call.principal, now())
        rows = [_row(reach.datasource_id, body) | made for body in call.body]
        for index, row in enumerate(rows):
            if row["end_at"] < row["begin_at"]:
                return invalid(f"[{index}].endDate", "endDate must not be before beginDate.")
        try:
            with self._store.write() as connection:
                meters = {row["meter_id"] for row in rows}
                accounts = {row["account_id"] for row in rows}
                if not (
                    meters_are_reached(connection, reach, meters)
                    and _accounts_are_reached(connection, reach, accounts)
                ):
                    return NOT_FOUND
                new = insert(account_meter).returning(account_meter.c.id)
                ids = [connection.execute(new.values(row)).scalar_one() for row in rows]
                return Reply(_render(connection, reach, ids))
        except DuplicateError:
            return taken("beginDate", "between this account and this meter")


def meters_are_reached(connection: Connection, reach: Reach, ids: Sequence[int] | set[int]) -> bool:
    own = meter.c.datasource_id == reach.datasource_id, meter.c.id.in_(ids)
    return set(connection.scalars(select(meter.c.id).where(*own, reach.meter()))) == set(ids)


def _accounts_are_reached(connection: Connection, reach: Reach, ids: set[int]) -> bool:
    own = account.c.datasource_id == reach.datasource_id, account.c.id.in_(ids)
    return set(connection.scalars(select(account.c.id).where(*own, reach.account()))) == ids


def link_rows(
    datasource_id: int, account_id: int, meters: Sequence[int], made: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Links without end for an account that is made together with them. Their rate is not known."""
    always = {"begin_at": LINK_BEGIN, "end_at": DATE_MAX, "datasource_id": datasource_id, **made}
    return [{**always, "account_id": account_id, "meter_id": number} for number in meters]


def _row(datasource_id: int, body: LinkBody) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in LinkBody.model_fields}
    values["begin_at"] = body.begin_at or LINK_BEGIN
    values["end_at"] = body.end_at or DATE_MAX
    return values | {"datasource_id": datasource_id}


def _render(connection: Connection, reach: Reach, ids: Sequence[int]) -> list[dict[str, object]]:
    ds = reach.datasource_id
    link = account_meter.c
    query = (
        select(
            account_meter,
            *labelled(account, "of_", "id code info active"),
            *labelled(vendor, "seller_", "id code info"),
            *labelled(meter, "at_", "id code info type_id commodity_id active serial_number"),
        )
        .join(account, (account.c.datasource_id == ds) & (account.c.id == link.account_id))
        .join(vendor, (vendor.c.datasource_id == ds) & (vendor.c.id == account.c.vendor_id))
        .join(meter, (meter.c.datasource_id == ds) & (meter.c.id == link.meter_id))
        .where(link.datasource_id == ds, link.id.in_(ids), reach.link())
        .order_by(sorted_by(account_meter.c.id))
    )
    return [_body(row) for row in rows_of(connection, query)]


def _body(row: Row) -> dict[str, object]:
    return {
        "accountMeterId": row["id"],
        "account": account_child(row, "of_", "seller_"),
        "meter": meter_child(row, "at_"),
        "beginDate": time_text(row["begin_at"]),
        "endDate": time_text(row["end_at"]),
        "deregulated": row["deregulated"],
        "rates": [],
        "formTemplates": [],
        **attribution(row),
    }
