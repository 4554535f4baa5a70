"""What one process knows of the epochs, and until when that counts: docs/revocation.md, "Barrier".

Every change of rights has an *epoch*, numbered in the order of the commits, and *subjects*: whom
or what it concerns. A process that has applied all epochs up to a number holds a *lease* on
that knowledge. Only its keeper writes a page, any number of verifiers read it; the order of the
writes, and of the reads, is the whole of the rule.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from keyhalt.core.freshness import Freshness, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keyhalt.core.principals import Principal

NEVER_APPLIED = -1
GUARD_FACTOR = 1.25
"""How much longer a change waits than a lease lasts: clocks may differ in rate by 10 %."""
SUBJECTS_MAX = 65_536


class Kind(enum.IntEnum):
    """What a change can concern. The numbers are kept in the database."""

    EVERYTHING = 0
    DATASOURCE = 1
    ROLE = 2
    USER = 3
    KEY = 4


def subject(kind: Kind, row_id: int) -> int:
    """One number for one thing; ids are unique in an environment."""
    return row_id << 3 | kind


EVERYTHING = subject(Kind.EVERYTHING, 0)


def subjects_of(principal: Principal) -> tuple[int, ...]:
    """Whatever a permission remembered for `principal` was made from."""
    return (
        subject(Kind.KEY, principal.credential.id),
        subject(Kind.USER, principal.user_id),
        subject(Kind.ROLE, principal.role_id),
        subject(Kind.DATASOURCE, principal.datasource_id),
    )


class Page(Freshness):
    """`current`: the epoch applied. `deadline`: until when the lease holds; 0 without one.

    Seconds are of a clock that never goes back and runs on in a suspended machine. The writers'
    methods are the keeper's (usecases/keep_lease.py), in one thread.
    """

    def __init__(self, guard: int) -> None:
        self.deadline = 0.0
        self.current = Tag(guard, NEVER_APPLIED)
        # (guard, floor, last epoch by subject). What is below the floor is known to be changed.
        self._seen: tuple[int, int, dict[int, int]] = (guard, NEVER_APPLIED, {})

    # -------------------------------------------------------------- verifiers

    def tag(self, now: float) -> Tag | None:
        """The epoch applied, under a lease that holds. None without one.

        The lease first: read the other way round, an old number could be taken for a fresh one
        when the process slept between the two and its keeper renewed meanwhile.
        """
        deadline = self.deadline
        if now < deadline:
            return self.current
        return None

    def unaffected(self, since: Tag, principal: Principal) -> bool:
        # Read once: it is replaced and never emptied, so it knows all that `current` did, or it is
        # of another guard. Asking `current` for the guard would miss a `forget` that is half done.
        guard, floor, last = self._seen
        number = since.number
        return (
            since.guard == guard
            and floor <= number
            and all(last.get(each, NEVER_APPLIED) <= number for each in subjects_of(principal))
        )

    # -------------------------------------------------------------- the keeper

    @property
    def applied(self) -> int:
        return self.current.number

    def apply(self, changes: Iterable[tuple[int, Iterable[int]]], upto: int) -> None:
        """Take in what was changed after `applied`, up to `upto`: (epoch, subjects), ascending.

        An epoch that is missing may have concerned anything. Extends no lease.
        """
        expected = self.applied + 1
        guard, floor, last = self._seen
        for epoch, subjects in changes:
            concerned = set(subjects)
            if epoch != expected or EVERYTHING in concerned:
                floor = epoch
            expected = epoch + 1
            for each in concerned:
                last[each] = epoch
        if expected <= upto or len(last) > SUBJECTS_MAX:
            floor, last = upto, {}
        self._seen = (guard, floor, last)
        # Last: whoever reads this number finds all of it above.
        self.current = Tag(guard, upto, upto)

    def extend(self, deadline: float) -> None:
        """`deadline`: counted from before the look that proves it, never from its answer."""
        self.deadline = deadline

    def give_up(self) -> None:
        """Hold no lease from now on; what is known stays known."""
        self.deadline = 0.0

    def forget(self) -> None:
        """The numbers begin anew (another database, or an older one): nothing kept counts."""
        guard = self.current.guard + 1
        self.deadline = 0.0
        self._seen = (guard, NEVER_APPLIED, {})
        self.current = Tag(guard, NEVER_APPLIED)
