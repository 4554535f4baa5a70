"""The operator's verbs about policies. A policy is never changed: a new version comes after it."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.policies import Policy, PolicyError, policy_from
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.rows import PolicyRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.principals import Operator
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import Clock, Rights

TEXT_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Applied:
    """`receipt` None: it was in force already, word for word."""

    row: PolicyRow
    receipt: Receipt | None


class ManagePolicies:
    """By name, for the whole environment. The text is TOML (docs/forward-auth.md)."""

    def __init__(self, *, rights: Rights, profile: Profile, barrier: Barrier, clock: Clock) -> None:
        self._rights = rights
        self._profile = profile
        self._barrier = barrier
        self._clock = clock

    def read(self, text: str, version: int = 0) -> Policy | Refused:
        """What a text says, without putting it in force."""
        if len(text) > TEXT_MAX:
            return Refused(Fault.INVALID_BODY, f"A policy has at most {TEXT_MAX:,} characters.")
        try:
            hierarchies = (each.name for each in self._profile.hierarchies)
            said = policy_from(tomllib.loads(text), self._profile.catalogue, hierarchies)
            return replace(said, version=version)
        except (PolicyError, tomllib.TOMLDecodeError) as error:
            return Refused(Fault.INVALID_BODY, f"The policy cannot be used: {error}.")

    def apply(self, acting: Operator, text: str, origin: Origin) -> Applied | Refused:
        """Put a text in force, everywhere, when this returns."""
        policy = self.read(text)
        if isinstance(policy, Refused):
            return policy
        with self._rights.change() as tx:
            before = tx.policies.get(policy.name)
            if before is not None and before.text == text:
                return Applied(before, None)
            version = 1 if before is None else before.version + 1
            row = PolicyRow(policy.name, version, text, self._clock.now(), acting.name)
            tx.policies.add(row)
            epoch = tx.raise_epoch()
            digest = hashlib.sha256(text.encode()).hexdigest()
            tx.record(
                AuditEvent(
                    event=Event.POLICY_APPLY,
                    at=row.created_at,
                    actor=actor_of(acting),
                    origin=origin,
                    object_type="policy",
                    object_id=version,
                    details={"name": policy.name, "version": version, "sha256": digest},
                    epoch=epoch,
                )
            )
        return Applied(row, self._barrier.wait(epoch))

    def newest(self) -> Sequence[PolicyRow]:
        with self._rights.look() as tx:
            return tx.policies.newest()

    def get(self, name: str, version: int | None = None) -> PolicyRow | None:
        """A version; without one, the newest."""
        with self._rights.look() as tx:
            return tx.policies.get(name, version)
