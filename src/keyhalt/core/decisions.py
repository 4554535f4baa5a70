"""The decision: from what a request presents to Allowed or Denied, in a fixed order.

 1  the client's request came over HTTPS                        https_required
 2  at most one ECI-ApiKey; if there is one, it alone counts    ambiguous_credential
 3  some credential is there                                    missing_credential, key_in_url
 4  the key text is of our shape, its checksum holds            malformed_key
 5  its environment is this one                                 wrong_environment
 6  its MAC holds                                               invalid_key
 7  its row says the same of it, and all of it is active        invalid_key
 7' a token is known, not ended, not expired, of its sign-in    invalid_token
 8  the owner has the permission, now                           permission_denied
 9  the object lies under the owner's topmost                   not_found

`examine` is 1 to 6, `decide_key` 7, `decide_token` 7', `permit` 8. Check 9 is asked where the
object is read, in the same statement. No function here reads a clock, a store or the network,
and none raises. docs/request-flow.md walks through it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from keyhalt.core import keytext
from keyhalt.core.keytext import KeyClaim, Malformed
from keyhalt.core.permissions import NOTHING, Need, PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, Principal
from keyhalt.core.secrets import GenerationState, MacKeys, digest_of, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from keyhalt.core.principals import KeyFacts, SessionFacts, TokenFacts, UserFacts


class Reason(enum.StrEnum):
    """Why a request was denied, as the client may know it. Closed; docs/problems.md has each."""

    HTTPS_REQUIRED = "https_required"
    AMBIGUOUS_CREDENTIAL = "ambiguous_credential"
    MISSING_CREDENTIAL = "missing_credential"
    KEY_IN_URL = "key_in_url"
    MALFORMED_KEY = "malformed_key"
    WRONG_ENVIRONMENT = "wrong_environment"
    INVALID_KEY = "invalid_key"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a reason
    PERMISSION_DENIED = "permission_denied"
    NOT_IN_POLICY = "not_in_policy"
    BEYOND_OWN_RIGHTS = "beyond_own_rights"
    KEY_CANNOT_CREATE_KEYS = "key_cannot_create_keys"
    NOT_FOUND = "not_found"
    INVALID_SESSION = "invalid_session"
    CROSS_SITE = "cross_site"
    INVALID_SIGN_IN = "invalid_sign_in"
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105 - a reason
    UNAVAILABLE = "unavailable"
    TOO_MANY_REQUESTS = "too_many_requests"


class Cause(enum.StrEnum):
    """The exact reason, for the audit log only: what the database knows is not told to clients."""

    AS_SAID = "as_said"
    FOREIGN_TEXT = "foreign_text"
    BAD_CHECKSUM = "bad_checksum"
    UNKNOWN_GENERATION = "unknown_generation"
    FORGED_KEY = "forged_key"
    UNKNOWN_KEY = "unknown_key"
    DELETED_KEY = "deleted_key"
    FROZEN_KEY = "frozen_key"
    ROW_MISMATCH = "row_mismatch"
    OWNER_INACTIVE = "owner_inactive"
    DATASOURCE_INACTIVE = "datasource_inactive"
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105
    ENDED_TOKEN = "ended_token"  # noqa: S105
    EXPIRED_TOKEN = "expired_token"  # noqa: S105
    EARLIER_SIGN_IN = "earlier_sign_in"
    UNKNOWN_SESSION = "unknown_session"
    ENDED_SESSION = "ended_session"
    EXPIRED_SESSION = "expired_session"
    IDLE_SESSION = "idle_session"
    LEGACY_SIGN_IN_OFF = "legacy_sign_in_off"
    UNKNOWN_USER = "unknown_user"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    MUST_CHANGE_PASSWORD = "must_change_password"  # noqa: S105
    EXPIRED_PASSWORD = "expired_password"  # noqa: S105
    OTHER_ENVIRONMENT = "other_environment"
    TOO_MANY_SIGN_INS = "too_many_sign_ins"
    STORE_UNAVAILABLE = "store_unavailable"
    SIGN_INS_BUSY = "sign_ins_busy"


# Looked up once: asking an enumeration for a member costs as much as what is done with it.
_AS_SAID = Cause.AS_SAID


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request is its principal's."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class Denied:
    """The request is refused. What follows `reason` is for the audit log and the challenge."""

    reason: Reason
    cause: Cause = Cause.AS_SAID
    need: str | None = None
    """The permission that was missing, as `meters.view`; or what is beyond the caller's own."""
    retry_after_seconds: int | None = None
    user_id: int | None = None
    user_code: str = field(default="", compare=False)
    datasource_id: int | None = None
    credential: Credential | None = None
    by_bearer: bool = False
    exposed: KeyClaim | None = field(default=None, repr=False)
    """A real key of this environment that stood in the URL, or travelled in clear: its owner is
    warned."""

    @property
    def exact(self) -> Reason | Cause:
        """The reason as the audit log and logs have it: never told to the client."""
        return self.reason if self.cause is _AS_SAID else self.cause


