"""What the use cases need of the outside, each as small as its caller's need.

A `Rights` transaction sees and changes one environment. Everything that belongs to a datasource
is asked for with that datasource's id, so nothing of one can be read through another.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.audit import AuditEvent
    from keyhalt.core.filters import Condition
    from keyhalt.core.passwords import PasswordAge, PasswordPolicy
    from keyhalt.core.permissions import PermissionSet
    from keyhalt.core.principals import Credential, KeyFacts, TokenFacts, UserFacts
    from keyhalt.core.profiles import RoleTemplate
    from keyhalt.core.secrets import MacKeys, Secret
    from keyhalt.usecases.people import GroupStore, UserDetails, UserQuery, UserRow


class StoreUnavailableError(Exception):
    """The store cannot be asked now: locked too long, gone, or the disk is full."""


class DuplicateError(Exception):
    """A name that must be unique is taken."""


# ------------------------------------------------------------------ rows


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    name: str
    product: str
    profile: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What a datasource lets its users do."""

    password_length_min: int
    keys_create_keys: bool


@dataclass(frozen=True, slots=True)
class DatasourceRow:
    id: int
    name: str
    active: bool
    created_at: datetime
    policy: Policy


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


@dataclass(frozen=True, slots=True)
class NewKey:
    owner_id: int
    name: str
    description: str
    made_with: Credential
    made_by: str
    created_at: datetime


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
class SignInFacts:
    """A user with what signing in needs. The generation was read with the hash.

    `policy`: what another password of theirs must be.
    """

    user: UserFacts
    password_hash: str | None
    age: PasswordAge
    policy: PasswordPolicy


# ------------------------------------------------------------------ rights


class KeyStore(Protocol):
    def add(self, datasource_id: int, key: NewKey) -> int: ...
    def set_text(
        self, datasource_id: int, key_id: int, *, digest: bytes, last4: str, generation: int
    ) -> None: ...
    def set_imported(
        self,
        datasource_id: int,
        key_id: int,
        *,
        digest: bytes,
        last4: str,
        generation: int,
        mac: bytes,
    ) -> None: ...
    def get(self, datasource_id: int, key_id: int) -> KeyRow | None: ...
    def facts(self, datasource_id: int, key_id: int) -> KeyFacts | None:
        """What a decision about the key would be made from."""

    def list(self, datasource_id: int, where: Condition | None = None) -> Sequence[KeyRow]: ...
    def ending_in(self, datasource_id: int, last4: str) -> Sequence[KeyRow]:
        """Those whose text ends so, oldest first; deleted ones too."""

    def rename(
        self, datasource_id: int, key_id: int, *, name: str, description: str | None
    ) -> bool: ...
    def delete(self, datasource_id: int, key_id: int, *, at: datetime, epoch: int) -> bool:
        """Mark as deleted, for ever. False when it was deleted before."""

    def tree(self, datasource_id: int, key_id: int) -> Sequence[KeyRow]:
        """The key, those made with it, with those, and so on down; deleted ones too, by id."""

    def made_since(
        self, datasource_id: int, *, user_id: int, user_code: str, since: datetime
    ) -> Sequence[KeyRow]:
        """The trees of the keys that a user has or made since then; deleted ones too, by id."""

    def by_generation(self) -> Mapping[int, int]:
        """How many keys of the environment that are not deleted each generation made."""


class UserStore(Protocol):
    def add(self, datasource_id: int, user: NewUser) -> int: ...
    def get(self, datasource_id: int, user_id: int) -> UserFacts | None: ...
    def find(self, datasource_id: int, code: str) -> UserFacts | None: ...
    def sign_in_facts(self, datasource_id: int, code: str) -> SignInFacts | None: ...
    def list(self, datasource_id: int) -> Sequence[UserFacts]: ...
    def row(self, datasource_id: int, user_id: int) -> UserRow | None: ...
    def page(self, datasource_id: int, query: UserQuery) -> tuple[Sequence[UserRow], int]:
        """The users, and how many there are on all pages."""

    def missing(self, datasource_id: int, user_ids: Sequence[int]) -> Sequence[int]:
        """Those of `user_ids` that are no user of the datasource."""

    def set_details(self, datasource_id: int, user_id: int, details: UserDetails) -> None:
        """May raise DuplicateError."""

    def set_active(self, datasource_id: int, user_id: int, *, active: bool) -> None:
        """Deactivating also raises the sign-in generation."""

    def set_role(self, datasource_id: int, user_id: int, role_id: int) -> None: ...
    def set_topmosts(
        self, datasource_id: int, user_id: int, topmosts: Mapping[str, tuple[int, ...]]
    ) -> None: ...
    def set_password(
        self,
        datasource_id: int,
        user_id: int,
        password_hash: str,
        *,
        at: datetime,
        must_change: bool | None = None,
    ) -> None:
        """Also raises the sign-in generation. `must_change` None leaves that as it is."""

    def any_person_with(
        self,
        datasource_id: int,
        permissions: PermissionSet,
        *,
        but_user: int | None = None,
        but_role: int | None = None,
    ) -> bool:
        """Whether the role of any active person, but this user or this role's, has all of them."""


