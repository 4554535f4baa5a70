"""What keys do: rows of it, who counts it and who reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from keyhalt.core.permissions import NOTHING

if TYPE_CHECKING:
    from datetime import date, datetime

    from keyhalt.core.permissions import PermissionSet
    from keyhalt.core.principals import Credential, Principal
    from keyhalt.core.sharing import CallerWeek

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class LastUse:
    """When a key was last allowed, and how: kept coarse (core/uses.py), empty where unknown."""

    at: datetime
    network: str
    agent: str
    operation: str


@dataclass(frozen=True, slots=True)
class DayCount:
    """Requests of one UTC day."""

    day: date
    allowed: int
    denied: int


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key did, as far as it is written. Days without any use are left out."""

    last: LastUse | None = None
    days: tuple[DayCount, ...] = ()
    denied: Mapping[str, int] = field(default_factory=dict)
    """By exact reason, over those days."""
    permissions: PermissionSet = NOTHING
    """Those that let a request through on those days."""
    last_24_hours: tuple[int, int] = (0, 0)
    """Allowed and denied in the running hour and the 23 before."""


@dataclass(frozen=True, slots=True)
class TokenUse:
    """What the bearer tokens of a user did."""

    requests: int
    last: LastUse


@dataclass(frozen=True, slots=True)
class Exposure:
    """A key was sent so that others could read it. `place`: `http` or `url`."""

    place: str
    first_at: datetime
    last_at: datetime
    times: int
    network: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known of the use of a datasource's keys over some days, each by the key's id."""

    counted_since: date | None
    last: Mapping[int, LastUse]
    permissions: Mapping[int, PermissionSet]
    earlier: Mapping[int, PermissionSet]
    """Those that let a key through before, and not in those days."""
    callers: Mapping[int, Sequence[CallerWeek]]
    """Of keys that more than one network or agent used, and of no others."""
    exposures: Mapping[int, Sequence[Exposure]]
    tokens: Mapping[int, TokenUse]
    """By the user's id."""


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of what one key was let through by."""

    last_days: Mapping[PermissionSet, date]
    """Of each permission, alone in its set: when it was used last."""
    callers: Sequence[CallerWeek]


class UseRecorder(Protocol):
    """Counts what keys do and returns at once; it is written in batches, at most a minute late."""

    def allowed(
        self,
        principal: Principal,
        bits: PermissionSet,
        method: str,
        path: str,
        client: Sequence[object] | None,
        headers: Headers,
    ) -> None:
        """A request was let through. `bits`: the permissions that it took.

        `client`: its address comes first; another one where another agent may be asking.
        """

    def denied(self, credential: Credential, datasource_id: int, reason: str) -> None: ...
    def exposed(self, key_id: int, place: str, source: str) -> None:
        """A real key came so that others could read it; see Exposure."""


class UseReader(Protocol):
    """What was written of keys' use. Any call may raise StoreUnavailableError."""

    def last(self, datasource_id: int) -> Mapping[int, LastUse]:
        """Of each key that was ever used, by id. One statement."""

    def recent(self, datasource_id: int, since: datetime | None = None) -> Sequence[int]:
        """The ids of those, last used first; used then or later. One statement."""

    def gathered(
        self,
        datasource_id: int,
        key_ids: Sequence[int] | None,
        *,
        since: date,
        earlier: date | None = None,
    ) -> Gathered:
        """What advice is made from, of these keys or, None, of all and of tokens.

        `earlier`: from when on permissions count that were used before. At most five statements.
        """

    def exposed(self, *, since: date) -> Sequence[int]:
        """The ids of the keys of the environment that travelled in clear. One statement."""

    def of_several(self, datasource_id: int, *, since: date) -> Sequence[int]:
        """The ids of the keys that more than one caller used. One statement."""

    def token_users(
        self, datasource_id: int, *, since: date, after: int, take: int
    ) -> Mapping[int, TokenUse]:
        """Whose tokens were used, by the user's id; the next so many after one. One statement."""

    def history(self, datasource_id: int, key_id: int) -> History: ...

    def counted_since(self) -> date | None:
        """The first day of which anything is known, for the whole environment."""

    def of(
        self, datasource_id: int, key_ids: Sequence[int] | None, *, since: date, now: datetime
    ) -> Mapping[int, KeyUse]:
        """Of those keys that were used, or denied; None: of all. Three statements."""
