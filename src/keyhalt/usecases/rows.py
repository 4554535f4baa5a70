"""What the stores give and take: rows of the use cases' own, with nothing of a database in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.audit import AuditEvent, Event
    from keyhalt.core.passwords import PasswordAge, PasswordPolicy
    from keyhalt.core.permissions import PermissionSet
    from keyhalt.core.principals import Credential, UserFacts
    from keyhalt.core.profiles import RoleTemplate
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.people import UserDetails


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    name: str
    product: str
    profile: str
    cluster: str
    bit_numbers: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Of every permission and level that its catalogue ever had: `meters.view` and its bit."""


@dataclass(frozen=True, slots=True)
class DatasourcePolicy:
    """What a datasource lets its users do."""

    password_length_min: int
    keys_create_keys: bool


@dataclass(frozen=True, slots=True)
class DatasourceRow:
    id: int
    name: str
    active: bool
    created_at: datetime
    policy: DatasourcePolicy


@dataclass(frozen=True, slots=True)
class RoleRow:
    id: int
    name: str
    description: str
    permissions: PermissionSet
    read_only: bool
    hidden: bool
    users: int = 0


def role_of(template: RoleTemplate) -> RoleRow:
    """A copy of a profile's role, not yet in any datasource."""
    return RoleRow(
        0,
        template.name,
        template.description,
        template.permissions,
        template.read_only,
        hidden=False,
    )


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it may be shown. `made_with`: the credential that made it."""

    id: int
    datasource_id: int
    name: str
    description: str
    hint: str
    owner_id: int
    owner_code: str
    owner_full_name: str
    owner_active: bool
    created_at: datetime
    made_with: Credential
    made_by: str
    deleted_at: datetime | None
    deleted_epoch: int | None
    imported: bool
    in_place_of: int | None = None
    """The key whose programs are to use this one."""


KEY_ORDERS = ("newest", "oldest", "name", "owner")


@dataclass(frozen=True, slots=True)
class KeyWalk:
    """A step through the keys. `only`: of these. `replaced`: those with another in their place."""

    take: int
    only: tuple[int, ...] | None = None
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class KeySearch:
    """Keys that are not deleted. `text`: in their name, description, hint or owner.

    `key_id`, `owner_id`: only that one, only theirs. `but`: without these.
    `only`: of these. `skip` and `take`: which part of them.
    """

    text: str = ""
    key_id: int | None = None
    owner_id: int | None = None
    owner_active: bool | None = None
    but: frozenset[int] = frozenset()
    only: tuple[int, ...] | None = None
    created_before: datetime | None = None
    order: str = KEY_ORDERS[0]
    skip: int = 0
    take: int = 100


@dataclass(frozen=True, slots=True)
class FreezeRow:
    """Keys made before a time; of one datasource, of one generation, or of all."""

    id: int
    datasource_id: int | None
    issued_before: datetime
    generation: int | None
    frozen_at: datetime
    thawed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    owner_id: int
    name: str
    description: str
    made_with: Credential
    made_by: str
    created_at: datetime
    in_place_of: int | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    details: UserDetails
    role_id: int
    password_hash: str | None
    topmosts: Mapping[str, tuple[int, ...]]
    created_at: datetime
    active: bool = True
    service: bool = False


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session of the web pages that counts."""

    id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What a person typed. `partition`: the environment they mean, or empty."""

    datasource: str
    user_code: str
    password: Secret
    partition: str = ""


@dataclass(frozen=True, slots=True)
class SignInFacts:
    """A user with what signing in needs. The generation was read with the hash.

    `policy`: what another password of theirs must be.
    """

    user: UserFacts
    password_hash: str | None
    age: PasswordAge
    policy: PasswordPolicy

    @property
    def about(self) -> tuple[str, ...]:
        """What everybody knows of the user, and guesses first."""
        user = self.user
        return (user.user_code, user.full_name, user.email, user.datasource)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event as it is stored, `count` of it."""

    id: str
    event: AuditEvent
    count: int = 1


@dataclass(frozen=True, slots=True)
class KeyReceipt:
    """How the end of a key took effect. `done` None: that is not known, or not yet."""

    key: KeyRow
    done: AuditEvent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which events of the log, of changes and denials together; what is None does not matter.

    `datasource_id` None: of the whole environment. `key_id`: by that key, or about it. `until` is
    excluded. `before`: only what comes after that row on the way back in time, of an AuditRow.
    """

    datasource_id: int | None
    event: Event | None = None
    outcome: str | None = None
    user_id: int | None = None
    key_id: int | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, str] | None = None
    with_reads: bool = True
    """Readings of the log itself, too."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Copied:
    """A table that was copied, and compared. `digest`: of all its rows, in hexadecimal."""

    table: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A version of a policy, 1 and up, as it was written."""

    name: str
    version: int
    text: str
    created_at: datetime
    made_by: str
