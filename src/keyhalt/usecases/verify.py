"""Verify: from what a request presents to a decision. Writes nothing back, ever."""

from __future__ import annotations

import asyncio
from functools import lru_cache
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
    lasting,
)
from keyhalt.core.freshness import Denials, Entry, Freshness, Memory, begin_imprint, imprint_of
from keyhalt.core.limits import Limiter, Rate, retry_after
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Claim
    from keyhalt.core.freshness import Tag
    from keyhalt.core.keytext import KeyClaim
    from keyhalt.core.permissions import Catalogue, Need
    from keyhalt.core.principals import Principal
    from keyhalt.usecases.ports import Clock, CredentialReader, Recorder
    from keyhalt.usecases.uses import UseRecorder

FAILURES = Rate(600, 60.0)
EXPOSURES = Rate(1, 3600.0)
DENIALS_MAX = 10_000
RETRY_SECONDS = 1

# A denial for want of rights or of freshness says nothing against its source.
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
        Reason.INVALID_SESSION,
    }
)
_REQUEST_DENIED = Event.REQUEST_DENIED


class Verify:
    """One per process, used from its event loop only. See docs/request-flow.md."""

    def __init__(  # noqa: PLR0913 - all by name
        self,
        *,
        reader: CredentialReader,
        memory: Memory,
        freshness: Freshness,
        here: Here,
        catalogue: Catalogue,
        recorder: Recorder,
        use: UseRecorder,
        clock: Clock,
        find_in_url: Callable[[bytes], bytes | None],
    ) -> None:
        """`clock`: its monotonic seconds are those that `freshness` counts a lease on."""
        self._reader = reader
        self._memory = memory
        self._freshness = freshness
        self._here = here
        self._mac_keys = here.mac_keys
        self._catalogue = catalogue
        self._recorder = recorder
        self._use = use
        self.used = use.allowed
        self._clock = clock
        self.monotonic = clock.monotonic
        self._denials = Denials(DENIALS_MAX)
        self.remembered = self._remembering()
        self._reading: dict[bytes, asyncio.Event] = {}
        self._find_in_url = find_in_url
        self._failures = Limiter(FAILURES)
        self._exposures = Limiter(EXPOSURES)

    @property
    def realm(self) -> str:
        return self._here.environment

    @property
    def remembered_keys(self) -> int:
        """How many keys this process remembers; any thread may ask."""
        return len(self._memory)

    def need(self, name: str) -> Need:
        """The need that `meters.view` names. Raises CatalogueError for an unknown one."""
        return self._catalogue.need(*name.split(".", 1))

    def _remembering(self) -> Callable[..., Principal | Denied | None]:
        """`remembered`, as client/middleware.py asks it.

        Who needs the tag for more gives it, with the `now` that it was read at, as in
        Memory.recall. A function and what it needs: looking those up in an object costs it a tenth
        more.
        """
        find, freshness, ask = self._memory.find(), self._freshness, self._freshness.tag
        monotonic, insecure_http = self.monotonic, self._here.insecure_http
        recalled = self._recalled

        def remembered(
            key: bytes | None,
            over_https: bool,  # noqa: FBT001 - by position: each request calls it
            now: float | None = None,
            tag: Tag | None = None,
        ) -> Principal | Denied | None:
            if key is None or not (over_https or insecure_http):
                return None
            if now is None:
                now = monotonic()
            hashing = begin_imprint()
            hashing.update(key)
            imprint = hashing.digest()
            entry = find(imprint)
            # As `recall`, without its call, where nothing changed.
            if entry is not None:
                try:
                    # The lease first: see Page.tag.
                    if now < freshness.deadline:
                        tag = freshness.current
                    elif tag is None:
                        tag = ask(now)
                except StoreUnavailableError:
                    return None
                if entry.tag is tag:
                    entry.at = now
                    entry.used = True
                    return entry.principal
            return recalled(imprint, now, tag)

        return remembered

    def _recalled(self, imprint: bytes, now: float, tag: Tag | None) -> Principal | Denied | None:
        try:
            principal = self._memory.recall(imprint, self._freshness, now, tag)
            if principal is not None:
                return principal
            return self._denials.recall(imprint, self._freshness, now, self._mac_keys, tag)
        except StoreUnavailableError:
            return None

    async def verify(self, presented: Presented) -> Decision:
        """Decide by asking the store: one statement, and none for what the text itself refutes."""
        try:
            key = presented.only_key
            imprint = b"" if key is None else imprint_of(key)
            claim = self._examined(presented, imprint)
            return claim if isinstance(claim, Denied) else await self._ask(claim, imprint)
        except StoreUnavailableError:
            return Denied(
                Reason.UNAVAILABLE, Cause.STORE_UNAVAILABLE, retry_after_seconds=RETRY_SECONDS
            )

    def _examined(self, presented: Presented, imprint: bytes) -> Claim | Denied:
        """Checks 1 to 6. A key that fails one of 2 to 6 does so while the MAC keys are the same.

        `imprint`: of the only key; empty without one.
        """
        basis = self._mac_keys()
        claim = examine(presented, self._here, self._find_in_url)
        if isinstance(claim, Denied) and imprint and claim.reason is not Reason.HTTPS_REQUIRED:
            self._denials.keep(imprint, claim, basis)
        return claim

    async def _ask(self, claim: Claim, imprint: bytes) -> Decision:
        if isinstance(claim, TokenClaim):
            token = await self._reader.token(claim.digest)
            return decide_token(token, self._here, self._clock.now())
        return await self._fill_once(claim, imprint)

    async def _fill_once(self, claim: KeyClaim | ForeignKey, imprint: bytes) -> Decision:
        """Of many that ask for one key at once, one reads; the others take what it remembered.

        They take it as from memory: only if it is proved fresh now. A denial, or what was read
        before they asked and changed since, they read themselves.
        """
        reading = self._reading.get(imprint)
        if reading is not None:
            await reading.wait()
            principal = self._memory.recall(imprint, self._freshness, self.monotonic())
            if principal is not None:
                return Allowed(principal)
            return await self._fill(claim, imprint)
        self._reading[imprint] = reading = asyncio.Event()
        try:
            return await self._fill(claim, imprint)
        finally:
            del self._reading[imprint]
            reading.set()

    async def _fill(self, claim: KeyClaim | ForeignKey, imprint: bytes) -> Decision:
        # The tag before the data: a change that falls between makes the entry die at once.
        now = self.monotonic()
        tag = self._freshness.tag(now)
        if isinstance(claim, ForeignKey):
            facts = await self._reader.imported_key(claim.digest)
        else:
            facts = await self._reader.key(claim.key_id)
        decision = decide_key(claim, facts, self._here)
        if isinstance(decision, Allowed):
            entry = Entry(decision.principal, tag or Freshness.current, now)
            if tag is None:
                self._memory.leaving(entry)
            else:
                self._memory.keep(imprint, entry)
        elif tag is not None and isinstance(decision, Denied) and lasting(decision):
            self._denials.keep(imprint, decision, tag)
        return decision

    def refused(self, denied: Denied, origin: Origin) -> Denied:
        """Record a denial. Returns what to answer: the same, or that its source asks too often.

        Only requests that fail anyway are counted and refused, so nobody pays for a neighbour.
        """
        if denied.exposed is not None:
            self._warn(denied.exposed, denied.reason, origin)
        answer = denied
        if denied.reason in _COUNTED:
            wait = self._failures.admit(origin.source, self._clock.monotonic())
            if wait > 0:
                answer = _too_many(retry_after(wait))
        exact = denied.exact
        if not self._recorder.counted(_REQUEST_DENIED, origin.source, exact):
            self._recorder.record(self._event(denied, answer, origin))
        if denied.credential is not None and denied.datasource_id is not None:
            self._use.denied(denied.credential, denied.datasource_id, exact)
        return answer

    def _event(self, denied: Denied, answer: Denied, origin: Origin) -> AuditEvent:
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
            reason=denied.exact.value,
            details=details,
        )

    def _warn(self, key: KeyClaim, reason: Reason, origin: Origin) -> None:
        in_clear = reason is Reason.HTTPS_REQUIRED
        self._use.exposed(key.key_id, "http" if in_clear else "url", origin.source)
        if self._exposures.admit(str(key.key_id), self._clock.monotonic()) > 0:
            return
        where = "plain http" if in_clear else "url"
        self._recorder.record(
            AuditEvent(
                event=Event.KEY_EXPOSED,
                at=self._clock.now(),
                actor=Actor(""),
                origin=origin,
                object_type="key",
                object_id=key.key_id,
                details={"where": where, "datasource": key.datasource, "owner": key.user_id},
            )
        )


@lru_cache
def _too_many(seconds: int) -> Denied:
    return Denied(Reason.TOO_MANY_REQUESTS, retry_after_seconds=seconds)
