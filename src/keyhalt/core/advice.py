"""What should be looked at among keys that never expire, and why: from facts to advice.

An advice never changes anything. Each kind has its evidence, as plain values, and says the next
step. What was not counted for long enough is not said (docs/use.md).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.permissions import NOTHING, PermissionSet
from keyhalt.core.sharing import sharing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import UserFacts
    from keyhalt.core.sharing import CallerWeek, Integration

RIGHTS_DAYS_MIN = 30
"""Rights that lay unused for fewer days say nothing yet."""
RIGHTS_SPARE_MIN = 5
"""With fewer to spare it is not worth a role."""
YEAR_DAYS = 366
"""A right that was used within them is not spare: there are jobs that run once a year."""
QUIET_DAYS = 14
"""After which a replaced key is taken to be left by all."""
ONE_IN = 2
"""Advice is given where at most one right in so many was used."""


class AdviceKind(enum.StrEnum):
    UNUSED = "unused"
    OWNER = "owner_about_to_matter"
    RIGHTS = "more_rights_than_use"
    SHARED = "one_key_several_integrations"
    EXPOSED = "travelled_in_clear"
    REPLACED = "replaced_key"
    TOKEN = "legacy_token_in_use"  # noqa: S105 - a kind of advice


@dataclass(frozen=True, slots=True)
class Advice:
    """About one key, or None, the owner's tokens. `says` and `next_step`: a sentence each."""

    kind: AdviceKind
    key_id: int | None
    says: str
    next_step: str
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Watched:
    """A key that counts or could count again, with what is known of its use.

    `can_sign_in`: whether the owner has a password. `used`: the permissions that let it through
    in the last `days`; `used_earlier`: before, within YEAR_DAYS. `callers`: by whom it was used
    then, where those were several.
    """

    key_id: int
    created_at: datetime
    owner: UserFacts
    can_sign_in: bool
    last_used_at: datetime | None
    used: PermissionSet
    used_earlier: PermissionSet = NOTHING
    signed_in_at: datetime | None = None
    """When the owner did last."""
    callers: Sequence[CallerWeek] = field(default=())
    exposures: Sequence[Exposed] = field(default=())
    successor: Successor | None = None


