"""What a text and its row must say, and what is then allowed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keyhalt.core.decisions import (
    Allowed,
    Cause,
    Denied,
    ForeignKey,
    Reason,
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
)
from keyhalt.core.secrets import Generation, GenerationState, MacKeys, digest_of
from tests.core.deciding import (
    BY_KEY,
    BY_TOKEN,
    FOREIGN,
    GENERATION,
    HERE,
    KEY,
    LOST,
    NOW,
    OWNER,
    ROW,
    TOKEN_ROW,
    VIEW,
    forged,
    minted,
    nothing_in_url,
    presented,
    verify,
)
from tests.core.test_decisions import KEY_FAULTS, TOKEN_FAULTS, find, in_url

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
    decision = verify(presented(text), row=ROW._replace(digest=digest_of(text)))
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
    assert isinstance(decide_key(claim, ROW._replace(digest=digest_of(text)), HERE), Allowed)
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
        (ROW._replace(key_id=346), Cause.ROW_MISMATCH, False),
        (ROW._replace(owner=replace(OWNER, user_id=13)), Cause.ROW_MISMATCH, False),
        (ROW._replace(owner=replace(OWNER, datasource="Orchard")), Cause.ROW_MISMATCH, False),
        (ROW._replace(deleted=True), Cause.DELETED_KEY, True),
        (ROW._replace(owner=replace(OWNER, active=False)), Cause.OWNER_INACTIVE, True),
        (
            ROW._replace(owner=replace(OWNER, datasource_active=False)),
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
    denied = decide_key(claim_of(KEY), ROW._replace(digest=digest_of(b"other")), HERE)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.cause) == (Reason.INVALID_KEY, Cause.UNKNOWN_KEY)


def test_a_key_is_allowed_as_its_owner() -> None:
    """Everything of the principal is the owner's, as of this read, in this environment."""
    decision = decide_key(claim_of(KEY), ROW, HERE)
    assert decision == Allowed(Principal("Lab", OWNER, BY_KEY))
    who = decision.principal
    assert (who.environment, who.datasource_id, who.datasource) == ("Lab", 3, "orchard")
    assert (who.user_id, who.user_code, who.full_name) == (12, "pat", "Pat Doe")
    assert (who.email, who.role_id, who.role_name) == ("pat@example.org", 7, "Reader")
    assert (who.permissions, who.topmosts) == (VIEW.bits, {"places": (1, 5)})
    assert decision.principal.topmost_ids("places") == (1, 5)
    assert decision.principal.topmost_ids("costCenters") == ()


# ---------------------------------------------------------------- imported keys


def imported(generation: Generation = GENERATION, **changes: Any) -> KeyFacts:
    """The row of an imported key, its MAC made for what the row says before the changes."""
    digest = digest_of(FOREIGN)
    lost = generation.state is GenerationState.DIGEST_ONLY
    mac = b"" if lost else generation.mac(import_message(345, 12, 3, digest))
    return KeyFacts(345, digest, False, OWNER, generation.number, mac)._replace(**changes)


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
    assert decision == Allowed(Principal("Lab", OWNER, BY_KEY))


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
        imported()._replace(generation=None),
        imported()._replace(generation=9),
        imported(replace(GENERATION, key=bytes(32))),
        imported(LOST)._replace(generation=2),
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
    planted = ROW._replace(digest=digest_of(FOREIGN))
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
    assert decide_token(row, HERE, NOW) == Allowed(Principal("Lab", OWNER, BY_TOKEN))


# ---------------------------------------------------------------- 8: permissions


@pytest.mark.parametrize("held", range(8))
def test_a_need_is_met_by_every_one_of_its_bits_and_nothing_less(held: int) -> None:
    """Being permitted is having all that is asked for, whatever else one has."""
    principal = Principal("Lab", replace(OWNER, permissions=PermissionSet(held)), BY_KEY)
    need = Need("meters", "edit", PermissionSet(0b101))
    assert (permit(principal, need) is None) is (held & 0b101 == 0b101)


@pytest.mark.parametrize("credential", [BY_KEY, BY_TOKEN, Credential(CredentialKind.SESSION, 4)])
def test_a_missing_permission_is_named_with_who_lacked_it(credential: Credential) -> None:
    """The client can ask for the right thing, and the audit log knows who asked."""
    principal = Principal("Lab", replace(OWNER, permissions=NOTHING), credential)
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
    principal = Principal("Lab", replace(OWNER, permissions=NOTHING), BY_KEY)
    assert permit(principal, None) is None


# ---------------------------------------------------------------- the closed lists


def test_every_reason_that_these_checks_give_is_reached_here() -> None:
    """The reasons of checks 1 to 8 are these nine; the others are said elsewhere."""
    reached = {reason for reason, _ in (KEY_FAULTS | TOKEN_FAULTS).values()}
    for request in (presented(), in_url(KEY)):
        denied = examine(request, HERE, find)
        assert isinstance(denied, Denied)
        reached.add(denied.reason)
    elsewhere = {
        "not_found",
        "not_in_policy",
        "invalid_sign_in",
        "password_change_required",
        "key_cannot_create_keys",
        "unavailable",
        "too_many_requests",
        "beyond_own_rights",
        "invalid_session",
        "cross_site",
    }
    assert {*reached} == {reason for reason in Reason if reason.value not in elsewhere}


def test_reasons_and_causes_are_words_that_clients_and_logs_keep() -> None:
    """The values are snake case of their own names, so neither can be renamed alone."""
    for word in (*Reason, *Cause):
        assert word.value == word.name.lower()
