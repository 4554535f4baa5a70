"""The policies as a proxy's question finds them: from memory while that is proved fresh."""

from __future__ import annotations

import asyncio
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core.policies import Policy, policy_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.core.freshness import Freshness, Tag
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.ports import PolicyRow, Rights


class FindPolicy:
    """One per process, used from its event loop only. All policies are remembered as one thing."""

    def __init__(self, *, rights: Rights, freshness: Freshness, profile: Profile) -> None:
        self._rights = rights
        self._freshness = freshness
        self._profile = profile
        self._remembered: tuple[Tag | None, Mapping[str, Policy]] = (None, {})

    async def __call__(self, name: str) -> Policy | None:
        """The newest version of a policy, as of now. May raise StoreUnavailableError."""
        # The tag before the data: a change that falls between makes what is read die at once.
        tag = self._freshness.tag()
        known_tag, policies = self._remembered
        if tag is None or (tag is not known_tag and tag != known_tag):
            rows = await asyncio.to_thread(self._read)
            policies = {row.name: policy_of(row, self._profile, policies) for row in rows}
            self._remembered = (tag, policies)
        return policies.get(name)

    def _read(self) -> tuple[PolicyRow, ...]:
        with self._rights.look() as tx:
            return tuple(tx.policies.newest())


def policy_of(row: PolicyRow, profile: Profile, known: Mapping[str, Policy]) -> Policy:
    """A stored version, read; one that is known already is not read again."""
    before = known.get(row.name)
    if before is not None and before.version == row.version:
        return before
    hierarchies = (each.name for each in profile.hierarchies)
    policy = policy_from(tomllib.loads(row.text), profile.catalogue, hierarchies)
    return replace(policy, version=row.version)