Decision = Allowed | Denied


class Presented(NamedTuple):
    """What a request presents, read from it once. Raw bytes, nothing believed yet."""

    keys: tuple[bytes, ...]
    """The values of every ECI-ApiKey header, in order."""
    bearer: bytes | None = None
    """The token of the only Authorization header, if its scheme is bearer."""
    authorizations: int = 0
    """How many Authorization headers there were."""
    over_https: bool = False
    query: bytes = b""
    source: str = ""
    """The client's address; told to a remote verifier, and decides nothing."""

    @property
    def only_key(self) -> bytes | None:
        """The key, where there is exactly one."""
        return self.keys[0] if len(self.keys) == 1 else None

    def __repr__(self) -> str:
        return f"Presented({len(self.keys)} keys, {self.authorizations} authorizations)"


@dataclass(frozen=True, slots=True)
class Here:
    """This installation, as far as a decision depends on it; `mac_keys` may change meanwhile."""

    environment: str
    product: str
    mac_keys: Callable[[], MacKeys]
    aliases: frozenset[str] = frozenset()
    insecure_http: bool = False
    legacy_login: bool = True

    def names(self, environment: str) -> bool:
        return environment == self.environment or environment in self.aliases


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A text that is not of our shape: looked up by digest only if keys were imported."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class TokenClaim:
    digest: bytes


Claim = KeyClaim | ForeignKey | TokenClaim


_FINAL = frozenset({Cause.DELETED_KEY, Cause.FOREIGN_TEXT})


def examine(
    presented: Presented, here: Here, find_in_url: Callable[[bytes], bytes | None]
) -> Claim | Denied:
    """Checks 1 to 6: all that needs no store. `find_in_url`: a key text in a query string."""
    if not (presented.over_https or here.insecure_http):
        return Denied(Reason.HTTPS_REQUIRED, exposed=_in_clear(presented, here))
    if len(presented.keys) > 1 or (presented.keys and b"," in presented.keys[0]):
        return Denied(Reason.AMBIGUOUS_CREDENTIAL)
    if presented.keys:
        return _examine_key(presented.keys[0], here)
    if presented.authorizations > 1:
        return Denied(Reason.AMBIGUOUS_CREDENTIAL, by_bearer=True)
    if presented.bearer is not None:
        if not here.legacy_login:
            return Denied(Reason.INVALID_TOKEN, Cause.LEGACY_SIGN_IN_OFF, by_bearer=True)
        return TokenClaim(digest_of(presented.bearer))
    if presented.query and (text := find_in_url(presented.query)) is not None:
        claim = _examine_key(text, here)
        return Denied(Reason.KEY_IN_URL, exposed=claim if _vouched(claim, here) else None)
    return Denied(Reason.MISSING_CREDENTIAL)


