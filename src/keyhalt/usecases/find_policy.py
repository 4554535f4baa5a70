"""The policies as a proxy's question finds them: from memory while that is proved fresh."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core.policies import Policy, Rulebook, policy_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.freshness import Freshness, Tag
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.ports import Rights
    from keyhalt.usecases.rows import PolicyRow


class FindPolicy:
    """One per process, used from its event loop only. All policies are remembered as one thing."""

    def __init__(self, *, rights: Rights, freshness: Freshness, profile: Profile) -> None:
        self._rights = rights
        self._profile = profile
        self._remembered: tuple[Tag | None, Mapping[str, Rulebook]] = (None, {})
        self._rows: Mapping[str, PolicyRow] = {}
        self.tag = freshness.tag
        """The state of the store of rights, which `remembered` and `read` compare with."""

    def remembered(self, tag: Tag | None) -> Mapping[str, Rulebook] | None:
        """The policies in force, if they are known as of `tag`."""
        known, policies = self._remembered
        return policies if tag is not None and (tag is known or tag == known) else None

    async def read(self, tag: Tag | None) -> Mapping[str, Rulebook]:
        """Ask the store. `tag` was read before: a change between ends what is remembered here.

        May raise StoreUnavailableError.
        """
        known, before = self._remembered[1], self._rows
        rows = await asyncio.to_thread(self._read)
        # The whole row: in a restored store a version's number may come again with another text.
        policies = {
            row.name: known[row.name]
            if before.get(row.name) == row
            else Rulebook(policy_of(row, self._profile))
            for row in rows
        }
        self._remembered, self._rows = (tag, policies), {row.name: row for row in rows}
        return policies

    def _read(self) -> tuple[PolicyRow, ...]:
        with self._rights.look() as tx:
            return tuple(tx.policies.newest())


def policy_of(row: PolicyRow, profile: Profile) -> Policy:
    hierarchies = (each.name for each in profile.hierarchies)
    policy = policy_from(tomllib.loads(row.text), profile.catalogue, hierarchies)
    return replace(policy, version=row.version)
