"""What the use cases need of the outside, each as small as its caller's need.

A `Rights` transaction sees and changes one environment. Everything that belongs to a datasource
is asked for with that datasource's id, so nothing of one can be read through another.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keyhalt.core.audit import AuditEvent, Event
    from keyhalt.core.filters import Condition
    from keyhalt.core.marks import Mark
    from keyhalt.core.permissions import PermissionSet
    from keyhalt.core.principals import KeyFacts, SessionFacts, TokenFacts, UserFacts
    from keyhalt.core.secrets import MacKeys, Secret
    from keyhalt.usecases.keeping import ChainKeeping
    from keyhalt.usecases.people import GroupStore, UserDetails, UserQuery, UserRow
    from keyhalt.usecases.rows import (
        AuditQuery,
        AuditRow,
        DatasourcePolicy,
        DatasourceRow,
        EnvironmentRow,
        FreezeRow,
        KeyRow,
        KeySearch,
        KeyWalk,
        NewKey,
        NewUser,
        PolicyRow,
        RoleRow,
        SignInFacts,
    )


class StoreUnavailableError(Exception):
    """The store cannot be asked now: locked too long, gone, or the disk is full."""


class NotSetUpError(Exception):
    """There is no environment yet; the text says what to run."""


class UnfitStoreError(Exception):
    """The promise would not hold where the stores are; the text says why."""


class CopyError(Exception):
    """A copy of the stores cannot be made or used; the text says why."""


class StoreClosedError(StoreUnavailableError):
    """The store is older than what was served before, or another's. The text says what to do."""


class DuplicateError(Exception):
    """A name that must be unique is taken."""


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
    def page(self, datasource_id: int, search: KeySearch) -> tuple[Sequence[KeyRow], int]:
        """Also how many there are in all."""

    def matching(self, datasource_id: int, search: KeySearch) -> Sequence[int]:
        """The ids of all that `page` would count, oldest first."""

    def after(self, datasource_id: int, key_id: int, walk: KeyWalk) -> Sequence[KeyRow]:
        """The next keys that are not deleted, by id."""

    def in_place_of(self, datasource_id: int, key_ids: Sequence[int]) -> Sequence[KeyRow]:
        """The keys that were made in the place of these and are not deleted."""

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
    def some(self, datasource_id: int, user_ids: Sequence[int]) -> Sequence[UserFacts]: ...
    def row(self, datasource_id: int, user_id: int) -> UserRow | None: ...
    def page(self, datasource_id: int, query: UserQuery) -> tuple[Sequence[UserRow], int]:
        """The users, and how many there are on all pages."""

    def missing(self, datasource_id: int, user_ids: Sequence[int]) -> Sequence[int]:
        """Those of `user_ids` that are no user of the datasource."""

    def preference(self, datasource_id: int, user_id: int) -> Mapping[str, object] | None: ...
    def set_preference(
        self, datasource_id: int, user_id: int, preference: Mapping[str, object]
    ) -> None: ...
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
        password_hash: str | None,
        *,
        at: datetime,
        must_change: bool | None = None,
    ) -> None:
        """Also raises the sign-in generation. `must_change` None leaves that as it is.

        `password_hash` None: no password signs in until another is set.
        """

    def known_emails(self, datasource_id: int, emails: Sequence[str]) -> Sequence[str]:
        """The addresses of users that are among `emails`, whatever their case."""

    def without_password(self, datasource_id: int, user_ids: Sequence[int] | None) -> Sequence[int]:
        """The ids of those, None: of all, of whom no password signs in."""

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
    def set_bit_numbers(self, numbers: Mapping[str, int]) -> None: ...
    def add(self, name: str, at: datetime) -> int: ...
    def find(self, name: str) -> DatasourceRow | None: ...
    def list(self) -> Sequence[DatasourceRow]: ...
    def policy(self, datasource_id: int) -> DatasourcePolicy: ...
    def set_policy(self, datasource_id: int, policy: DatasourcePolicy) -> None: ...
    def set_active(self, datasource_id: int, *, active: bool) -> None: ...