@dataclass(frozen=True, slots=True)
class Successor:
    """The key that was made in the place of another, and when."""

    key_id: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Exposed:
    """A key was sent so that others could read it: over plain HTTP, or in a URL (`in_url`)."""

    in_url: bool
    times: int
    last_at: datetime
    network: str


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Whose bearer tokens were used in the window, and how they were last."""

    user_code: str
    requests: int
    last_at: datetime
    network: str
    agent: str


@dataclass(frozen=True, slots=True)
class Window:
    """Of how long ago the facts are: the last `days`, as far as uses were counted at all."""

    now: datetime
    days: int
    counted_since: date | None

    @property
    def week(self) -> int:
        """The running one, as `core.sharing` counts them."""
        return (self.now.date().toordinal() - 1) // 7

    @property
    def is_counted(self) -> bool:
        """Whether uses were counted all the time."""
        begin = (self.now - timedelta(days=self.days)).date()
        return self.counted_since is not None and self.counted_since <= begin

    def seen_days(self, since: datetime) -> int:
        """For how many days of the window something that is there since then was watched."""
        if self.counted_since is None:
            return 0
        first = max(since.date(), self.counted_since)
        return max(0, min(self.days, (self.now.date() - first).days))


def advise(key: Watched, window: Window, catalogue: Catalogue) -> Iterator[Advice]:
    """Every advice about one key, in the order of the kinds."""
    for each in (
        _unused(key, window),
        _owner(key, window),
        _rights(key, window, catalogue),
        _shared(key, window, catalogue),
        *(_exposed(key, each) for each in key.exposures),
        _replaced(key, window),
    ):
        if each is not None:
            yield each


def advise_of_tokens(user: TokenUser, window: Window) -> Advice:
    """Somebody still signs in for bearer tokens."""
    times = "One request" if user.requests == 1 else f"{user.requests:,} requests"
    by = " ".join(each for each in (_by(user.agent), _from(user.network)) if each)
    says = (
        f"{times} with bearer tokens of {user.user_code} in {window.days} days,"
        f" last on {user.last_at.date().isoformat()}{by and f' {by}'}."
    )
    evidence: dict[str, object] = {
        "owner": user.user_code,
        "requests": user.requests,
        "lastUsedAt": user.last_at,
        "network": user.network,
        "agent": user.agent,
    }
    step = "Make an API key for what runs there, and let it send that in ECI-ApiKey."
    return Advice(AdviceKind.TOKEN, None, says, step, evidence)


def _unused(key: Watched, window: Window) -> Advice | None:
    since = key.last_used_at or key.created_at
    days = (window.now - since).days
    if days < window.days or not window.is_counted:
        return None
    says = f"Not used for {days} days." if key.last_used_at else f"Never used in {days} days."
    evidence: dict[str, object] = {
        "days": days,
        "lastUsedAt": key.last_used_at,
        "createdAt": key.created_at,
    }
    step = f"Ask {key.owner.user_code} whether it is needed; delete it if not."
    return Advice(AdviceKind.UNUSED, key.key_id, says, step, evidence)


def _owner(key: Watched, window: Window) -> Advice | None:
    owner = key.owner
    evidence: dict[str, object] = {
        "owner": owner.user_code,
        "active": owner.active,
        "canSignIn": key.can_sign_in,
        "service": owner.service,
        "signedInAt": key.signed_in_at,
    }
    age = (window.now - key.created_at).days
    silent = (window.now - key.signed_in_at).days if key.signed_in_at else age
    if not owner.active:
        says = f"{owner.user_code} is inactive: it counts again when they are activated."
        step = "Delete it, or make a key of a service account in its place."
    elif not (owner.service or key.can_sign_in):
        says = f"{owner.user_code} has no password: nobody looks after it."
        step = "Make a service account with a key of its own in its place."
    elif min(silent, age) >= window.days and not owner.service:
        since = f"for {silent} days" if key.signed_in_at else "since it was made"
        says = f"{owner.user_code} has not signed in {since}: it ends when they are deactivated."
        step = "Ask whether they still look after it; if not, give it to a service account."
    else:
        return None
    return Advice(AdviceKind.OWNER, key.key_id, says, step, evidence)


def _rights(key: Watched, window: Window, catalogue: Catalogue) -> Advice | None:
    held = key.owner.permissions
    used = PermissionSet(key.used & held)
    earlier = PermissionSet(key.used_earlier & held & ~used)
    days = window.seen_days(key.created_at)
    needed = used.bit_count() + earlier.bit_count()
    spare = held.bit_count() - needed
    if not used or key.successor or days < RIGHTS_DAYS_MIN or spare < RIGHTS_SPARE_MIN:
        return None
    if needed * ONE_IN > held.bit_count():
        return None
    count = f"{used.bit_count()} of {held.bit_count()}"
    evidence: dict[str, object] = {
        "used": used.bit_count(),
        "held": held.bit_count(),
        "days": days,
        "usedPermissions": list(catalogue.names(used)),
        "usedEarlier": list(catalogue.names(earlier)),
    }
    step = "Narrow it: a service account whose role has just these, with a key of its own."
    more = f", and {earlier.bit_count()} more within a year" if earlier else ""
    says = f"Used {count} permissions in {days} days{more}."
    return Advice(AdviceKind.RIGHTS, key.key_id, says, step, evidence)


def _shared(key: Watched, window: Window, catalogue: Catalogue) -> Advice | None:
    found = sharing(key.callers, window.week)
    if not found:
        return None
    says = f"Looks like {len(found)} different programs, side by side for weeks: "
    says += "; ".join(f"{_from(_some(each.networks))} {_by(_some(each.agents))}" for each in found)
    evidence: dict[str, object] = {
        "integrations": [_integration(each, catalogue) for each in found]
    }
    step = "Make a key for each of them, so that one can end without the others."
    return Advice(AdviceKind.SHARED, key.key_id, f"{says}.", step, evidence)


def _integration(each: Integration, catalogue: Catalogue) -> Mapping[str, object]:
    return {
        "networks": list(each.networks),
        "agents": list(each.agents),
        "permissions": list(catalogue.names(each.permissions)),
        "weeks": len(each.weeks),
        "days": each.days,
    }


def _exposed(key: Watched, exposed: Exposed) -> Advice:
    how = "in an address" if exposed.in_url else "over plain HTTP"
    times = "once" if exposed.times == 1 else f"{exposed.times:,} times"
    seen = "Logs have it" if exposed.in_url else "Whoever stood on the way could read it"
    says = f"Sent {how} {times}, last on {exposed.last_at.date().isoformat()}"
    says = " ".join(each for each in (says, _from(exposed.network)) if each)
    evidence: dict[str, object] = {
        "place": "url" if exposed.in_url else "http",
        "times": exposed.times,
        "lastAt": exposed.last_at,
        "network": exposed.network,
    }
    step = (
        "Change over to another key, delete this one, and send the new one over HTTPS in a header."
    )
    return Advice(AdviceKind.EXPOSED, key.key_id, f"{says}. {seen}.", step, evidence)


def _replaced(key: Watched, window: Window) -> Advice | None:
    new = key.successor
    if new is None:
        return None
    used = key.last_used_at is not None and key.last_used_at > new.made_at
    since = key.last_used_at if used and key.last_used_at else new.made_at
    quiet = (window.now - since).days
    evidence: dict[str, object] = {
        "newKeyId": new.key_id,
        "since": new.made_at,
        "lastUsedAt": key.last_used_at,
        "quietDays": quiet,
    }
    if quiet >= QUIET_DAYS:
        says = f"Quiet for {quiet} days; key {new.key_id} was made in its place."
        step = "Delete it."
    else:
        when = "was used since then" if used else "was not used since then"
        says = f"Key {new.key_id} was made in its place {_ago(window, new.made_at)}; it {when}."
        step = f"Move what uses it to the other; delete it when it is quiet for {QUIET_DAYS} days."
    return Advice(AdviceKind.REPLACED, key.key_id, says, step, evidence)


def _ago(window: Window, at: datetime) -> str:
    days = (window.now - at).days
    return "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    more = len(names) - 1
    return f"{names[0]} and {more} more" if more > 0 else "".join(names)


def _from(network: str) -> str:
    return network and f"from {network}"


def _by(agent: str) -> str:
    return agent and f"by {agent}"
