"""The order of checks: from what a request presents to Allowed or Denied."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from keyhalt.core.decisions import (
    Allowed,
    Cause,
    Denied,
    Presented,
    Reason,
    TokenClaim,
    examine,
)
from keyhalt.core.keytext import KeyClaim
from keyhalt.core.permissions import NOTHING
from keyhalt.core.principals import (
    KeyFacts,
    TokenFacts,
)
from keyhalt.core.secrets import digest_of
from tests.core.deciding import (
    BY_KEY,
    BY_TOKEN,
    FOREIGN,
    HERE,
    KEY,
    LOST,
    NOW,
    OWNER,
    ROW,
    TOKEN,
    TOKEN_ROW,
    VIEW,
    forged,
    minted,
    mistyped,
    nothing_in_url,
    presented,
    subsets,
    verify,
)

# ---------------------------------------------------------------- the order, for keys

KEY_FAULTS: dict[str, tuple[Reason, Cause]] = {
    "plain http": (Reason.HTTPS_REQUIRED, Cause.AS_SAID),
    "two keys": (Reason.AMBIGUOUS_CREDENTIAL, Cause.AS_SAID),
    "mistyped": (Reason.MALFORMED_KEY, Cause.BAD_CHECKSUM),
    "other environment": (Reason.WRONG_ENVIRONMENT, Cause.AS_SAID),
    "forged": (Reason.INVALID_KEY, Cause.FORGED_KEY),
    "no row": (Reason.INVALID_KEY, Cause.UNKNOWN_KEY),
    "other owner": (Reason.INVALID_KEY, Cause.ROW_MISMATCH),
    "deleted": (Reason.INVALID_KEY, Cause.DELETED_KEY),
    "datasource inactive": (Reason.INVALID_KEY, Cause.DATASOURCE_INACTIVE),
    "owner inactive": (Reason.INVALID_KEY, Cause.OWNER_INACTIVE),
    "no permission": (Reason.PERMISSION_DENIED, Cause.AS_SAID),
}
"""What can be wrong with a request that has a key, in the order of the checks."""


def request_with(faults: frozenset[str]) -> tuple[Presented, KeyFacts | None]:
    text = minted(environment="Elsewhere" if "other environment" in faults else "Lab")
    if "forged" in faults:
        text = forged(text)
    if "mistyped" in faults:
        text = mistyped(text)
    keys = [text, text] if "two keys" in faults else [text]
    owner = replace(
        OWNER,
        user_id=13 if "other owner" in faults else 12,
        active="owner inactive" not in faults,
        datasource_active="datasource inactive" not in faults,
        permissions=NOTHING if "no permission" in faults else VIEW.bits,
    )
    row = KeyFacts(345, digest_of(text), "deleted" in faults, owner)
    return (
        presented(*keys, over_https="plain http" not in faults),
        None if "no row" in faults else row,
    )


def test_the_first_check_that_fails_decides_whatever_else_is_wrong_with_a_key() -> None:
    """For each combination of faults, the answer is that of the earliest check, and only that."""
    for faults in subsets(KEY_FAULTS):
        request, row = request_with(faults)
        decision = verify(request, row=row, need=VIEW)
        if not faults:
            assert isinstance(decision, Allowed)
            continue
        earliest = next(fault for fault in KEY_FAULTS if fault in faults)
        assert isinstance(decision, Denied), faults
        assert (decision.reason, decision.cause) == KEY_FAULTS[earliest], faults
        assert not decision.by_bearer


TOKEN_FAULTS: dict[str, tuple[Reason, Cause]] = {
    "plain http": (Reason.HTTPS_REQUIRED, Cause.AS_SAID),
    "two authorizations": (Reason.AMBIGUOUS_CREDENTIAL, Cause.AS_SAID),
    "legacy sign-in off": (Reason.INVALID_TOKEN, Cause.LEGACY_SIGN_IN_OFF),
    "no row": (Reason.INVALID_TOKEN, Cause.UNKNOWN_TOKEN),
    "ended": (Reason.INVALID_TOKEN, Cause.ENDED_TOKEN),
    "expired": (Reason.INVALID_TOKEN, Cause.EXPIRED_TOKEN),
    "datasource inactive": (Reason.INVALID_TOKEN, Cause.DATASOURCE_INACTIVE),
    "owner inactive": (Reason.INVALID_TOKEN, Cause.OWNER_INACTIVE),
    "earlier sign-in": (Reason.INVALID_TOKEN, Cause.EARLIER_SIGN_IN),
    "no permission": (Reason.PERMISSION_DENIED, Cause.AS_SAID),
}
"""What can be wrong with a request that has a bearer token, in the order of the checks."""


def test_the_first_check_that_fails_decides_whatever_else_is_wrong_with_a_token() -> None:
    """A token goes through the same order as a key, with its own check 7."""
    for faults in subsets(TOKEN_FAULTS):
        user = replace(
            OWNER,
            active="owner inactive" not in faults,
            datasource_active="datasource inactive" not in faults,
            permissions=NOTHING if "no permission" in faults else VIEW.bits,
        )
        row = TokenFacts(
            token_id=88,
            sign_in_generation=5 if "earlier sign-in" in faults else 6,
            expires_at=NOW - timedelta(hours=1 if "expired" in faults else -1),
            ended="ended" in faults,
            user=user,
        )
        request = presented(
            bearer=TOKEN,
            over_https="plain http" not in faults,
            authorizations=2 if "two authorizations" in faults else 1,
        )
        here = replace(HERE, legacy_login="legacy sign-in off" not in faults)
        decision = verify(request, here, token_row=None if "no row" in faults else row, need=VIEW)
        if not faults:
            assert isinstance(decision, Allowed)
            continue
        earliest = next(fault for fault in TOKEN_FAULTS if fault in faults)
        assert isinstance(decision, Denied), faults
        assert (decision.reason, decision.cause) == TOKEN_FAULTS[earliest], faults
        assert decision.by_bearer is (earliest != "plain http")


# ---------------------------------------------------------------- which credential counts

BAD_KEYS = {
    "mistyped": (mistyped(KEY), Reason.MALFORMED_KEY),
    "foreign": (FOREIGN, Reason.MALFORMED_KEY),
    "empty": (b"", Reason.MALFORMED_KEY),
    "another environment's": (minted(environment="Elsewhere"), Reason.WRONG_ENVIRONMENT),
    "forged": (forged(KEY), Reason.INVALID_KEY),
    "unknown": (minted(key_id=346), Reason.INVALID_KEY),
}


@pytest.mark.parametrize("key", ["absent", *BAD_KEYS, "good"])
@pytest.mark.parametrize("bearer", ["absent", "bad", "good"])
def test_a_key_wins_over_a_bearer_token_also_when_it_is_bad(key: str, bearer: str) -> None:
    """If there is a key it alone counts: there is no falling back to a good token."""
    text = KEY if key == "good" else BAD_KEYS[key][0] if key in BAD_KEYS else None
    request = presented(
        *([] if text is None else [text]), bearer=None if bearer == "absent" else TOKEN
    )
    decision = verify(
        request,
        row=ROW if key == "good" else None,
        token_row=TOKEN_ROW if bearer == "good" else None,
    )
    match (key, bearer, decision):
        case ("good", _, Allowed(principal)):
            assert principal.credential == BY_KEY
        case ("absent", "good", Allowed(principal)):
            assert principal.credential == BY_TOKEN
        case ("absent", "bad", Denied(reason)):
            assert reason is Reason.INVALID_TOKEN
        case ("absent", "absent", Denied(reason)):
            assert reason is Reason.MISSING_CREDENTIAL
        case (_, _, Denied(reason, by_bearer=False)):
            assert reason is BAD_KEYS[key][1]
        case _:
            pytest.fail(f"{key} key, {bearer} token: {decision}")


@pytest.mark.parametrize(
    "keys",
    [
        (KEY, KEY),
        (KEY, b""),
        (b"", KEY),
        (b"", b""),
        (KEY, mistyped(KEY), FOREIGN),
        (KEY + b"," + KEY,),
        (KEY + b",",),
        (b"," + KEY,),
        (KEY + b", " + FOREIGN,),
        (b",",),
    ],
)
def test_more_than_one_key_is_ambiguous_even_if_they_are_one(keys: tuple[bytes, ...]) -> None:
    """Two headers, or one that a proxy joined with a comma, are refused unread."""
    for bearer in (None, TOKEN):
        assert verify(presented(*keys, bearer=bearer)) == Denied(Reason.AMBIGUOUS_CREDENTIAL)


def test_two_authorizations_are_ambiguous_unless_a_key_is_there() -> None:
    """Which token counts is not guessed; with a key, no Authorization counts at all."""
    for bearer in (None, TOKEN):
        denied = verify(presented(bearer=bearer, authorizations=2))
        assert denied == Denied(Reason.AMBIGUOUS_CREDENTIAL, by_bearer=True)
        assert isinstance(verify(presented(KEY, bearer=bearer, authorizations=2)), Allowed)


def test_an_authorization_of_another_scheme_is_no_credential() -> None:
    """Basic, Digest and so on count as if nothing was there."""
    assert verify(presented(authorizations=1)) == Denied(Reason.MISSING_CREDENTIAL)


def test_a_token_is_looked_up_by_its_digest() -> None:
    """What leaves the first checks of a token is its digest, not its text."""
    claim = examine(presented(bearer=TOKEN), HERE, nothing_in_url)
    assert claim == TokenClaim(digest_of(TOKEN))


def test_insecure_http_is_taken_only_where_the_installation_says_so() -> None:
    """One setting lifts the first check, and no other check with it."""
    plain = presented(KEY, over_https=False)
    insecure = replace(HERE, insecure_http=True)
    denied = verify(plain)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.exposed is not None) == (Reason.HTTPS_REQUIRED, True)
    forged = verify(presented(b"made up", over_https=False))
    assert forged == Denied(Reason.HTTPS_REQUIRED)
    assert isinstance(verify(plain, insecure), Allowed)
    bare = presented(over_https=False)
    assert verify(bare, insecure) == Denied(Reason.MISSING_CREDENTIAL)


# ---------------------------------------------------------------- a key in the URL


def in_url(text: bytes | None) -> Presented:
    return presented(query=b"" if text is None else b"key=" + text)


def find(query: bytes) -> bytes | None:
    return query.removeprefix(b"key=") if query.startswith(b"key=") else None


@pytest.mark.parametrize("text", [KEY, mistyped(KEY), FOREIGN, forged(KEY), b""])
def test_a_key_in_the_url_is_named_and_never_read(text: bytes) -> None:
    """A key text in the query makes no request allowed, also not the best of keys."""
    denied = examine(in_url(text), HERE, find)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.KEY_IN_URL
    assert denied.user_id is None


def test_only_a_real_key_of_this_environment_in_the_url_is_said_to_be_exposed() -> None:
    """An owner is warned of a key whose MAC holds, not of what anybody can make up."""
    denied = examine(in_url(KEY), HERE, find)
    assert isinstance(denied, Denied)
    assert isinstance(denied.exposed, KeyClaim)
    assert denied.exposed.digest == digest_of(KEY)
    unknown = forged(KEY, generation=9)
    for text in (mistyped(KEY), FOREIGN, forged(KEY), unknown, minted(environment="Elsewhere")):
        assert examine(in_url(text), HERE, find) == Denied(Reason.KEY_IN_URL)


def test_a_text_that_no_mac_vouches_for_is_not_said_to_be_exposed() -> None:
    """Nobody can have an owner warned by writing down made-up ids and a lost generation."""
    made_up = forged(KEY, generation=LOST.number)
    assert examine(in_url(made_up), HERE, find) == Denied(Reason.KEY_IN_URL)


def test_the_url_is_looked_at_only_if_no_credential_is_there() -> None:
    """A key in a header or a token is decided on as if the query were not there."""
    query = b"key=" + KEY
    assert isinstance(examine(presented(KEY, query=query), HERE, find), KeyClaim)
    assert isinstance(examine(presented(bearer=TOKEN, query=query), HERE, find), TokenClaim)
    without = presented(query=b"page=2")
    assert examine(without, HERE, find) == Denied(Reason.MISSING_CREDENTIAL)


def test_an_exposed_key_is_not_printed() -> None:
    """A denial that gets into a log does not have the exposed key in it."""
    denied = examine(in_url(KEY), HERE, find)
    assert "exposed" not in repr(denied)


def test_what_a_request_presents_is_not_printed() -> None:
    """Neither keys, nor tokens, nor the query show in a log of the request."""
    shown = repr(presented(KEY, bearer=TOKEN, query=b"key=" + KEY))
    assert shown == "Presented(1 keys, 1 authorizations)"
