"""The order of checks: from what a request presents to Allowed or Denied."""

from __future__ import annotations

import base64
import itertools
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keyhalt.core import keytext
from keyhalt.core.decisions import (
    Allowed,
    Cause,
    Denied,
    ForeignKey,
    Here,
    Presented,
    Reason,
    TokenClaim,
    decide_key,
    decide_token,
    examine,
    import_message,
    permit,
)
from keyhalt.core.keytext import KeyClaim
from keyhalt.core.permissions import NOTHING, Need, PermissionSet
from keyhalt.core.principals import (
    Credential,
    CredentialKind,
    KeyFacts,
    Principal,
    TokenFacts,
    UserFacts,
    principal_of,
)
from keyhalt.core.secrets import Generation, GenerationState, MacKeys, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from keyhalt.core.decisions import Decision

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
GENERATION = Generation(2, GenerationState.MINT, bytes(range(32)))
LOST = Generation(4, GenerationState.DIGEST_ONLY, b"")
VIEW = Need("meters", "view", PermissionSet(0b1))
TOKEN = b"a-made-up-token"
FOREIGN = b"somebody-elses-key"


def mac_keys() -> MacKeys:
    return MacKeys({2: GENERATION, 4: LOST})


HERE = Here(environment="Lab", product="keyhalt", mac_keys=mac_keys, aliases=frozenset({"Old Lab"}))

OWNER = UserFacts(
    user_id=12,
    user_code="pat",
    full_name="Pat Doe",
    email="pat@example.org",
    datasource_id=3,
    datasource="orchard",
    role_id=7,
    role_name="Reader",
    permissions=VIEW.bits,
    topmosts={"places": (1, 5)},
    active=True,
    datasource_active=True,
    sign_in_generation=6,
)


def minted(generation: Generation = GENERATION, **changes: Any) -> bytes:
    """A key of `OWNER` that nothing is wrong with, but for the changes."""
    facts: dict[str, Any] = {
        "product": "keyhalt",
        "environment": "Lab",
        "datasource": "orchard",
        "user_id": 12,
        "key_id": 345,
        "random": bytes(range(100, 119)),
    }
    return keytext.mint(generation=generation, **(facts | changes)).reveal().encode()


def forged(text: bytes, generation: int = GENERATION.number) -> bytes:
    """The text with a MAC that does not hold and a checksum that does."""
    names, _, last = text.rpartition(b".")
    payload = bytearray(base64.b64decode(last)[:32])
    payload[0] = 0x10 | generation
    payload[31] ^= 1
    checksum = zlib.crc32(names + b"." + payload).to_bytes(4, "big")
    return names + b"." + base64.b64encode(payload + checksum)


def mistyped(text: bytes) -> bytes:
    """The text with its last character wrong: our shape, but the checksum does not hold."""
    return text[:-1] + (b"A" if text[-1:] != b"A" else b"B")


KEY = minted()
ROW = KeyFacts(key_id=345, digest=digest_of(KEY), deleted=False, owner=OWNER)
TOKEN_ROW = TokenFacts(
    token_id=88, sign_in_generation=6, expires_at=NOW + timedelta(hours=1), ended=False, user=OWNER
)
BY_KEY = Credential(CredentialKind.KEY, 345)
BY_TOKEN = Credential(CredentialKind.TOKEN, 88)


def presented(*keys: bytes, bearer: bytes | None = None, **changes: Any) -> Presented:
    authorizations = int(bearer is not None)
    whole = Presented(keys, bearer, authorizations, over_https=True)
    return replace(whole, **changes)


def nothing_in_url(_query: bytes) -> None:
    """A finder that finds no key."""


def verify(
    request: Presented,
    here: Here = HERE,
    *,
    row: KeyFacts | None = ROW,
    token_row: TokenFacts | None = TOKEN_ROW,
    need: Need | None = None,
) -> Decision:
    """Checks 1 to 8 as a verifier runs them, with rows that were read beforehand."""
    claim = examine(request, here, nothing_in_url)
    match claim:
        case Denied():
            return claim
        case TokenClaim():
            decision = decide_token(token_row, here, NOW)
        case _:
            decision = decide_key(claim, row, here)
    if isinstance(decision, Denied):
        return decision
    return permit(decision.principal, need) or decision


def subsets(faults: Iterable[str]) -> Iterator[frozenset[str]]:
    chosen = list(faults)
    for size in range(len(chosen) + 1):
        yield from map(frozenset, itertools.combinations(chosen, size))


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
    assert verify(plain) == Denied(Reason.HTTPS_REQUIRED)
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


# ---------------------------------------------------------------- 5 and 6: what a text says