def _in_clear(presented: Presented, here: Here) -> KeyClaim | None:
    """A real key that anybody on the way could read."""
    claim = _examine_key(presented.keys[0], here) if len(presented.keys) == 1 else None
    return claim if _vouched(claim, here) else None


def _vouched(claim: object, here: Here) -> TypeGuard[KeyClaim]:
    """Whether a MAC, not only a digest that nobody looked up yet, says that the key is real."""
    if not isinstance(claim, KeyClaim):
        return False
    generation = here.mac_keys().get(claim.generation)
    return generation is not None and keytext.authentic(claim, generation)


def _examine_key(text: bytes, here: Here) -> KeyClaim | ForeignKey | Denied:
    claim = keytext.parse(text)
    if isinstance(claim, Malformed):
        if claim.why == "foreign":
            return ForeignKey(claim.digest)
        return Denied(Reason.MALFORMED_KEY, Cause.BAD_CHECKSUM)
    if claim.product != here.product or not here.names(claim.environment):
        return Denied(Reason.WRONG_ENVIRONMENT)
    generation = here.mac_keys().get(claim.generation)
    if generation is None:
        return Denied(Reason.INVALID_KEY, Cause.UNKNOWN_GENERATION)
    lost = generation.state is GenerationState.DIGEST_ONLY
    if not lost and not keytext.authentic(claim, generation):
        return Denied(Reason.INVALID_KEY, Cause.FORGED_KEY)
    return claim


def decide_key(claim: KeyClaim | ForeignKey, facts: KeyFacts | None, here: Here) -> Decision:
    """Check 7: the row is the one the text speaks of, and nothing of it is deleted or inactive."""
    if facts is None:
        if isinstance(claim, ForeignKey):
            return Denied(Reason.MALFORMED_KEY, Cause.FOREIGN_TEXT)
        return Denied(Reason.INVALID_KEY, Cause.UNKNOWN_KEY)
    owner = facts.owner
    credential = Credential(CredentialKind.KEY, facts.key_id)
    cause = _fault_of_row(claim, facts, here)
    if cause is None:
        return Allowed(Principal(here.environment, owner, credential))
    # A row that contradicts the text tells nothing true of an owner.
    known = cause not in (Cause.ROW_MISMATCH, Cause.UNKNOWN_KEY)
    return Denied(
        Reason.INVALID_KEY,
        cause,
        user_id=owner.user_id if known else None,
        user_code=owner.user_code if known else "",
        datasource_id=owner.datasource_id,
        credential=credential,
    )


def _fault_of_row(claim: KeyClaim | ForeignKey, facts: KeyFacts, here: Here) -> Cause | None:
    owner = facts.owner
    if not same(facts.digest, claim.digest):
        return Cause.UNKNOWN_KEY
    if isinstance(claim, KeyClaim):
        text_says = (claim.key_id, claim.user_id, claim.datasource)
        if text_says != (facts.key_id, owner.user_id, owner.datasource):
            return Cause.ROW_MISMATCH
    elif not import_holds(facts, here.mac_keys()):
        return Cause.ROW_MISMATCH
    return next((cause for cause, against in standing(facts) if against), None)


def standing(facts: KeyFacts) -> Iterator[tuple[Cause, bool]]:
    """What check 7 asks of any row, in order: each cause, and whether it speaks against the key."""
    yield Cause.DELETED_KEY, facts.deleted
    yield Cause.FROZEN_KEY, facts.frozen
    yield Cause.DATASOURCE_INACTIVE, not facts.owner.datasource_active
    yield Cause.OWNER_INACTIVE, not facts.owner.active


def lasting(denied: Denied) -> bool:
    """Whether check 7 says this of a text for as long as no right changes.

    What was never there may be made any moment, and making is no change of rights; what was not
    imported is imported by one.
    """
    return denied.cause in _FINAL


def import_message(key_id: int, user_id: int, datasource_id: int, digest: bytes) -> bytes:
    """What the MAC of an imported key's row is over, so that a planted row makes no key."""
    return b"import|%d|%d|%d|" % (key_id, user_id, datasource_id) + digest


