"""Advice is given where its evidence is, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.advice import (
    Advice,
    AdviceKind,
    Exposed,
    TokenUser,
    Watched,
    Window,
    advise,
    advise_of_tokens,
)
from keyhalt.core.permissions import NOTHING, Catalogue, Permission, PermissionSet
from keyhalt.core.principals import UserFacts
from keyhalt.core.sharing import CallerWeek

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CATALOGUE = Catalogue(
    tuple(Permission(n, f"p{n}", "", "", "", "", {"view": n}) for n in range(41)),
)
OWNER = UserFacts(
    user_id=1,
    user_code="jsmith",
    full_name="Jo",
    email="",
    datasource_id=1,
    datasource="acme",
    role_id=1,
    role_name="All",
    permissions=PermissionSet(2**41 - 1),
    topmosts={},
    active=True,
    datasource_active=True,
    sign_in_generation=1,
)
WINDOW = Window(NOW, 90, date(2026, 1, 1))
KEY = Watched(
    key_id=7,
    created_at=NOW - timedelta(days=200),
    owner=OWNER,
    can_sign_in=True,
    last_used_at=NOW - timedelta(days=1),
    used=PermissionSet(2**30 - 1),
    signed_in_at=NOW - timedelta(days=1),
)


def kinds(key: Watched, window: Window = WINDOW) -> list[AdviceKind]:
    return [each.kind for each in advise(key, window, CATALOGUE)]


def only(key: Watched, window: Window = WINDOW) -> Advice:
    (advice,) = advise(key, window, CATALOGUE)
    return advice


def test_a_key_in_good_use_gets_none() -> None:
    """Used yesterday, most rights used, an owner who can sign in."""
    assert kinds(KEY) == []


@pytest.mark.parametrize(("days", "expected"), [(89, []), (90, [AdviceKind.UNUSED])])
def test_a_key_is_unused_after_so_many_days_and_not_before(
    days: int, expected: list[AdviceKind]
) -> None:
    """Since its last use, or since it was made if there was none."""
    at = NOW - timedelta(days=days)
    assert kinds(replace(KEY, last_used_at=at)) == expected
    assert kinds(replace(KEY, last_used_at=None, created_at=at, used=NOTHING)) == expected


def test_what_was_not_counted_is_not_called_unused() -> None:
    """Counting began yesterday, or nothing was ever counted: a silent key proves nothing."""
    silent = replace(KEY, last_used_at=None, used=NOTHING)
    assert only(silent).says == "Never used in 200 days."
    for since in (NOW.date() - timedelta(days=1), None):
        assert kinds(silent, replace(WINDOW, counted_since=since)) == []


def test_an_owner_matters_before_they_are_noticed() -> None:
    """An inactive one comes back with the key; a person without a password looks after nothing."""
    inactive = only(replace(KEY, owner=replace(OWNER, active=False)))
    assert (inactive.kind, inactive.evidence["active"]) == (AdviceKind.OWNER, False)
    assert only(replace(KEY, can_sign_in=False)).kind is AdviceKind.OWNER
    service = replace(OWNER, service=True)
    assert kinds(replace(KEY, can_sign_in=False, owner=service)) == []


def test_an_owner_who_does_not_sign_in_any_more_is_about_to_matter() -> None:
    """For as long as the window, of a key that is as old; whether they ever did is said."""
    for days, expected in ((89, []), (90, [AdviceKind.OWNER])):
        assert kinds(replace(KEY, signed_in_at=NOW - timedelta(days=days))) == expected
    assert "since it was made" in only(replace(KEY, signed_in_at=None)).says
    young = replace(KEY, signed_in_at=None, created_at=NOW - timedelta(days=80))
    assert kinds(young) == []


def test_a_key_that_others_could_read_is_named_for_each_place() -> None:
    """How often, when last, and from where."""
    exposed = [
        Exposed(in_url=False, times=3, last_at=NOW, network="203.0.113.0/24"),
        Exposed(in_url=True, times=1, last_at=NOW, network=""),
    ]
    http, url = advise(replace(KEY, exposures=exposed), WINDOW, CATALOGUE)
    assert http.kind is url.kind is AdviceKind.EXPOSED
    assert http.says.startswith(
        "Sent over plain HTTP 3 times, last on 2026-11-24 from 203.0.113.0/24."
    )
    assert url.says.startswith("Sent in an address once, last on 2026-11-24.")


def test_several_programs_of_one_key_are_told_apart() -> None:
    """By network and agent, with what each of them did."""
    seen = [
        CallerWeek(WINDOW.week - ago, network, agent, 1, PermissionSet(does))
        for ago in range(9)
        for network, agent, does in (("10.0.0.0/24", "importer", 1), ("10.9.0.0/24", "curl", 6))
    ]
    shared = only(replace(KEY, callers=seen))
    assert shared.kind is AdviceKind.SHARED
    assert shared.says == (
        "Looks like 2 different programs, side by side for weeks:"
        " from 10.0.0.0/24 by importer; from 10.9.0.0/24 by curl."
    )
    first, second = shared.evidence["integrations"]  # type: ignore[misc]
    assert first["permissions"] == ["p0.view"]
    assert (second["agents"], second["weeks"]) == (["curl"], 9)


def test_who_still_uses_tokens_is_named() -> None:
    """No key is: the next step is to make one."""
    advice = advise_of_tokens(TokenUser("jsmith", 1204, NOW, "203.0.113.0/24", "legacy"), WINDOW)
    assert (advice.kind, advice.key_id) == (AdviceKind.TOKEN, None)
    assert advice.says == (
        "1,204 requests with bearer tokens of jsmith in 90 days, last on 2026-11-24"
        " by legacy from 203.0.113.0/24."
    )


def test_more_rights_than_use_says_how_many_of_how_many_and_which() -> None:
    """Named, so that a role of just these can be made."""
    advice = only(replace(KEY, used=PermissionSet(0b10101)))
    assert advice.kind is AdviceKind.RIGHTS
    assert advice.says == "Used 3 of 41 permissions in 90 days."
    assert advice.evidence["usedPermissions"] == ["p0.view", "p2.view", "p4.view"]


@pytest.mark.parametrize(
    ("used", "held", "expected"),
    [(20, 41, True), (21, 41, False), (1, 6, True), (1, 5, False), (0, 41, False)],
)
def test_rights_are_spare_when_most_were_not_used(used: int, held: int, expected: bool) -> None:
    """At most half used, and at least five to spare; nothing is said of a key that used none."""
    owner = replace(OWNER, permissions=PermissionSet(2**held - 1))
    key = replace(KEY, owner=owner, used=PermissionSet(2**used - 1))
    assert (kinds(key) == [AdviceKind.RIGHTS]) == expected


@pytest.mark.parametrize(("earlier", "expected"), [(19, True), (20, False)])
def test_rights_that_were_used_within_a_year_are_not_spare(earlier: int, expected: bool) -> None:
    """There are jobs that run once a year; what was used in the window as well counts once."""
    key = replace(KEY, used=PermissionSet(1), used_earlier=PermissionSet(2 ** (earlier + 1) - 1))
    assert (kinds(key) == [AdviceKind.RIGHTS]) == expected
    if expected:
        says = f"Used 1 of 41 permissions in 90 days, and {earlier} more within a year."
        assert only(key).says == says
        assert only(replace(key, used_earlier=PermissionSet(0b11))).evidence["usedEarlier"] == [
            "p1.view"
        ]


@pytest.mark.parametrize(("days", "expected"), [(29, []), (30, [AdviceKind.RIGHTS])])
def test_rights_are_judged_after_a_month_of_watching(days: int, expected: list[AdviceKind]) -> None:
    """Of the key, and of the counting."""
    key = replace(KEY, used=PermissionSet(1))
    at = NOW - timedelta(days=days)
    assert kinds(replace(key, created_at=at)) == expected
    assert kinds(key, replace(WINDOW, counted_since=at.date())) == expected


@given(st.integers(0, 2**41 - 1), st.integers(0, 2**41 - 1))
def test_rights_that_were_taken_away_meanwhile_do_not_count(used: int, held: int) -> None:
    """Never more used than held; the permissions named are among those held."""
    owner = replace(OWNER, permissions=PermissionSet(held))
    for advice in advise(replace(KEY, owner=owner, used=PermissionSet(used)), WINDOW, CATALOGUE):
        named = advice.evidence["usedPermissions"]
        assert isinstance(named, list)
        assert set(named) <= set(CATALOGUE.names(PermissionSet(held)))
        assert advice.evidence["used"] == len(named)