@pytest.mark.parametrize(
    ("product", "environment", "right"),
    [
        ("keyhalt", "Lab", True),
        ("keyhalt", "Old Lab", True),
        ("keyhalt", "lab", False),
        ("keyhalt", "LAB", False),
        ("keyhalt", "Lab ", False),
        ("keyhalt", "Production", False),
        ("ecap", "Lab", False),
        ("Keyhalt", "Lab", False),
    ],
)
def test_a_key_counts_in_its_own_environment_and_product_only(
    product: str, environment: str, right: bool
) -> None:
    """The environment's name or an alias, to the letter, and the installation's product."""
    text = minted(product=product, environment=environment)
    decision = verify(presented(text), row=replace(ROW, digest=digest_of(text)))
    if right:
        assert isinstance(decision, Allowed)
        assert decision.principal.environment == "Lab"
    else:
        assert decision == Denied(Reason.WRONG_ENVIRONMENT)


def test_a_generation_that_is_not_here_is_an_invalid_key() -> None:
    """A text of a generation nobody knows is refused before any row is read."""
    stranger = Generation(9, GenerationState.MINT, bytes(range(9, 41)))
    denied = Denied(Reason.INVALID_KEY, Cause.UNKNOWN_GENERATION)
    assert examine(presented(minted(stranger)), HERE, nothing_in_url) == denied


def test_mac_keys_are_asked_for_at_each_request() -> None:
    """A generation that was added meanwhile counts, and one that was taken away does not."""
    added = Generation(9, GenerationState.MINT, bytes(range(9, 41)))
    rings = [MacKeys({2: GENERATION}), MacKeys({9: added})]
    here = replace(HERE, mac_keys=lambda: rings[0])
    assert isinstance(examine(presented(KEY), here, nothing_in_url), KeyClaim)
    assert isinstance(examine(presented(minted(added)), here, nothing_in_url), Denied)
    rings.reverse()
    assert isinstance(examine(presented(KEY), here, nothing_in_url), Denied)
    assert isinstance(examine(presented(minted(added)), here, nothing_in_url), KeyClaim)


def test_an_accepted_generation_is_checked_like_a_minting_one() -> None:
    """A generation that makes no more keys still refuses forgeries of its old ones."""
    ring = MacKeys(
        {
            2: replace(GENERATION, state=GenerationState.ACCEPT),
            3: Generation(3, GenerationState.MINT, bytes(range(3, 35))),
        }
    )
    here = replace(HERE, mac_keys=lambda: ring)
    assert isinstance(examine(presented(KEY), here, nothing_in_url), KeyClaim)
    denied = Denied(Reason.INVALID_KEY, Cause.FORGED_KEY)
    assert examine(presented(forged(KEY)), here, nothing_in_url) == denied


def test_a_text_of_a_lost_generation_counts_by_its_digest_alone() -> None:
    """Losing a MAC key loses no key: the row decides, and made-up texts find none."""
    text = forged(KEY, generation=LOST.number)
    claim = examine(presented(text), HERE, nothing_in_url)
    assert isinstance(claim, KeyClaim)
    assert isinstance(decide_key(claim, replace(ROW, digest=digest_of(text)), HERE), Allowed)
    unknown = decide_key(claim, None, HERE)
    assert unknown == Denied(Reason.INVALID_KEY, Cause.UNKNOWN_KEY)
    other = decide_key(claim, ROW, HERE)
    assert isinstance(other, Denied)
    assert other.cause is Cause.UNKNOWN_KEY


# ---------------------------------------------------------------- 7: the row of a key


def claim_of(text: bytes) -> KeyClaim | ForeignKey:
    claim = examine(presented(text), HERE, nothing_in_url)
    assert isinstance(claim, KeyClaim | ForeignKey)
    return claim


@pytest.mark.parametrize(
    ("row", "cause", "names_the_owner"),
    [
        (replace(ROW, key_id=346), Cause.ROW_MISMATCH, False),
        (replace(ROW, owner=replace(OWNER, user_id=13)), Cause.ROW_MISMATCH, False),
        (replace(ROW, owner=replace(OWNER, datasource="Orchard")), Cause.ROW_MISMATCH, False),
        (replace(ROW, deleted=True), Cause.DELETED_KEY, True),
        (replace(ROW, owner=replace(OWNER, active=False)), Cause.OWNER_INACTIVE, True),
        (
            replace(ROW, owner=replace(OWNER, datasource_active=False)),
            Cause.DATASOURCE_INACTIVE,
            True,
        ),
    ],
)
def test_a_row_that_does_not_hold_is_one_reason_with_its_own_cause(
    row: KeyFacts, cause: Cause, names_the_owner: bool
) -> None:
    """The client reads invalid_key; the audit log reads the cause, and whose key it was."""
    assert decide_key(claim_of(KEY), row, HERE) == Denied(
        Reason.INVALID_KEY,
        cause,
        user_id=row.owner.user_id if names_the_owner else None,
        datasource_id=3,
        credential=Credential(CredentialKind.KEY, row.key_id),
    )