class FreezeStore(Protocol):
    """The operator's, over all datasources."""

    def add(self, new: FreezeRow) -> int: ...
    def get(self, freeze_id: int) -> FreezeRow | None: ...
    def end(self, freeze_id: int, at: datetime) -> None: ...
    def list(self) -> Sequence[FreezeRow]: ...
    def keys(self, row: FreezeRow) -> int:
        """How many keys that are not deleted it takes in."""


class PolicyStore(Protocol):
    def add(self, policy: PolicyRow) -> None: ...
    def get(self, name: str, version: int | None = None) -> PolicyRow | None:
        """A version; without one, the newest."""

    def newest(self) -> Sequence[PolicyRow]:
        """The newest version of each, by name."""


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
    @property
    def policies(self) -> PolicyStore: ...
    @property
    def freezes(self) -> FreezeStore: ...
    @property
    def audit(self) -> ChainKeeping: ...

    def record(self, event: AuditEvent) -> None:
        """Write an audit row in this transaction."""

    def epoch(self) -> int: ...
    def skip_epochs(self, upto: int) -> None:
        """Count on from `upto`, if that is higher: those between were another store's."""

    def raise_epoch(self, *subjects: int) -> int:
        """Call in every transaction that changes rights. Returns the new epoch.

        `subjects`: whom or what it concerns (core/leases.py); none means everybody.
        """


class Rights(Protocol):
    """Both raise StoreUnavailableError; `change` may raise DuplicateError inside its block."""

    def change(self) -> AbstractContextManager[RightsTransaction]: ...
    def look(self) -> AbstractContextManager[RightsTransaction]:
        """Read only, one consistent snapshot."""


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
    async def session(self, digest: bytes) -> SessionFacts | None: ...


# ------------------------------------------------------------------ sign-ins and use


class TokenStore(Protocol):
    def add(
        self, digest: bytes, *, user: UserFacts, created_at: datetime, expires_at: datetime
    ) -> int:
        """Keeps the sign-in generation of `user`."""

    def add_twin(
        self, datasource_id: int, token_id: int, *, digest: bytes, at: datetime
    ) -> int | None:
        """Another token of the same sign-in, good for as long. None when that one is not good."""

    def end(self, digest: bytes, at: datetime) -> bool: ...
    def end_all(self, at: datetime) -> int:
        """Every token and every session of the web pages."""


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

    def write(self, keys: MacKeys, *, over: MacKeys | None) -> None:
        """Raises MacKeysError where there are others by now than `over`; None: none usable."""

    def fresh_key(self) -> bytes: ...


class MarkStore(Protocol):
    """Where the mark is kept, outside the database. Any call may raise OSError."""

    def read(self) -> Mark | None:
        """None when nothing was served here yet. Raises StoreClosedError for an unusable one."""

    def raise_to(self, mark: Mark) -> None:
        """Only forwards, within one cluster."""

    def replace(self, mark: Mark) -> None: ...


class Passwords(Protocol):
    def hash(self, password: Secret) -> str: ...
    def matches(self, password_hash: str | None, password: Secret) -> bool:
        """Costs the same for a user that does not exist (`None`), and is then False."""


class AuditReader(Protocol):
    def page(self, query: AuditQuery) -> Sequence[AuditRow]:
        """Newest first."""

    def since(self, at: datetime | None) -> Iterator[AuditRow]: ...
    def in_effect(self, epoch: int, key_id: int) -> AuditRow | None:
        """The first to say that the end of a key, with that epoch, counts everywhere."""


class Recorder(Protocol):
    """Takes denials and returns at once; they are written in batches, at most a second late."""

    def record(self, event: AuditEvent) -> None: ...

    def record_all(self, events: Sequence[AuditEvent]) -> None:
        """Of one change: each is kept, in one batch, however many they are."""

    def counted(self, event: Event, source: str, reason: str) -> bool:
        """Count one of a flood that is not kept whole. False: it is to be recorded."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back and run on in a suspended machine: those of leases."""


class Randomness(Protocol):
    def bytes(self, count: int) -> bytes:
        """From the operating system."""
