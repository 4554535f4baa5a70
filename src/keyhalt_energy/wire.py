"""Small shapes that bodies and answers share.

In a body, "Æ" means "not supplied": the official client sends it for some texts by default.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from keyhalt import Denied, Fault, Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt import Principal

NOT_SUPPLIED = "Æ"
ID_MAX = 2**31 - 1
DATE_MIN = datetime(1899, 12, 31, tzinfo=UTC)
DATE_MAX = datetime(3000, 1, 1, tzinfo=UTC)
LINK_BEGIN = datetime(1899, 1, 1, tzinfo=UTC)

NOT_FOUND = Denied(Reason.NOT_FOUND)


def _utc(at: datetime) -> datetime:
    """A time without a zone is UTC."""
    try:
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("beyond the years that a date can have") from None


Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Whole = Annotated[int, Field(ge=-ID_MAX, le=ID_MAX)]
Amount = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
At = Annotated[datetime, AfterValidator(_utc), Field(ge=LINK_BEGIN, le=DATE_MAX)]
BillAt = Annotated[datetime, AfterValidator(_utc), Field(ge=DATE_MIN, le=DATE_MAX)]


class Wire(BaseModel):
    """A body. Names are camelCase on the wire; names that nobody knows are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)

    def supplied(self) -> dict[str, Any]:
        """What the client sent, by our names; without what it sent as not supplied."""
        return {
            name: value
            for name in type(self).model_fields
            if name in self.model_fields_set and (value := getattr(self, name)) != NOT_SUPPLIED
        }


class Address(Wire):
    address_type_id: Whole | None = None
    line1: str | None = Field(None, max_length=100)
    line2: str | None = Field(None, max_length=100)
    line3: str | None = Field(None, max_length=100)
    city: str | None = Field(None, max_length=100)
    state: str | None = Field(None, max_length=100)
    country: str | None = Field(None, max_length=64)
    postal_code: str | None = Field(None, max_length=32)
    latitude: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False)
    longitude: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)


def flattened(supplied: dict[str, Any]) -> dict[str, Any]:
    """Columns from what was supplied: an address becomes its parts, a null text the empty text."""
    values = dict(supplied)
    address = values.pop("address", None)
    if isinstance(address, Address):
        values.update(address.supplied())
    if "description" in values:
        values["description"] = values["description"] or ""
    return values


def made_by(principal: Principal, at: datetime) -> dict[str, Any]:
    """The columns of who made it: the owner of the credential, never anything from a body."""
    return {**_by("created", principal, at), **_by("modified", principal, at)}


def changed_by(principal: Principal, at: datetime) -> dict[str, Any]:
    return _by("modified", principal, at)


def _by(verb: str, principal: Principal, at: datetime) -> dict[str, Any]:
    return {
        f"{verb}_by_id": principal.user_id,
        f"{verb}_by_code": principal.user_code,
        f"{verb}_by_name": principal.full_name,
        f"{verb}_at": at,
    }


def time_text(at: datetime | None) -> str | None:
    """An aware UTC time as the official client reads it: with a time part and a zone."""
    return None if at is None else f"{at.isoformat(timespec='milliseconds')[:23]}Z"


def user_child(row: Mapping[str, Any], verb: str) -> dict[str, object] | None:
    """Who did it, as of then; None for what nobody did."""
    if row[f"{verb}_by_id"] is None:
        return None
    return {
        "userId": row[f"{verb}_by_id"],
        "userCode": row[f"{verb}_by_code"],
        "fullName": row[f"{verb}_by_name"],
    }


def attribution(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "createdBy": user_child(row, "created"),
        "createdDate": time_text(row["created_at"]),
        "modifiedBy": user_child(row, "modified"),
        "modifiedDate": time_text(row["modified_at"]),
    }


def address_of(row: Mapping[str, Any]) -> dict[str, object]:
    return {to_camel(name): row[name] for name in Address.model_fields}


def reduced(body: dict[str, object], query: Mapping[str, str]) -> dict[str, object]:
    """`field=a,b,c` keeps these properties; names that are not there are ignored."""
    names = {name.strip() for name in query.get("field", "").split(",")} - {""}
    return {name: body[name] for name in body if name in names} if names else body


def invalid(field: str, detail: str) -> Refused:
    return Refused(Fault.INVALID_BODY, detail, field)


def taken(field: str, siblings: str) -> Refused:
    return Refused(Fault.CONFLICT, f"Another one {siblings} has this {field}.", field)