def test_a_row_of_another_digest_is_no_row() -> None:
    """A key counts only if the row was made for this very text."""
    denied = decide_key(claim_of(KEY), replace(ROW, digest=digest_of(b"other")), HERE)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.cause) == (Reason.INVALID_KEY, Cause.UNKNOWN_KEY)


def test_a_key_is_allowed_as_its_owner() -> None:
    """Everything of the principal is the owner's, as of this read, in this environment."""
    decision = decide_key(claim_of(KEY), ROW, HERE)
    assert decision == Allowed(
        Principal(
            environment="Lab",
            datasource_id=3,
            datasource="orchard",
            user_id=12,
            user_code="pat",
            full_name="Pat Doe",
            email="pat@example.org",
            role_id=7,
            role_name="Reader",
            permissions=VIEW.bits,
            topmosts={"places": (1, 5)},
            credential=BY_KEY,
        )
    )
    assert decision.principal.topmost_ids("places") == (1, 5)
    assert decision.principal.topmost_ids("costCenters") == ()


# ---------------------------------------------------------------- imported keys


def imported(generation: Generation = GENERATION, **changes: Any) -> KeyFacts:
    """The row of an imported key, its MAC made for what the row says before the changes."""
    digest = digest_of(FOREIGN)
    lost = generation.state is GenerationState.DIGEST_ONLY
    mac = b"" if lost else generation.mac(import_message(345, 12, 3, digest))
    return replace(KeyFacts(345, digest, False, OWNER, generation.number, mac), **changes)


def test_the_mac_of_an_imported_row_is_over_all_that_makes_it_a_key() -> None:
    """Id, owner, datasource and digest are in the message, each in its place."""
    assert import_message(1, 2, 3, b"\xff" * 32) == b"import|1|2|3|" + b"\xff" * 32
    messages = {
        import_message(*ids, digest)
        for ids in itertools.product((1, 11, 111), repeat=3)
        for digest in (bytes(32), b"1" * 32)
    }
    assert len(messages) == 27 * 2


def test_an_imported_key_is_allowed_as_its_owner() -> None:
    """A text that another system made counts through its row."""
    decision = verify(presented(FOREIGN), row=imported())
    assert decision == Allowed(principal_of(OWNER, BY_KEY, "Lab"))


def test_a_foreign_text_without_a_row_is_malformed() -> None:
    """Where nothing was imported, another system's key is just not a key."""
    denied = Denied(Reason.MALFORMED_KEY, Cause.FOREIGN_TEXT)
    assert verify(presented(FOREIGN), row=None) == denied


@pytest.mark.parametrize(
    "row",
    [
        imported(key_id=346),
        imported(owner=replace(OWNER, user_id=13)),
        imported(owner=replace(OWNER, datasource_id=4)),
        imported(imported_mac=bytes(32)),
        imported(imported_mac=b""),
        imported(imported_mac=imported().imported_mac[:12]),
        imported(imported_generation=None),
        imported(imported_generation=9),
        imported(replace(GENERATION, key=bytes(32))),
        imported(LOST, imported_generation=2),
    ],
)
def test_a_planted_or_moved_import_makes_no_key(row: KeyFacts) -> None:
    """A row that no MAC key of ours vouches for does not count, and names no owner."""
    assert verify(presented(FOREIGN), row=row) == Denied(
        Reason.INVALID_KEY,
        Cause.ROW_MISMATCH,
        datasource_id=row.owner.datasource_id,
        credential=Credential(CredentialKind.KEY, row.key_id),
    )


def test_a_row_of_ours_is_no_imported_one() -> None:
    """A digest that somebody writes into an ordinary row does not let a foreign text in."""
    planted = replace(ROW, digest=digest_of(FOREIGN))
    decision = verify(presented(FOREIGN), row=planted)
    assert isinstance(decision, Denied)
    assert decision.cause is Cause.ROW_MISMATCH


def test_an_imported_key_of_a_lost_generation_counts_without_its_mac() -> None:
    """Losing a MAC key loses no imported key either."""
    assert isinstance(verify(presented(FOREIGN), row=imported(LOST)), Allowed)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (imported(deleted=True), Cause.DELETED_KEY),
        (imported(owner=replace(OWNER, active=False)), Cause.OWNER_INACTIVE),
        (imported(owner=replace(OWNER, datasource_active=False)), Cause.DATASOURCE_INACTIVE),
    ],
)
def test_an_imported_key_ends_like_any_other(row: KeyFacts, cause: Cause) -> None:
    """Deleting it or resting its owner stops an imported key with the same one reason."""
    denied = verify(presented(FOREIGN), row=row)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.cause, denied.user_id) == (Reason.INVALID_KEY, cause, 12)


