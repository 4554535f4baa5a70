"""Exchange a bearer token for another of the same sign-in: for a client that asks by partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import Actor, AuditEvent, Event, Origin
from keyhalt.core.decisions import Cause, Denied, Here, Reason
from keyhalt.core.principals import Credential, CredentialKind
from keyhalt.core.refusals import Fault, Refused
from keyhalt.core.secrets import TOKEN_BYTES, digest_of, token_from

if TYPE_CHECKING:
    from keyhalt.core.principals import Principal
    from keyhalt.core.secrets import Secret
    from keyhalt.usecases.ports import (
        Clock,
        Randomness,
        Recorder,
        TokenStore,
    )


class ExchangeToken:
    """Gives nothing that was not there: the new token ends when the old one would have."""

    def __init__(
        self,
        *,
        tokens: TokenStore,
        recorder: Recorder,
        here: Here,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._tokens = tokens
        self._recorder = recorder
        self._here = here
        self._clock = clock
        self._randomness = randomness

    def __call__(
        self, acting: Principal, partition: str, origin: Origin
    ) -> Secret | Denied | Refused:
        """`partition`: the environment that is meant, or empty.

        Not for a key: a token made with it would outlive the key.
        """
        if partition and not self._here.names(partition):
            detail = "This is another environment than the partition that was asked for."
            return Refused(Fault.INVALID_QUERY, detail, "partition")
        if acting.credential.kind is not CredentialKind.TOKEN:
            detail = "A key needs no token: send the key itself. A token would outlive it."
            return Refused(Fault.INVALID_STATE, detail)
        now = self._clock.now()
        token = token_from(self._randomness.bytes(TOKEN_BYTES))
        digest = digest_of(token.reveal().encode())
        token_id = self._tokens.add_twin(
            acting.datasource_id, acting.credential.id, digest=digest, at=now
        )
        if token_id is None:
            return Denied(Reason.INVALID_TOKEN, Cause.ENDED_TOKEN, by_bearer=True)
        credential = Credential(CredentialKind.TOKEN, token_id)
        self._recorder.record(
            AuditEvent(
                event=Event.SIGN_IN,
                at=now,
                actor=Actor(acting.user_code, acting.user_id, credential),
                origin=origin,
                datasource_id=acting.datasource_id,
                details={"exchanged": f"token {acting.credential.id}"},
            )
        )
        return token
