"""Verify: from what a request presents to a decision. Writes nothing back, ever."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event
from keyhalt.core.decisions import (
    Allowed,
    Cause,
    Decision,
    Denied,
    ForeignKey,
    Here,
    Presented,
    Reason,
    TokenClaim,
    decide_key,
    decide_token,
    examine,
)
from keyhalt.core.freshness import Entry, Memory
from keyhalt.core.limits import Limiter, Rate, retry_after
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Claim
    from keyhalt.core.freshness import Freshness
    from keyhalt.usecases.ports import Clock, CredentialReader, Recorder

FAILURES = Rate(600, 60.0)
EXPOSURES = Rate(1, 3600.0)
RETRY_SECONDS = 1

# A refusal for want of rights or of freshness says nothing against its source.
_COUNTED = frozenset(
    {
        Reason.HTTPS_REQUIRED,
        Reason.AMBIGUOUS_CREDENTIAL,
        Reason.MISSING_CREDENTIAL,
        Reason.KEY_IN_URL,
        Reason.MALFORMED_KEY,
        Reason.WRONG_ENVIRONMENT,
        Reason.INVALID_KEY,
        Reason.INVALID_TOKEN,
    }
)


class Verify:
    """One per process, used from its event loop only. See docs/request-flow.md."""

    def __init__(
        self,
        *,
        reader: CredentialReader,
        memory: Memory,
        freshness: Freshness,
        here: Here,
        recorder: Recorder,
        clock: Clock,
        find_in_url: Callable[[bytes], bytes | None],
    ) -> None:
        self._reader = reader
        self._memory = memory
        self._freshness = freshness
        self._here = here
        self._recorder = recorder
        self._clock = clock
        self._find_in_url = find_in_url
        self._failures = Limiter(FAILURES)
        self._exposures = Limiter(EXPOSURES)

    def remembered(self, presented: Presented) -> Allowed | None:
        """The permission remembered for the key, if it is proved fresh; None says: ask the store.

        Only what passed checks 1 to 7 was remembered, and 1 and 2 are looked at again here, so a
        hit is the decision that asking would give. The tag is read after the request arrived.
        """
        if len(presented.keys) != 1 or not (presented.over_https or self._here.insecure_http):
            return None
        digest = hashlib.sha256(presented.keys[0]).digest()
        try:
            return self._memory.recall(digest, self._freshness, self._clock.monotonic)
        except StoreUnavailableError:
            return None

    async def verify(self, presented: Presented) -> Decision:
        """Decide by asking the store: one statement, and none for what the text itself refutes."""
        claim = examine(presented, self._here, self._find_in_url)
        if isinstance(claim, Denied):
            return claim
        try:
            return await self._ask(claim)
        except StoreUnavailableError:
            return Denied(
                Reason.UNAVAILABLE, Cause.STORE_UNAVAILABLE, retry_after_seconds=RETRY_SECONDS
            )

    async def _ask(self, claim: Claim) -> Decision:
        if isinstance(claim, TokenClaim):
            token = await self._reader.token(claim.digest)
            return decide_token(token, self._here, self._clock.now())
        # The tag before the data: a change that falls between makes the entry die at once.
        tag = self._freshness.tag()
        if isinstance(claim, ForeignKey):
            facts = await self._reader.imported_key(claim.digest)
        else:
            facts = await self._reader.key(claim.key_id)
        decision = decide_key(claim, facts, self._here)
        if tag is not None and isinstance(decision, Allowed):
            self._memory.keep(claim.digest, Entry(decision, tag))
        return decision

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        """Record a denial. Returns what to answer: the same, or that its source asks too often.

        Only requests that fail anyway are counted and refused, so nobody pays for a neighbour.
        """
        if denied.exposed is not None:
            self._warn(denied, origin)
        answer = denied
        if denied.reason in _COUNTED:
            wait = self._failures.admit(origin.source, self._clock.monotonic())
            if wait > 0:
                answer = replace(
                    denied, reason=Reason.TOO_MANY_REQUESTS, retry_after_seconds=retry_after(wait)
                )
        self._recorder.record(self._event(denied, answer, origin))
        return answer

    def _event(self, denied: Denied, answer: Denied, origin: Origin) -> AuditEvent:
        exact = denied.reason.value if denied.cause is Cause.AS_SAID else denied.cause.value
        details: dict[str, object] = {"answered": answer.reason.value}
        if denied.need is not None:
            details["permission"] = denied.need
        return AuditEvent(
            event=Event.REQUEST_DENIED,
            at=self._clock.now(),
            actor=Actor(denied.user_code, denied.user_id, denied.credential),
            origin=origin,
            outcome="denied",
            datasource_id=denied.datasource_id,
            reason=exact,
            details=details,
        )

    def _warn(self, denied: Denied, origin: Origin) -> None:
        key = denied.exposed
        if key is None or self._exposures.admit(str(key.key_id), self._clock.monotonic()) > 0:
            return
        self._recorder.record(
            AuditEvent(
                event=Event.KEY_EXPOSED,
                at=self._clock.now(),
                actor=Actor(""),
                origin=origin,
                object_type="key",
                object_id=key.key_id,
                details={"where": "url", "datasource": key.datasource, "owner": key.user_id},
            )
        )
