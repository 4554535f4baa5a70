"""Whether one key has several integrations: by whom it is used, week by week.

1. A caller is a network and an agent, and what it was let through by.
2. Two callers look alike when two of the three agree: the network, the agent, what they do. So a
   program that moves, that is updated or whose cloud changes its addresses stays one.
3. Callers of one agent that each come in a few weeks only are one: a cloud.
4. Callers that look alike are one integration. It counts when it is *stable*: there on some
   days, and in nearly half of the weeks from its first one until now.
5. Integrations share a key when they are *concurrent*: there in the same weeks.

Two programs of one network with one agent cannot be told apart; what comes once a month is not
seen to be stable.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keyhalt.core.permissions import NOTHING, PermissionSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WEEKS_MIN = 4
"""In fewer weeks nothing is stable, and nothing concurrent."""
DAYS_MIN = 8
"""On fewer days it may be a person who tries something out."""
STABLE = 0.45
"""In so many of the weeks since its first one."""
ALIKE = 0.5
"""What two callers do agrees when they have so much of it in common."""
CALLERS_MAX = 200
"""Looked at, those first that came on most days."""
_AGREE_MIN = 2
_CLOUD = "*"


@dataclass(frozen=True, slots=True)
class CallerWeek:
    """A caller in one week. Empty names are unknown ones. `days`: 7 bits, Monday's is bit 0.

    `week`: whole weeks up to it since Monday, 1 January of the year 1.
    """

    week: int
    network: str
    agent: str
    days: int
    permissions: PermissionSet


@dataclass(slots=True)
class _Caller:
    network: str
    agent: str
    networks: list[str] = field(default_factory=list)
    permissions: int = NOTHING
    days: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def days_count(self) -> int:
        return sum(each.bit_count() for each in self.days.values())

    def add(self, networks: Iterable[str], permissions: int, days: Mapping[int, int]) -> None:
        self.networks += (each for each in networks if each not in self.networks)
        self.permissions |= permissions
        for week, bits in days.items():
            self.days[week] |= bits


@dataclass(frozen=True, slots=True)
class Integration:
    """Callers that look like one program. `weeks`: those in which it came, ascending."""

    networks: tuple[str, ...]
    agents: tuple[str, ...]
    permissions: PermissionSet
    weeks: tuple[int, ...]
    days: int


def sharing(seen: Iterable[CallerWeek], week: int) -> Sequence[Integration]:
    """The integrations that share a key, the busiest first; none if there are not two.

    `week`: the running one, which need not have been used yet.
    """
    stable = [each for each in _integrations(_callers(seen)) if _is_stable(each, week)]
    if not stable:
        return ()
    busiest = max(stable, key=lambda each: each.days)
    beside = [each for each in stable if each is not busiest and _together(busiest, each)]
    return [busiest, *sorted(beside, key=lambda each: -each.days)] if beside else ()


def _callers(seen: Iterable[CallerWeek]) -> Sequence[_Caller]:
    found: dict[tuple[str, str], _Caller] = {}
    for each in seen:
        who = (each.network, each.agent)
        caller = found.setdefault(who, _Caller(*who))
        caller.add([each.network], each.permissions, {each.week: each.days})
    callers: dict[tuple[str, str], _Caller] = {}
    for _, caller in sorted(found.items()):
        few = caller.network and len(caller.days) < WEEKS_MIN
        who = (_CLOUD if few else caller.network, caller.agent)
        together = callers.setdefault(who, _Caller(*who))
        together.add(caller.networks, caller.permissions, caller.days)
    most = sorted(callers.values(), key=lambda each: (-each.days_count, each.network, each.agent))
    return most[:CALLERS_MAX]


def _integrations(callers: Sequence[_Caller]) -> Sequence[Integration]:
    """Each caller joins the first that it looks like, so a rare one never makes one of two."""
    found: list[list[_Caller]] = []
    for caller in callers:
        home = next((each for each in found if any(_alike(caller, other) for other in each)), None)
        if home is None:
            found.append([caller])
        else:
            home.append(caller)
    return [_integration(each) for each in found]


def _integration(callers: Sequence[_Caller]) -> Integration:
    days: dict[int, int] = defaultdict(int)
    permissions: int = NOTHING
    for caller in callers:
        permissions |= caller.permissions
        for week, bits in caller.days.items():
            days[week] |= bits
    return Integration(
        networks=tuple(dict.fromkeys(name for each in callers for name in each.networks if name)),
        agents=tuple(dict.fromkeys(each.agent for each in callers if each.agent)),
        permissions=PermissionSet(permissions),
        weeks=tuple(sorted(days)),
        days=sum(bits.bit_count() for bits in days.values()),
    )


def _alike(rarer: _Caller, other: _Caller) -> bool:
    agree = [
        _same(rarer.network, other.network),
        _same(rarer.agent, other.agent),
        _do_alike(rarer, other),
    ]
    return sum(agree) >= _AGREE_MIN


def _same(name: str, other: str) -> bool:
    return name == other or not (name and other)


def _do_alike(rarer: _Caller, other: _Caller) -> bool:
    """Of one that came on few days only a part of what it does was seen."""
    common = (rarer.permissions & other.permissions).bit_count()
    few = len(rarer.days) < WEEKS_MIN
    whole = rarer.permissions if few else rarer.permissions | other.permissions
    return common >= ALIKE * whole.bit_count()


def _is_stable(integration: Integration, week: int) -> bool:
    """The running week counts only if it came in it. What ended a while ago is over."""
    weeks = integration.weeks
    if week - weeks[-1] > WEEKS_MIN:
        return False
    last = week if weeks[-1] >= week else week - 1
    return integration.days >= DAYS_MIN and len(weeks) >= max(
        WEEKS_MIN, STABLE * (last - weeks[0] + 1)
    )


def _together(one: Integration, other: Integration) -> bool:
    return len(set(one.weeks) & set(other.weeks)) >= WEEKS_MIN
