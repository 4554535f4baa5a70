"""Making places, meters, accounts and bills with the official client, as its users do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.journeys.installing import Installation

models = pytest.importorskip("energycap.sdk.models", reason="EnergyCapSdk is not installed")
from msrest.exceptions import HttpOperationError  # noqa: E402 - only when the client is there

MARCH = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC)


def address() -> Any:
    return models.RequiredAddressChild(country="United States", city="Ostermark")


def make_place(client: Any, parent: int, code: str) -> Any:
    kind = client.get_place_types(filter="placeTypeCode equals 'BUILDING'")[0]
    body = models.PlaceCreate(
        place_code=code,
        place_info=f"Building {code}",
        parent_place_id=parent,
        place_type_id=kind.place_type_id,
    )
    return client.create_place(body=body)


def make_meter(client: Any, place: int, code: str) -> Any:
    electric = client.get_commodities(filter="commodityCode equals 'ELECTRIC'")[0].commodity_id
    unit = client.get_units_by_commodity(electric, value_type="use")[0]
    body = models.MeterCreate(
        meter_code=code,
        meter_info=f"Meter {code}",
        commodity_id=electric,
        place_id=place,
        address=address(),
        meter_type_id=1,
        use_unit_id=unit.unit_id,
    )
    return client.create_meter(body=body)


def make_center(client: Any, parent: int, code: str) -> Any:
    body = models.CostCenterCreate(
        cost_center_code=code, cost_center_info=f"Center {code}", parent_cost_center_id=parent
    )
    return client.create_cost_center(body=body)


def bill_fields(client: Any, account: int, meter: int) -> dict[str, Any]:
    use = client.get_observation_types(filter="observationTypeCode equals 'USE'")[0]
    line = models.BillMeterBodyLineCreate(
        observation_type_id=use.observation_type_id, caption="Use", value=100.0, cost=12.5
    )
    return {
        "account_id": account,
        "begin_date": MARCH[0],
        "end_date": MARCH[1],
        "billing_period": 202603,
        "meters": [models.BillMeterCreate(meter_id=meter, body_lines=[line])],
    }


def make_bill(client: Any, account: int, meter: int) -> int:
    fields = bill_fields(client, account, meter)
    return int(client.create_bill(body=models.BillCreate(manual_entry=True, **fields)).bill_id)


def make_account(client: Any, center: int, vendor: int, code: str) -> Any:
    body = models.AccountCreate(
        account_code=code,
        account_info=f"Account {code}",
        account_type_id=1,
        cost_center_id=center,
        vendor_id=vendor,
        country="United States",
        postal_code="44001",
    )
    return client.create_account(body=body)


def other_key(made: Installation, topmosts: tuple[str, ...]) -> str:
    """A second user with every permission, made at the command line, and their key."""
    tops = [part for each in topmosts for part in ("--topmost", each)]
    role = ("--role", "Administrator: Full Access")
    made.run("user", "create", "other", *role, "--no-password", *tops)
    key = made.run("key", "create", "--owner", "other", "--name", "journey", "-o", "key")
    return key.stdout.strip()


def status_of(call: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    with pytest.raises(HttpOperationError) as error:
        call(*arguments, **named)
    return int(error.value.response.status_code)