def import_holds(facts: KeyFacts, mac_keys: MacKeys) -> bool:
    """Whether a MAC key of ours vouches for an imported key's row, or is lost."""
    generation = None if facts.generation is None else mac_keys.get(facts.generation)
    if generation is None:
        return False
    if generation.state is GenerationState.DIGEST_ONLY:
        return True
    message = import_message(
        facts.key_id, facts.owner.user_id, facts.owner.datasource_id, facts.digest
    )
    return same(generation.mac(message), facts.imported_mac)


def decide_token(facts: TokenFacts | None, here: Here, now: datetime) -> Decision:
    """Check 7': a bearer token. `now` is aware UTC."""
    if facts is None or facts.user is None:
        return Denied(Reason.INVALID_TOKEN, Cause.UNKNOWN_TOKEN, by_bearer=True)
    cause: Cause | None
    if facts.ended:
        cause = Cause.ENDED_TOKEN
    elif now >= facts.expires_at:
        cause = Cause.EXPIRED_TOKEN
    else:
        cause = _fault_of_sign_in(facts.user, facts.sign_in_generation)
    credential = Credential(CredentialKind.TOKEN, facts.token_id)
    return _signed_in(facts.user, credential, here, cause)


def _fault_of_sign_in(user: UserFacts, generation: int) -> Cause | None:
    if not user.datasource_active:
        return Cause.DATASOURCE_INACTIVE
    if not user.active:
        return Cause.OWNER_INACTIVE
    return None if generation == user.sign_in_generation else Cause.EARLIER_SIGN_IN


def _signed_in(
    user: UserFacts, credential: Credential, here: Here, cause: Cause | None
) -> Decision:
    if cause is None:
        return Allowed(Principal(here.environment, user, credential))
    by_bearer = credential.kind is CredentialKind.TOKEN
    return Denied(
        Reason.INVALID_TOKEN if by_bearer else Reason.INVALID_SESSION,
        cause,
        user_id=user.user_id,
        user_code=user.user_code,
        datasource_id=user.datasource_id,
        credential=credential,
        by_bearer=by_bearer,
    )


def decide_session(
    facts: SessionFacts | None, here: Here, now: datetime, idle: timedelta
) -> Decision:
    """As check 7', of a session of the web pages. `idle`: how long it lasts unused."""
    if facts is None or facts.user is None:
        return Denied(Reason.INVALID_SESSION, Cause.UNKNOWN_SESSION)
    cause: Cause | None
    if facts.ended:
        cause = Cause.ENDED_SESSION
    elif now >= facts.expires_at:
        cause = Cause.EXPIRED_SESSION
    elif now >= facts.seen_at + idle:
        cause = Cause.IDLE_SESSION
    else:
        cause = _fault_of_sign_in(facts.user, facts.sign_in_generation)
    credential = Credential(CredentialKind.SESSION, facts.session_id)
    return _signed_in(facts.user, credential, here, cause)


def permit(principal: Principal, need: Need | None, instead: Need | None = None) -> Denied | None:
    """Check 8: None when the owner has the permission, or `instead`, or none is asked for."""
    # As `covers`, without its call: this runs for every request.
    if need is None or principal.user.permissions & need.bits == need.bits:
        return None
    if instead is not None and principal.permissions & instead.bits == instead.bits:
        return None
    return Denied(
        Reason.PERMISSION_DENIED,
        need=str(need) if instead is None else f"{need} or {instead}",
        user_id=principal.user_id,
        user_code=principal.user_code,
        datasource_id=principal.datasource_id,
        credential=principal.credential,
        by_bearer=principal.credential.kind is CredentialKind.TOKEN,
    )


def taken(principal: Principal, need: Need | None, instead: Need | None = None) -> PermissionSet:
    """Which permission it was that `permit` let the principal through by."""
    if need is None:
        return NOTHING
    if instead is None or principal.permissions & need.bits == need.bits:
        return need.bits
    return instead.bits
