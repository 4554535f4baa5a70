"""What should be looked at among keys that never expire, and why: from facts to advice.

An advice never changes anything. Each kind has its evidence, as plain values, and says the next
step. What was not counted for long enough is not said (docs/use.md).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.permissions import PermissionSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime

    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.principals import UserFacts

RIGHTS_DAYS_MIN = 30
"""Rights that lay unused for fewer days say nothing yet."""
RIGHTS_SPARE_MIN = 5
"""With fewer to spare it is not worth a role."""
ONE_IN = 2
"""Advice is given where at most one right in so many was used."""


class AdviceKind(enum.StrEnum):
    UNUSED = "unused"
    OWNER = "owner_about_to_matter"
    RIGHTS = "more_rights_than_use"


@dataclass(frozen=True, slots=True)
class Advice:
    """About one key. `says` and `next_step`: a sentence each."""

    kind: AdviceKind
    key_id: int
    says: str
    next_step: str
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Watched:
    """A key that counts or could count again, with what is known of its use.

    `can_sign_in`: whether the owner has a password. `used`: the permissions that let it through
    in the last `days`.
    """

    key_id: int
    created_at: datetime
    owner: UserFacts
    can_sign_in: bool
    last_used_at: datetime | None
    used: PermissionSet


@dataclass(frozen=True, slots=True)
class Window:
    """Of how long ago the facts are: the last `days`, as far as uses were counted at all."""

    now: datetime
    days: int
    counted_since: date | None

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
    for each in (_unused(key, window), _owner(key), _rights(key, window, catalogue)):
        if each is not None:
            yield each


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


def _owner(key: Watched) -> Advice | None:
    owner = key.owner
    evidence: dict[str, object] = {
        "owner": owner.user_code,
        "active": owner.active,
        "canSignIn": key.can_sign_in,
        "service": owner.service,
    }
    if not owner.active:
        says = f"{owner.user_code} is inactive: it counts again when they are activated."
        step = "Delete it, or make a key of a service account in its place."
    elif not (owner.service or key.can_sign_in):
        says = f"{owner.user_code} has no password: nobody looks after it."
        step = "Make a service account with a key of its own in its place."
    else:
        return None
    return Advice(AdviceKind.OWNER, key.key_id, says, step, evidence)


def _rights(key: Watched, window: Window, catalogue: Catalogue) -> Advice | None:
    held = key.owner.permissions
    used = PermissionSet(key.used & held)
    days = window.seen_days(key.created_at)
    spare = held.bit_count() - used.bit_count()
    if not used or days < RIGHTS_DAYS_MIN or spare < RIGHTS_SPARE_MIN:
        return None
    if used.bit_count() * ONE_IN > held.bit_count():
        return None
    count = f"{used.bit_count()} of {held.bit_count()}"
    evidence: dict[str, object] = {
        "used": used.bit_count(),
        "held": held.bit_count(),
        "days": days,
        "usedPermissions": list(catalogue.names(used)),
    }
    step = "Make a service account whose role has just these, and a key of its own."
    says = f"Used {count} permissions in {days} days."
    return Advice(AdviceKind.RIGHTS, key.key_id, says, step, evidence)
