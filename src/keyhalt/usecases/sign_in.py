"""What a person does with their password: sign in for a bearer token, or choose another one.

Both ask the same of it, in the same order, at the same cost. A token carries the sign-in
generation that was read with the password's hash, so a sign-in that races with a deactivation or
a change loses; a change is written only over the hash that it was checked against.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.decisions import Cause, Denied, Here, Reason
from keyhalt.core.leases import Kind, subject
from keyhalt.core.limits import retry_after
from keyhalt.core.names import fold
from keyhalt.core.passwords import normal
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import TOKEN_BYTES, digest_of, token_from
from keyhalt.usecases.new_passwords import refuse_password

if TYPE_CHECKING:
    from keyhalt.core.principals import UserFacts
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.barrier import Barrier, Receipt
    from keyhalt.usecases.ports import (
        Clock,
        Passwords,
        Randomness,
        Recorder,
        Rights,
        SignInThrottle,
        TokenStore,
    )
    from keyhalt.usecases.rows import SignInFacts, SignInRequest


@dataclass(frozen=True, slots=True)
class SignedIn:
    token: Secret
    user: UserFacts


class SignIn:
    """A wrong sign-in is one reason to the client, whatever the cause; the audit log has that.

    Who has the right password of an active user is told that it must be changed first.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        rights: Rights,
        tokens: TokenStore,
        throttle: SignInThrottle,
        passwords: Passwords,
        barrier: Barrier,
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
        self._barrier = barrier
        self._recorder = recorder
        self._here = here
        self._clock = clock
        self._randomness = randomness
        self._token_lifetime = token_lifetime

    def sign_in(self, request: SignInRequest, origin: Origin) -> SignedIn | Denied:
        if not self._here.legacy_login:
            return self._deny(request, Cause.LEGACY_SIGN_IN_OFF, origin)
        found = self.admit(request, origin)
        return found if isinstance(found, Denied) else self._issue(found.user, origin)

    def admit(self, request: SignInRequest, origin: Origin) -> SignInFacts | Denied:
        """Whose password this is, if it is good for more than choosing another one."""
        found = self._prove(request, origin)
        if isinstance(found, Denied):
            return found
        cause = None
        if found.age.must_change:
            cause = Cause.MUST_CHANGE_PASSWORD
        elif found.age.expired(self._clock.now()):
            cause = Cause.EXPIRED_PASSWORD
        if cause is not None:
            return self._deny(request, cause, origin, found, Reason.PASSWORD_CHANGE_REQUIRED)
        return found

    def change_password(
        self, request: SignInRequest, new: Secret, origin: Origin
    ) -> Receipt | Denied | Refused:
        """Replace the password of a user who knows it. Ends their tokens and sessions, no key."""
        found = self._prove(request, origin)
        if isinstance(found, Denied):
            return found
        if normal(new.reveal()) == normal(request.password.reveal()):
            detail = "The new password is the old one."
            return Refused(Fault.INVALID_BODY, detail, "newPassword")
        refused = refuse_password(new, found.policy, found.about, "newPassword")
        if refused is not None:
            return refused
        user, password_hash = found.user, self._passwords.hash(new)
        with self._rights.change() as tx:
            now = tx.users.sign_in_facts(user.datasource_id, user.user_code)
            if now is None or (now.user, now.password_hash) != (user, found.password_hash):
                # Between the proof and here the user was deactivated, or somebody was faster.
                return self._deny(request, Cause.EARLIER_SIGN_IN, origin, found)
            at = self._clock.now()
            tx.users.set_password(
                user.datasource_id, user.user_id, password_hash, at=at, must_change=False
            )
            epoch = tx.raise_epoch(subject(Kind.USER, user.user_id))
            tx.record(
                AuditEvent(
                    event=Event.USER_SET_PASSWORD,
                    at=at,
                    actor=Actor(user.user_code, user.user_id),
                    origin=origin,
                    datasource_id=user.datasource_id,
                    object_type="user",
                    object_id=user.user_id,
                    details={"code": user.user_code},
                    epoch=epoch,
                )
            )
        return self._barrier.wait(epoch)

    def end_token(self, token: bytes, origin: Origin) -> None:
        """End one bearer token. Says nothing of whether it ever was one."""
        if self._tokens.end(digest_of(token), self._clock.now()):
            event = AuditEvent(Event.SIGN_OUT, self._clock.now(), Actor(""), origin)
            self._recorder.record(event)

    def _prove(self, request: SignInRequest, origin: Origin) -> SignInFacts | Denied:
        """The active user whose password this is. The throttle is asked before any hashing.

        Known and unknown names are alike: one hash, one count of failures.
        """
        now = self._clock.now()
        account = f"{fold(request.datasource)}\n{fold(request.user_code)}"
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
        return found

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
        token = token_from(self._randomness.bytes(TOKEN_BYTES))
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
        self,
        request: SignInRequest,
        cause: Cause,
        origin: Origin,
        found: SignInFacts | None = None,
        reason: Reason = Reason.INVALID_SIGN_IN,
    ) -> Denied:
        user = found.user if found else None
        denied = Denied(
            reason,
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
