"""A small runner: what the web ring does with a row of the table, without HTTP."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from keyhalt import Call, Denied, Operation, Principal, Refused, Reply
from keyhalt.client.problems import TABLE
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import permit
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, UserFacts
from keyhalt.core.profiles import Profile, profile_from
from keyhalt.web.bodies import parse_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt_energy.energy import EnergyApp

PROFILE: Profile = profile_from(
    tomllib.loads(resources.files("keyhalt").joinpath("profiles/energycap.toml").read_text())
)
ORIGIN = Origin(request_id="r", source="127.0.0.1", operation="test")


def principal(
    grants: str = "*",
    *,
    user_id: int = 7,
    code: str = "jsmith",
    datasource_id: int = 1,
    places: tuple[int, ...] = (),
    centers: tuple[int, ...] = (),
) -> Principal:
    """A caller with some grants of the profile, separated by blanks, and topmosts."""
    bits = 0
    for grant in grants.split():
        bits |= PROFILE.catalogue.grants(grant)
    return Principal(
        "Test",
        UserFacts(
            datasource_id=datasource_id,
            datasource=f"ds{datasource_id}",
            user_id=user_id,
            user_code=code,
            full_name=f"The user {code}",
            email=f"{code}@example.org",
            role_id=1,
            role_name="role",
            permissions=PermissionSet(bits),
            topmosts={"places": places, "costCenters": centers},
            active=True,
            datasource_active=True,
            sign_in_generation=0,
        ),
        Credential(CredentialKind.KEY, user_id),
    )


def without(caller: Principal, need: str) -> Principal:
    """The same caller, lacking one permission."""
    bits = PROFILE.catalogue.need(*need.split(".")).bits
    user = replace(caller.user, permissions=PermissionSet(caller.permissions & ~bits))
    return replace(caller, user=user)


@dataclass(frozen=True)
class Answer:
    """`body` has been JSON once. `why`: the reason or fault of what is no success."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None
    why: str = ""
    field: str | None = None
    detail: str = ""

    @property
    def ids(self) -> list[int]:
        key = next(iter(self.body[0])) if self.body else ""
        return [row[key] for row in self.body]


@dataclass(frozen=True)
class Api:
    app: EnergyApp

    def row(self, method: str, path: str) -> tuple[Operation, dict[str, int]]:
        rows = sorted(self.app.operations(), key=lambda row: row.path.count("{"))
        for row in rows:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", row.path)
            found = re.fullmatch(pattern, path)
            if row.method == method and found:
                return row, {name: int(text) for name, text in found.groupdict().items()}
        raise LookupError(f"{method} {path}")

    def __call__(
        self, caller: Principal, method: str, path: str, body: object = None, **query: str
    ) -> Answer:
        row, ids = self.row(method, path)
        denied = permit(caller, row.need)
        if denied is not None:
            return _answer(denied)
        parsed = None
        if row.body is not None:
            parsed = parse_body(json.dumps(body).encode(), row.body)
            if isinstance(parsed, Refused):
                return _answer(parsed)
        return _answer(row.handler(Call(caller, ids, query, parsed, ORIGIN)))


def _answer(outcome: Reply | Denied | Refused) -> Answer:
    if isinstance(outcome, Reply):
        text = json.dumps(outcome.body, allow_nan=False)
        return Answer(outcome.status, json.loads(text), dict(outcome.headers))
    if isinstance(outcome, Denied):
        return Answer(TABLE[outcome.reason].status, why=outcome.need or str(outcome.reason))
    return Answer(
        TABLE[outcome.fault].status,
        why=str(outcome.fault),
        field=outcome.field,
        detail=outcome.detail,
    )


@dataclass(frozen=True)
class Estate:
    """Two buildings, each with a meter, a department, an account and a bill; two callers.

    `here` sees the first of each, `there` the second, `admin` all of it.
    """

    api: Api
    admin: Principal
    here: Principal
    there: Principal
    root: int
    center_root: int
    buildings: tuple[int, int]
    meters: tuple[int, int]
    centers: tuple[int, int]
    vendor: int
    accounts: tuple[int, int]
    bills: tuple[int, int]


def sized(**sizes: int) -> dict[str, Any]:
    """How much sample data to make."""
    return {"sizes": sizes, "progress": lambda _done, _whole: None}


ADDRESS = {"country": "United States", "city": "Ostermark", "postalCode": "44001"}


def place_body(parent: int | None, code: str = "P1", **more: object) -> dict[str, object]:
    given = {} if parent is None else {"parentPlaceId": parent}
    return {"placeCode": code, "placeInfo": f"Place {code}", "placeTypeId": 10, **given, **more}


def meter_body(place: int, code: str = "M1", **more: object) -> dict[str, object]:
    return {
        "meterCode": code,
        "meterInfo": f"Meter {code}",
        "commodityId": 1,
        "placeId": place,
        "address": ADDRESS,
        "meterTypeId": 1,
        **more,
    }


def meter_edit(place: int, code: str = "M1", **more: object) -> dict[str, object]:
    body = meter_body(place, code, meterTimeZoneId=1, active=True, **more)
    return {name: body[name] for name in body if name != "meterTypeId"}


def account_body(center: int, vendor: int, code: str = "A1", **more: object) -> dict[str, object]:
    return {
        "accountCode": code,
        "accountInfo": f"Account {code}",
        "accountTypeId": 1,
        "costCenterId": center,
        "vendorId": vendor,
        "country": "United States",
        "postalCode": "44001",
        **more,
    }


def line(**more: object) -> dict[str, object]:
    return {"observationTypeId": 1, "caption": "Use", "cost": 10.5, **more}


def bill_body(account: int, meter: int | None, **more: object) -> dict[str, object]:
    lines = [] if meter is None else [{"meterId": meter, "bodyLines": [line(value=3.0)]}]
    return {
        "accountId": account,
        "beginDate": "2026-03-01T00:00:00.000Z",
        "endDate": "2026-03-31T00:00:00.000Z",
        "billingPeriod": 202603,
        "manualEntry": True,
        "meters": lines,
        "accountBodyLines": [line(observationTypeId=20, caption="Tax", cost=0.25)],
        **more,
    }


def link_body(account: int, meter: int, **more: object) -> dict[str, object]:
    return {"accountId": account, "meterId": meter, "rateId": 1, **more}


def make_pair(api: Api, admin: Principal, roots: tuple[int, int], vendor: int, n: int) -> list[int]:
    """Building, meter, department, account and bill, all by the API."""
    root, center_root = roots
    building = api(admin, "POST", "/api/v3/place", place_body(root, f"P{n}")).body["placeId"]
    meter = api(admin, "POST", "/api/v3/meter", meter_body(building, f"M{n}")).body["meterId"]
    body = {
        "costCenterCode": f"C{n}",
        "costCenterInfo": f"Center {n}",
        "parentCostCenterId": center_root,
    }
    center = api(admin, "POST", "/api/v3/costcenter", body).body["costCenterId"]
    body = account_body(center, vendor, f"A{n}")
    account = api(admin, "POST", "/api/v3/account", body).body["accountId"]
    assert api(admin, "POST", "/api/v3/accountmeter", [link_body(account, meter)]).status == 200
    bill = api(admin, "POST", "/api/v3/bill", bill_body(account, meter)).body["billId"]
    return [building, meter, center, account, bill]
