"""What a user is made of on the wire: bodies in, answers out (docs/wire.md, "Users").

The names of the topmosts are the profile's, so the model of a body is made for a profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from keyhalt.core.keytext import ID_MAX
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.people import DAYS_MAX, INTEGER_MAX, UserDraft, UserEdit
from keyhalt.web.api.topmosts import stem_of, topmosts_json
from keyhalt.web.api.wire import time_text, user_child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Hierarchy
    from keyhalt.usecases.people import UserRow

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
IDS_MAX = 1_000
# There are no report groups here; the client asks for one in every edit and gives back this one.
_REPORT_GROUP = {"reportGroupId": 1, "reportGroupCode": "DEFAULT", "reportGroupInfo": "Default"}


class _UserBody(BaseModel):
    """What is common to create and edit. The client leaves out what is null."""

    model_config = ConfigDict(hide_input_in_errors=True)

    code: str = Field(alias="userCode", max_length=65)
    full_name: str = Field(alias="fullName", max_length=32)
    email: str | None = Field(None, max_length=128)
    password: str | None = Field(None, max_length=128, repr=False)
    active: bool | None = None
    role_id: Id = Field(alias="userRoleId")
    interval: int | None = Field(None, alias="passwordExpirationInterval", ge=0, le=DAYS_MAX)
    strong: bool | None = Field(None, alias="strongPassword")
    force: bool | None = Field(None, alias="forcePasswordChange")
    approval: int | None = Field(None, alias="maxApprovalAmount", ge=0, le=INTEGER_MAX)
    groups: Annotated[list[Id], Field(max_length=IDS_MAX)] | None = Field(None, alias="userGroups")
    service: bool | None = Field(None, alias="serviceAccount")

    def details(self) -> dict[str, object]:
        """The UserDetails that were said; the limit of approval always is: absent is none."""
        said = {
            "code": self.code,
            "full_name": self.full_name,
            "email": self.email,
            "password_expiration_interval": self.interval,
            "strong_password": self.strong,
            "force_password_change": self.force,
        }
        known = {name: value for name, value in said.items() if value is not None}
        return {**known, "max_approval_amount": self.approval}


class RoleOfUserBody(BaseModel):
    role_id: Id = Field(alias="userRoleId")


def user_body(hierarchies: Sequence[Hierarchy]) -> type[_UserBody]:
    """The body of create and edit for a profile: `topmostPlaceIds`, or `placeId` for only one."""
    fields: dict[str, Any] = {}
    ids = Annotated[list[Id], Field(min_length=1, max_length=IDS_MAX)]
    for hierarchy in hierarchies:
        many, one = f"topmost{stem_of(hierarchy)}Ids", f"{hierarchy.wire}Id"
        fields[f"many_{hierarchy.name}"] = (ids | None, Field(None, alias=many))
        fields[f"one_{hierarchy.name}"] = (Id | None, Field(None, alias=one))
    return create_model("UserBody", __base__=_UserBody, **fields)


def topmosts_of(
    body: _UserBody, hierarchies: Sequence[Hierarchy]
) -> dict[str, tuple[int, ...]] | Refused:
    """The topmosts of the hierarchies that the body names."""
    topmosts = {}
    for hierarchy in hierarchies:
        many: list[int] | None = getattr(body, f"many_{hierarchy.name}")
        one: int | None = getattr(body, f"one_{hierarchy.name}")
        if many is not None and one is not None:
            name = f"topmost{stem_of(hierarchy)}Ids"
            detail = f"Say {hierarchy.wire}Id or {name}, not both."
            return Refused(Fault.INVALID_BODY, detail, name)
        if many is not None or one is not None:
            topmosts[hierarchy.name] = tuple(sorted(set(many or [one or 0])))
    return topmosts


def draft_of(body: _UserBody, hierarchies: Sequence[Hierarchy]) -> UserDraft | Refused:
    """A user to be made. A person signs in and can be written to; a service account need not."""
    topmosts = topmosts_of(body, hierarchies)
    if isinstance(topmosts, Refused):
        return topmosts
    if not body.service:
        for name, value in (("password", body.password), ("email", body.email)):
            if not value:
                detail = f"{name} is required, except for a service account."
                return Refused(Fault.INVALID_BODY, detail, name)
    details = body.details()
    return UserDraft(
        code=body.code,
        full_name=body.full_name,
        email=body.email or "",
        role=body.role_id,
        password=Secret(body.password) if body.password else None,
        topmosts=topmosts,
        service=bool(body.service),
        active=body.active is not False,
        groups=tuple(body.groups or ()),
        more={k: v for k, v in details.items() if k not in ("code", "full_name", "email")},
    )


def edit_of(body: _UserBody, hierarchies: Sequence[Hierarchy]) -> UserEdit | Refused:
    """What an edit changes: absent and null leave things as they are, but for the limit."""
    topmosts = topmosts_of(body, hierarchies)
    if isinstance(topmosts, Refused):
        return topmosts
    return UserEdit(
        role=body.role_id,
        topmosts=topmosts,
        active=body.active,
        password=Secret(body.password) if body.password else None,
        groups=None if body.groups is None else tuple(body.groups),
        details=body.details(),
    )


def users_json(
    trees: Trees,
    hierarchies: Sequence[Hierarchy],
    rows: Sequence[UserRow],
    signed_in: Mapping[int, datetime],
) -> list[dict[str, object]]:
    """`UserResponse` for each row, all of one datasource. Never a password.

    `signed_in`: when each did last, by id.
    """
    if not rows:
        return []
    datasource_id = rows[0].facts.datasource_id
    topmosts = topmosts_json(trees, hierarchies, datasource_id, [r.facts.topmosts for r in rows])
    return [
        _user(row, signed_in.get(row.facts.user_id)) | tops
        for row, tops in zip(rows, topmosts, strict=True)
    ]


def reduced_json(row: UserRow) -> dict[str, object]:
    """What somebody sees of a user who may not view users."""
    return user_child(row.facts.user_id, row.facts.user_code, row.facts.full_name)


def _user(row: UserRow, signed_in_at: datetime | None) -> dict[str, object]:
    user, details = row.facts, row.details
    return {
        **reduced_json(row),
        "email": user.email,
        "active": user.active,
        "activeDirectory": False,
        "userRole": {"userRoleId": user.role_id, "userRoleInfo": user.role_name},
        "passwordExpirationInterval": details.password_expiration_interval,
        "strongPassword": details.strong_password,
        "forcePasswordChange": details.force_password_change,
        "maxApprovalAmount": details.max_approval_amount,
        "lastLogin": time_text(signed_in_at) if signed_in_at else None,
        "reportGroup": _REPORT_GROUP,
        "externalUserId": None,
        "userGroups": [
            {"userGroupId": number, "userGroupName": name} for number, name in row.groups
        ],
        "serviceAccount": user.service,
    }
