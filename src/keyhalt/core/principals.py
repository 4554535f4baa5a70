"""Frozen facts: who a request turned out to be, and what the store says of a credential."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from keyhalt.core.permissions import Power

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from keyhalt.core.permissions import PermissionSet


class CredentialKind(enum.StrEnum):
    """What a request can present, and the operator, who presents nothing."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105 - the kind of a credential
    SESSION = "session"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Credential:
    """Which credential acted. `id`: the key's id; a token's or session's row id."""

    kind: CredentialKind
    id: int


@dataclass(frozen=True, slots=True)
class UserFacts:
    """A user with everything a decision needs, as of one read."""

    user_id: int
    user_code: str
    full_name: str
    email: str
    datasource_id: int
    datasource: str
    role_id: int
    role_name: str
    permissions: PermissionSet
    topmosts: Mapping[str, tuple[int, ...]] = field(hash=False)
    """Hierarchy to the ids of its topmost nodes, ascending. Never the nodes below them."""
    active: bool
    datasource_active: bool
    sign_in_generation: int
    service: bool = False
    """A service account: it owns keys and never signs in."""

    @property
    def power(self) -> Power:
        return Power(self.permissions, self.topmosts)


class KeyFacts(NamedTuple):
    """A key's row with its owner, as of one read."""

    key_id: int
    digest: bytes
    deleted: bool
    owner: UserFacts
    generation: int | None = None
    """Of the MAC key that its text was made with; for an imported key, its row's MAC."""
    imported_mac: bytes = b""
    """Over the row of a key that was imported (docs/key-text.md, "Imported keys"); empty: ours."""
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A bearer token's row, and its user."""

    token_id: int
    sign_in_generation: int
    expires_at: datetime
    ended: bool
    user: UserFacts | None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The row of a session of the web pages, and its user."""

    session_id: int
    sign_in_generation: int
    seen_at: datetime
    expires_at: datetime
    ended: bool
    user: UserFacts | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request turned out to be: the owner, acting by one credential, in one place.

    Rights are as of the read that made it; it is remembered only while they are proved fresh.
    `user` is shared by all keys of one owner, so that remembering one more costs little.
    """

    environment: str
    user: UserFacts
    credential: Credential

    @property
    def datasource_id(self) -> int:
        return self.user.datasource_id

    @property
    def datasource(self) -> str:
        return self.user.datasource

    @property
    def user_id(self) -> int:
        return self.user.user_id

    @property
    def user_code(self) -> str:
        return self.user.user_code

    @property
    def full_name(self) -> str:
        return self.user.full_name

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def role_id(self) -> int:
        return self.user.role_id

    @property
    def role_name(self) -> str:
        return self.user.role_name

    @property
    def permissions(self) -> PermissionSet:
        return self.user.permissions

    @property
    def topmosts(self) -> Mapping[str, tuple[int, ...]]:
        """Hierarchy to the ids of its topmost nodes, as in UserFacts."""
        return self.user.topmosts

    def topmost_ids(self, hierarchy: str) -> tuple[int, ...]:
        """The nodes of `hierarchy` that the owner sees from; none means nothing of it."""
        return self.user.topmosts.get(hierarchy, ())


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the environment: belongs to no datasource, acts from the command line."""

    name: str


Acting = Principal | Operator
"""Who may call a verb."""
