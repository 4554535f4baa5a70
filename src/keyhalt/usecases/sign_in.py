"""Sign in with a password for a bearer token, the deprecated way, and end that token."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.decisions import Cause, Denied, Here, Reason
from keyhalt.core.limits import retry_after
from keyhalt.core.names import fold
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.core.secrets import Secret, digest_of

if TYPE_CHECKING:
    from keyhalt.core.principals import UserFacts
    from keyhalt.usecases.ports import (
        Clock,
        Passwords,
        Randomness,
        Recorder,
        Rights,
        SignInFacts,
        SignInThrottle,
        TokenStore,
    )

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """What a person typed. `partition`: the environment they mean, or empty."""

    datasource: str
    user_code: str
    password: Secret
    partition: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    token: Secret
    user: UserFacts


class SignIn:
    """A refusal is one reason to the client, whatever the cause; the audit log has the cause."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        rights: Rights,
        tokens: TokenStore,
        throttle: SignInThrottle,
        passwords: Passwords,
        recorder: Recorder,
        here: Here,
        clock: Clock,
        randomness: Randomness,
        token_lifetime: timedelta,
    ) -> None:
        self._rights = rights
        self._tokens = tokens
        self._throttle = throttle
        self._passwords = passwords
        self._recorder = recorder
        self._here = here
        self._clock = clock
        self._randomness = randomness
        self._token_lifetime = token_lifetime

    def sign_in(self, request: SignInRequest, origin: Origin) -> SignedIn | Denied:
        """The throttle is asked before any hashing, alike for known and unknown names."""
        now = self._clock.now()
        account = f"{fold(request.datasource)}\n{fold(request.user_code)}"
        if not self._here.legacy_login:
            return self._deny(request, Cause.LEGACY_SIGN_IN_OFF, origin)
        wait = self._throttle.admit(account, origin.source, now)
        if wait > 0:
            denied = Denied(
                Reason.TOO_MANY_REQUESTS,
                Cause.TOO_MANY_SIGN_INS,
                retry_after_seconds=retry_after(wait),
            )
            self._record(request, denied, origin)
            return denied
        found = self._find(request)
        matches = self._passwords.matches(found.password_hash if found else None, request.password)
        cause = self._fault_of(found, request, matches=matches)
        if cause is not None or found is None:
            self._throttle.failed(account, origin.source, now)
            return self._deny(request, cause or Cause.UNKNOWN_USER, origin, found)
        self._throttle.succeeded(account, origin.source, now)
        return self._issue(found.user, origin)

    def end_token(self, token: bytes, origin: Origin) -> None:
        """End one bearer token. Says nothing of whether it ever was one."""
        if self._tokens.end(digest_of(token), self._clock.now()):
            event = AuditEvent(Event.SIGN_OUT, self._clock.now(), Actor(""), origin)
            self._recorder.record(event)

    def _find(self, request: SignInRequest) -> SignInFacts | None:
        with self._rights.look() as tx:
            datasource = tx.datasources.find(request.datasource)
            if datasource is None:
                return None
            return tx.users.sign_in_facts(datasource.id, request.user_code)

    def _fault_of(
        self, found: SignInFacts | None, request: SignInRequest, *, matches: bool
    ) -> Cause | None:
        if request.partition and not self._here.names(request.partition):
            return Cause.OTHER_ENVIRONMENT
        if found is None:
            return Cause.UNKNOWN_USER
        if not matches:
            return Cause.WRONG_PASSWORD
        if not found.user.datasource_active:
            return Cause.DATASOURCE_INACTIVE
        return None if found.user.active else Cause.OWNER_INACTIVE

    def _issue(self, user: UserFacts, origin: Origin) -> SignedIn:
        now = self._clock.now()
        raw = self._randomness.bytes(TOKEN_BYTES)
        token = Secret(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
        # The generation is the one that was read with the password hash: if the user was
        # deactivated or got another password since, this token is of an earlier sign-in.
        token_id = self._tokens.add(
            digest_of(token.reveal().encode()),
            user=user,
            created_at=now,
            expires_at=now + self._token_lifetime,
        )
        self._recorder.record(
            AuditEvent(
                event=Event.SIGN_IN,
                at=now,
                actor=Actor(
                    user.user_code, user.user_id, Credential(CredentialKind.TOKEN, token_id)
                ),
                origin=origin,
                datasource_id=user.datasource_id,
            )
        )
        return SignedIn(token, user)

    def _deny(
        self, request: SignInRequest, cause: Cause, origin: Origin, found: SignInFacts | None = None
    ) -> Denied:
        user = found.user if found else None
        denied = Denied(
            Reason.INVALID_SIGN_IN,
            cause,
            user_id=user.user_id if user else None,
            datasource_id=user.datasource_id if user else None,
        )
        self._record(request, denied, origin)
        return denied

    def _record(self, request: SignInRequest, denied: Denied, origin: Origin) -> None:
        # What was typed as a name may be a password, so an unknown one is not kept.
        known = denied.user_id is not None
        self._recorder.record(
            AuditEvent(
                event=Event.SIGN_IN_DENIED,
                at=self._clock.now(),
                actor=Actor(request.user_code if known else "", denied.user_id),
                origin=origin,
                outcome="denied",
                datasource_id=denied.datasource_id,
                reason=denied.cause.value,
                details={"answered": denied.reason.value},
            )
        )