class RoleStore(Protocol):
    def add(self, datasource_id: int, role: RoleRow) -> int: ...
    def get(self, datasource_id: int, role_id: int) -> RoleRow | None: ...
    def find(self, datasource_id: int, name: str) -> RoleRow | None: ...
    def list(self, datasource_id: int) -> Sequence[RoleRow]: ...
    def edit(self, datasource_id: int, role: RoleRow) -> None:
        """Write what is said of a role and what it grants. May raise DuplicateError."""

    def delete(self, datasource_id: int, role_id: int) -> None:
        """Only a role that nobody has."""

    def topmosts_of_holders(
        self, datasource_id: int, role_id: int
    ) -> Mapping[str, tuple[int, ...]]:
        """Every topmost of every user of the role, active or not."""


class DatasourceStore(Protocol):
    def environment(self) -> EnvironmentRow | None: ...
    def add_environment(self, environment: EnvironmentRow) -> None: ...
    def add(self, name: str, at: datetime) -> int: ...
    def find(self, name: str) -> DatasourceRow | None: ...
    def list(self) -> Sequence[DatasourceRow]: ...
    def policy(self, datasource_id: int) -> Policy: ...
    def set_policy(self, datasource_id: int, policy: Policy) -> None: ...
    def set_active(self, datasource_id: int, *, active: bool) -> None: ...


class RightsTransaction(Protocol):
    """One transaction on the store of rights; commits when its block ends, unless it raised."""

    @property
    def keys(self) -> KeyStore: ...
    @property
    def users(self) -> UserStore: ...
    @property
    def roles(self) -> RoleStore: ...
    @property
    def groups(self) -> GroupStore: ...
    @property
    def datasources(self) -> DatasourceStore: ...

    def record(self, event: AuditEvent) -> None:
        """Write an audit row in this transaction."""

    def raise_epoch(self, *subjects: int) -> int:
        """Call in every transaction that changes rights. Returns the new epoch.

        `subjects`: whom or what it concerns (core/leases.py); none means everybody.
        """


class Rights(Protocol):
    """Both raise StoreUnavailableError; `change` may raise DuplicateError inside its block."""

    def change(self) -> AbstractContextManager[RightsTransaction]: ...
    def look(self) -> AbstractContextManager[RightsTransaction]:
        """Read only, one consistent snapshot."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a change of rights took effect everywhere (docs/revocation.md)."""

    epoch: int
    form: str
    waited_ms: int = 0
    acknowledged: int | None = None
    """How many processes said that they know. None where nobody is asked."""
    timed_out: int = 0
    """How many were waited for in vain, until they could no longer answer from memory."""

    def __str__(self) -> str:
        text = f"epoch={self.epoch}, form={self.form}, waited-ms={self.waited_ms}"
        if self.acknowledged is None:
            return text
        return f"{text}, acknowledged={self.acknowledged}, timed-out={self.timed_out}"


class Barrier(Protocol):
    """Returns only when no process of the environment can still answer from before `epoch`."""

    def wait(self, epoch: int) -> Receipt: ...


class Trees(Protocol):
    """The hierarchies of the apps behind the keys."""

    def contains(self, datasource_id: int, hierarchy: str, ancestor: int, node: int) -> bool:
        """Whether `node` is `ancestor` or lies below it, now."""


# ------------------------------------------------------------------ reading credentials


class CredentialReader(Protocol):
    """The store as a verifier asks it. One statement a call. May raise StoreUnavailableError."""

    async def key(self, key_id: int) -> KeyFacts | None: ...
    async def imported_key(self, digest: bytes) -> KeyFacts | None: ...
    async def token(self, digest: bytes) -> TokenFacts | None: ...


# ------------------------------------------------------------------ sign-ins and use


class TokenStore(Protocol):
    def add(
        self, digest: bytes, *, user: UserFacts, created_at: datetime, expires_at: datetime
    ) -> int:
        """Keeps the sign-in generation of `user`."""

    def end(self, digest: bytes, at: datetime) -> bool: ...


class SignInThrottle(Protocol):
    """Shared by every process, so that more workers do not mean more tries."""

    def admit(self, account: str, source: str, now: datetime) -> float:
        """Spend one try. Returns the seconds to wait; above 0 means refused."""

    def failed(self, account: str, source: str, now: datetime) -> None: ...
    def succeeded(self, account: str, source: str, now: datetime) -> None: ...


class MacKeyStore(Protocol):
    """Where the MAC keys are kept, outside the database."""

    def read(self) -> MacKeys | None:
        """None when there are none yet, or no more. Raises MacKeysError for unusable ones."""

    def write(self, keys: MacKeys) -> None: ...
    def fresh_key(self) -> bytes: ...


class Passwords(Protocol):
    def hash(self, password: Secret) -> str: ...
    def matches(self, password_hash: str | None, password: Secret) -> bool:
        """Costs the same for a user that does not exist (`None`), and is then False."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event as it is stored, `count` of it."""

    id: str
    event: AuditEvent
    count: int = 1


class AuditReader(Protocol):
    def newest(self, datasource_id: int | None, limit: int) -> Sequence[AuditRow]: ...


class Recorder(Protocol):
    """Takes denials and returns at once; they are written in batches, at most a second late."""

    def record(self, event: AuditEvent) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class Randomness(Protocol):
    def bytes(self, count: int) -> bytes:
        """From the operating system."""
