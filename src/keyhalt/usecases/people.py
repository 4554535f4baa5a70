"""Users, roles and groups as they are administered: rows, and what is asked to change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from keyhalt.core.names import fault_of, has_unseen
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from keyhalt.core.filters import Condition
    from keyhalt.core.paging import Page
    from keyhalt.core.principals import UserFacts
    from keyhalt.core.secrets import Secret

CODE_MAX = 65
FULL_NAME_MAX = 32
EMAIL_MAX = 128
DAYS_MAX = 9_999
ROLE_NAME_MAX = 64
ROLE_DESCRIPTION_MAX = 1000
GROUP_NAME_MAX = 64
GROUP_DESCRIPTION_MAX = 255
INTEGER_MAX = 2**31 - 1

# The wire's names of the orders in which users can be paged.
USER_ORDERS = ("systemUserID", "fullName", "systemUserCode", "email", "systemUserRoleName")


@dataclass(frozen=True, slots=True)
class UserDetails:
    """What is said about a user and grants nothing.

    `password_expiration_interval`: days, 0 for never. `max_approval_amount`: whole dollars, None
    for no limit.
    """

    code: str
    full_name: str
    email: str
    password_expiration_interval: int = 0
    strong_password: bool = False
    force_password_change: bool = False
    max_approval_amount: int | None = None


@dataclass(frozen=True, slots=True)
class UserDraft:
    """A user to be made. `password` None: cannot sign in. `role`: name or id.

    `service`: an account that owns keys and never signs in. `more`: further UserDetails by name.
    """

    code: str
    full_name: str
    email: str
    role: str | int
    password: Secret | None
    topmosts: Mapping[str, tuple[int, ...]]
    service: bool = False
    active: bool = True
    groups: tuple[int, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def details(self) -> UserDetails:
        return replace(UserDetails(self.code, self.full_name, self.email), **self.more)


@dataclass(frozen=True, slots=True)
class UserEdit:
    """What is to change of a user; None changes nothing. `role`: name or id.

    `topmosts` replaces those of the hierarchies that it names. `details`: UserDetails by name.
    """

    role: str | int | None = None
    topmosts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    active: bool | None = None
    password: Secret | None = None
    groups: tuple[int, ...] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoleEdit:
    """What is to change of a role; None changes nothing.

    `grants`: all that it grants then, as patterns such as `meters.view`, `meters.*` or `*`.
    """

    name: str | None = None
    description: str | None = None
    grants: Sequence[str] | None = None
    hidden: bool | None = None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user as it is administered. `groups`: (id, name), by id."""

    facts: UserFacts
    details: UserDetails
    groups: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class UserQuery:
    """Which users, in which order. `page` None: all of them.

    `text`: in their name, code or email. `role_id`, `active`: only those.
    """

    where: Condition | None = None
    page: Page | None = None
    order: str = USER_ORDERS[0]
    descending: bool = False
    text: str = ""
    role_id: int | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of users: names people, grants nothing."""

    id: int
    name: str
    description: str
    members: int


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Who joins a group and who leaves it, by id, whoever else is a member."""

    add: Sequence[int]
    remove: Sequence[int]


@dataclass(frozen=True, slots=True)
class NewGroup:
    name: str
    description: str
    created_at: datetime


class GroupStore(Protocol):
    """May raise DuplicateError where a name is written."""

    def add(self, datasource_id: int, group: NewGroup) -> int: ...
    def get(self, datasource_id: int, group_id: int) -> GroupRow | None: ...
    def page(
        self, datasource_id: int, where: Condition | None, page: Page | None
    ) -> tuple[Sequence[GroupRow], int]:
        """The groups, by id, and how many there are on all pages."""

    def edit(self, datasource_id: int, group_id: int, *, name: str, description: str) -> None: ...
    def delete(self, datasource_id: int, group_id: int) -> None: ...
    def members(self, datasource_id: int, group_id: int) -> Sequence[int]: ...
    def set_members(self, datasource_id: int, group_id: int, user_ids: Sequence[int]) -> None: ...
    def set_groups_of(self, datasource_id: int, user_id: int, group_ids: Sequence[int]) -> None: ...
    def missing(self, datasource_id: int, group_ids: Sequence[int]) -> Sequence[int]:
        """Those of `group_ids` that are no group of the datasource."""


class SignInReader(Protocol):
    """May raise StoreUnavailableError."""

    def last(self, datasource_id: int, user_ids: Sequence[int] | None) -> Mapping[int, datetime]:
        """When each of these users, or all of the datasource, signed in last. One statement."""


def fault_of_details(details: UserDetails, *, service: bool) -> Refused | None:
    """Whether a user may be described so. An empty email is none."""
    for what, text, length_max, name in (
        ("user's code", details.code, CODE_MAX, "userCode"),
        ("user's full name", details.full_name, FULL_NAME_MAX, "fullName"),
    ):
        fault = fault_of(text, length_max=length_max)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"A {what} {fault}.", name)
    if details.email:
        fault = fault_of(details.email, length_max=EMAIL_MAX)
        if fault is not None:
            return Refused(Fault.INVALID_BODY, f"An email address {fault}.", "email")
    if not 0 <= details.password_expiration_interval <= DAYS_MAX:
        detail = f"A password expires after 1 to {DAYS_MAX:,} days, or never (0)."
        return Refused(Fault.INVALID_BODY, detail, "passwordExpirationInterval")
    if not 0 <= (details.max_approval_amount or 0) <= INTEGER_MAX:
        detail = "A limit of approval is a whole number of dollars from 0."
        return Refused(Fault.INVALID_BODY, detail, "maxApprovalAmount")
    if service and (details.password_expiration_interval or details.force_password_change):
        detail = "A service account has no password that could expire or be changed."
        return Refused(Fault.INVALID_BODY, detail, "serviceAccount")
    return None


def fault_of_role(name: str, description: str) -> Refused | None:
    fault = fault_of(name, length_max=ROLE_NAME_MAX)
    if fault is not None:
        detail = f"The name of a role {fault}."
        return Refused(Fault.INVALID_BODY, detail, "systemUserRoleName")
    if len(description) > ROLE_DESCRIPTION_MAX or has_unseen(description, but="\r\n\t"):
        detail = f"A description has at most {ROLE_DESCRIPTION_MAX} characters, all visible."
        return Refused(Fault.INVALID_BODY, detail, "description")
    return None


def fault_of_group(name: str, description: str) -> Refused | None:
    """Whether a group may be called and described so."""
    fault = fault_of(name, length_max=GROUP_NAME_MAX)
    if fault is not None:
        return Refused(Fault.INVALID_BODY, f"The name of a group {fault}.", "userGroupName")
    if len(description) > GROUP_DESCRIPTION_MAX or has_unseen(description, but="\r\n\t"):
        detail = f"A description has at most {GROUP_DESCRIPTION_MAX} characters, all visible."
        return Refused(Fault.INVALID_BODY, detail, "description")
    return None
