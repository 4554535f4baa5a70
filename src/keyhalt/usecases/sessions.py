"""Sessions of the web pages: opened by a sign-in, read from the store at each request.

Nothing of them is remembered in a process, so what ends one counts from its commit on: a sign-out,
and, by the sign-in generation, another password or a deactivation. The id is random and opaque;
the store has its digest. A session acts only where `resume` is asked, which is the pages alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from keyhalt.core.audit import Actor, AuditEvent, Event
from keyhalt.core.decisions import Cause, Denied, Reason, decide_session
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.core.secrets import TOKEN_BYTES, Secret, digest_of, token_from
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.usecases.rows import SignInRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Here
    from keyhalt.core.principals import Principal, UserFacts
    from keyhalt.usecases.ports import (
        Clock,
        CredentialReader,
        Randomness,
        Recorder,
        Rights,
    )
    from keyhalt.usecases.rows import SessionRow, SignInFacts

IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=12)
FRESH = timedelta(minutes=5)
_SEEN_EVERY = timedelta(minutes=1)


class SessionStore(Protocol):
    def add(
        self, digest: bytes, *, user: UserFacts, created_at: datetime, expires_at: datetime
    ) -> int:
        """Keeps the sign-in generation of `user`."""

    def seen(self, datasource_id: int, session_id: int, at: datetime) -> None: ...
    def end(self, digest: bytes, at: datetime) -> bool: ...
    def end_one(self, datasource_id: int, session_id: int, at: datetime) -> bool: ...
    def living(
        self, user: UserFacts, now: datetime, seen_after: datetime
    ) -> Sequence[SessionRow]: ...


@dataclass(frozen=True, slots=True)
class Resumed:
    """`stale`: its use has to be noted, or it would count as idle. `fresh`: opened just now."""

    principal: Principal
    stale: bool
    fresh: bool


class WebSessions:
    """`resume` belongs to the reader's event loop; the rest to any thread."""

    def __init__(
        self,
        *,
        admit: Callable[[SignInRequest, Origin], SignInFacts | Denied],
        reader: CredentialReader,
        store: SessionStore,
        rights: Rights,
        recorder: Recorder,
        here: Here,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._admit = admit
        self._reader = reader
        self._store = store
        self._rights = rights
        self._recorder = recorder
        self._here = here
        self._clock = clock
        self._randomness = randomness

    def open(
        self, request: SignInRequest, earlier: bytes | None, origin: Origin
    ) -> Secret | Denied:
        """A new id, always; the session that the browser had before ends."""
        found = self._admit(request, origin)
        if isinstance(found, Denied):
            return found
        now, user = self._clock.now(), found.user
        text = token_from(self._randomness.bytes(TOKEN_BYTES))
        session_id = self._store.add(
            digest_of(text.reveal().encode()), user=user, created_at=now, expires_at=now + LIFETIME
        )
        if earlier is not None:
            self._store.end(digest_of(earlier), now)
        credential = Credential(CredentialKind.SESSION, session_id)
        self._recorder.record(
            AuditEvent(
                event=Event.SIGN_IN,
                at=now,
                actor=Actor(user.user_code, user.user_id, credential),
                origin=origin,
                datasource_id=user.datasource_id,
            )
        )
        return text

    async def resume(self, text: bytes) -> Resumed | Denied:
        """Whose session this is, as the store has it now. A refusal is not recorded here."""
        try:
            facts = await self._reader.session(digest_of(text))
        except StoreUnavailableError:
            return Denied(Reason.UNAVAILABLE, Cause.STORE_UNAVAILABLE, retry_after_seconds=1)
        now = self._clock.now()
        decision = decide_session(facts, self._here, now, IDLE)
        if isinstance(decision, Denied) or facts is None:
            return decision if isinstance(decision, Denied) else Denied(Reason.INVALID_SESSION)
        return Resumed(
            decision.principal,
            stale=now >= facts.seen_at + _SEEN_EVERY,
            fresh=now < facts.expires_at - LIFETIME + FRESH,
        )

    def confirm(self, principal: Principal, password: Secret, origin: Origin) -> Denied | None:
        """Whether it is still who signed in that sits there; counted as a sign-in is."""
        request = SignInRequest(principal.datasource, principal.user_code, password)
        found = self._admit(request, origin)
        return found if isinstance(found, Denied) else None

    def of(self, principal: Principal) -> Sequence[SessionRow]:
        """Their own that count, newest first."""
        with self._rights.look() as tx:
            user = tx.users.get(principal.datasource_id, principal.user_id)
        if user is None:
            return []
        now = self._clock.now()
        return self._store.living(user, now, seen_after=now - IDLE)

    def end(self, principal: Principal, session_id: int, origin: Origin) -> Denied | None:
        """One of their own, from any of their credentials. Others' are not found."""
        if not any(row.id == session_id for row in self.of(principal)):
            return Denied(Reason.NOT_FOUND)
        if self._store.end_one(principal.datasource_id, session_id, self._clock.now()):
            self._record_end(principal, session_id, origin)
        return None

    def note_use(self, principal: Principal) -> None:
        self._store.seen(principal.datasource_id, principal.credential.id, self._clock.now())

    def close(self, text: bytes, principal: Principal, origin: Origin) -> None:
        if self._store.end(digest_of(text), self._clock.now()):
            self._record_end(principal, principal.credential.id, origin)

    def _record_end(self, principal: Principal, session_id: int, origin: Origin) -> None:
        self._recorder.record(
            AuditEvent(
                event=Event.SIGN_OUT,
                at=self._clock.now(),
                actor=Actor(principal.user_code, principal.user_id, principal.credential),
                origin=origin,
                datasource_id=principal.datasource_id,
                object_type="session",
                object_id=session_id,
            )
        )
