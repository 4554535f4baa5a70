"""`keyhalt explain`: what it says is what requests are answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Keyhalt, create


@pytest.fixture
def key(keyhalt: Keyhalt) -> Keyhalt:
    """A key 1 of `jsmith`, who may view meters and sees nothing of the places."""
    create(keyhalt)
    return keyhalt


def test_an_allowed_request_is_explained_check_by_check(key: Keyhalt) -> None:
    """Each check with what was found; exit 0."""
    done = key("explain", "--key", "1", "--permission", "meters.view", "-o", "json")
    assert done.code == 0
    assert [(row["check"], row["answer"]) for row in done.json] == [
        ("6", "yes"),
        *[("7", "yes")] * 4,  # not deleted, not frozen, datasource and owner active
        ("8", "yes"),
    ]
    assert done.json[-1]["says"] == "the role 'Integration' of jsmith grants meters.view"
    assert done.err.startswith("Allowed,")


@pytest.mark.parametrize(
    ("first", "permission", "says"),
    [
        ((), "accounts.edit", "refused: 403 permission_denied"),
        (("user", "deactivate", "jsmith"), "meters.view", "invalid_key (owner_inactive)"),
        (("datasource", "deactivate", "acme"), "meters.view", "invalid_key (datasource_inactive)"),
        (("key", "delete", "1", "--yes"), "meters.view", "401 invalid_key (deleted_key)"),
    ],
)
def test_a_refused_request_ends_with_the_check_that_says_no(
    key: Keyhalt, first: tuple[str, ...], permission: str, says: str
) -> None:
    """Status, reason and exact cause; exit 3."""
    if first:
        assert key(*first).code == 0
    done = key("explain", "--key", "1", "--permission", permission, "-o", "json")
    assert done.code == 3
    assert [row["answer"] for row in done.json][-1] == "no"
    assert says in done.err


def test_a_place_is_looked_for_under_the_topmosts(
    key: Keyhalt, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the app that has the tree; beyond them and not there look alike.

    Where there is no app, a topmost is taken as it is and that is said.
    """
    unchecked = key("user", "set-topmost", "jsmith", "places=")
    assert (unchecked.code, "not checked" in unchecked.err) == (0, False)
    unchecked = key("user", "set-topmost", "jsmith", "costCenters=7")
    assert (unchecked.code, "costCenters: whether" in unchecked.err) == (0, True)
    monkeypatch.setenv("KEYHALT_APPS", "energy")
    ask = ("explain", "--key", "1", "--permission", "meters.view")
    none = key(*ask, "--place", "7")
    assert (none.code, "refused: 404 not_found" in none.err) == (3, True)
    assert "topmosts of jsmith in places: none" in none.out
    for command in (
        ("set-topmost", "jsmith", "places=7"),
        ("create", "x", "--topmost", "places=7"),
    ):
        done = key("user", *command)
        assert (done.code, done.err) == (5, "keyhalt: there is no node 7 in places\n")
    monkeypatch.setenv("KEYHALT_APPS", "")
    assert key("user", "set-topmost", "jsmith", "places=7").code == 0
    monkeypatch.setenv("KEYHALT_APPS", "energy")
    beyond = key(*ask, "--node", "places=8")
    assert (beyond.code, "places: 7; 8 lies under none" in beyond.out) == (3, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--key", "9", "--permission", "meters.view"), 5, "no key 9"),
        (("--key", "1", "--permission", "meter.view"), 2, "did you mean meters.view"),
        (("--key", "1", "--permission", "meters"), 2, "no permission"),
        (("--key", "1", "--permission", "meters.view", "--node", "place=1"), 2, "places"),
        (("--key", "1", "--permission", "meters.view", "--node", "places=x"), 2, "HIERARCHY=ID"),
        (
            ("--key", "1", "--permission", "meters.view", "--node", "places=1", "--place", "1"),
            2,
            "one of",
        ),
    ],
)
def test_mistakes_end_in_one_line(
    key: Keyhalt, words: tuple[str, ...], code: int, says: str
) -> None:
    done = key("explain", *words)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