# ---------------------------------------------------------------- 7': the row of a token


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (replace(TOKEN_ROW, ended=True), Cause.ENDED_TOKEN),
        (replace(TOKEN_ROW, expires_at=NOW), Cause.EXPIRED_TOKEN),
        (replace(TOKEN_ROW, expires_at=NOW - timedelta(days=1)), Cause.EXPIRED_TOKEN),
        (replace(TOKEN_ROW, user=replace(OWNER, active=False)), Cause.OWNER_INACTIVE),
        (
            replace(TOKEN_ROW, user=replace(OWNER, datasource_active=False)),
            Cause.DATASOURCE_INACTIVE,
        ),
        (replace(TOKEN_ROW, sign_in_generation=5), Cause.EARLIER_SIGN_IN),
        (replace(TOKEN_ROW, sign_in_generation=7), Cause.EARLIER_SIGN_IN),
    ],
)
def test_a_token_that_does_not_hold_is_one_reason_with_its_own_cause(
    row: TokenFacts, cause: Cause
) -> None:
    """The client reads invalid_token; the audit log reads the cause and the user."""
    assert decide_token(row, HERE, NOW) == Denied(
        Reason.INVALID_TOKEN,
        cause,
        user_id=12,
        datasource_id=3,
        credential=BY_TOKEN,
        by_bearer=True,
    )


@pytest.mark.parametrize("row", [None, replace(TOKEN_ROW, user=None)])
def test_a_token_without_a_row_or_a_user_is_unknown(row: TokenFacts | None) -> None:
    """A token whose user is gone says no more than one that never was."""
    denied = Denied(Reason.INVALID_TOKEN, Cause.UNKNOWN_TOKEN, by_bearer=True)
    assert decide_token(row, HERE, NOW) == denied


def test_a_token_is_allowed_until_the_moment_it_expires() -> None:
    """The last microsecond counts, and the user is the principal."""
    row = replace(TOKEN_ROW, expires_at=NOW + timedelta(microseconds=1))
    assert decide_token(row, HERE, NOW) == Allowed(principal_of(OWNER, BY_TOKEN, "Lab"))


# ---------------------------------------------------------------- 8: permissions


@pytest.mark.parametrize("held", range(8))
def test_a_need_is_met_by_every_one_of_its_bits_and_nothing_less(held: int) -> None:
    """Being permitted is having all that is asked for, whatever else one has."""
    principal = principal_of(replace(OWNER, permissions=PermissionSet(held)), BY_KEY, "Lab")
    need = Need("meters", "edit", PermissionSet(0b101))
    assert (permit(principal, need) is None) is (held & 0b101 == 0b101)


@pytest.mark.parametrize("credential", [BY_KEY, BY_TOKEN, Credential(CredentialKind.SESSION, 4)])
def test_a_missing_permission_is_named_with_who_lacked_it(credential: Credential) -> None:
    """The client can ask for the right thing, and the audit log knows who asked."""
    principal = principal_of(replace(OWNER, permissions=NOTHING), credential, "Lab")
    assert permit(principal, VIEW) == Denied(
        Reason.PERMISSION_DENIED,
        need="meters.view",
        user_id=12,
        datasource_id=3,
        credential=credential,
        by_bearer=credential is BY_TOKEN,
    )


def test_an_operation_that_needs_nothing_is_anybodys() -> None:
    """Where no permission is asked for, being signed in is enough."""
    principal = principal_of(replace(OWNER, permissions=NOTHING), BY_KEY, "Lab")
    assert permit(principal, None) is None


# ---------------------------------------------------------------- the closed lists


def test_every_reason_that_these_checks_give_is_reached_here() -> None:
    """The reasons of checks 1 to 8 are these nine; the other four are said elsewhere."""
    reached = {reason for reason, _ in (KEY_FAULTS | TOKEN_FAULTS).values()}
    for request in (presented(), in_url(KEY)):
        denied = examine(request, HERE, find)
        assert isinstance(denied, Denied)
        reached.add(denied.reason)
    elsewhere = {"not_found", "invalid_sign_in", "unavailable", "too_many_requests"}
    assert {*reached} == {reason for reason in Reason if reason.value not in elsewhere}


def test_reasons_and_causes_are_words_that_clients_and_logs_keep() -> None:
    """The values are snake case of their own names, so neither can be renamed alone."""
    for word in (*Reason, *Cause):
        assert word.value == word.name.lower()
