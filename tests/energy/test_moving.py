"""Copying the energy API's data between SQLite and PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import keyhalt_energy
from keyhalt import AppContext
from keyhalt_energy import moving
from tests.energy.estate import PROFILE, Api, Estate, place_body

NOUNS = ("place", "meter", "costcenter", "vendor", "account", "bill")


@pytest.fixture
def target(
    store: str, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AppContext:
    """Where it goes: the other kind of store."""
    monkeypatch.setenv("TARGET", database_url)
    folder = tmp_path / "target"
    return AppContext(PROFILE, folder, database_url if store == "sqlite" else None)


@pytest.fixture
def command(
    store: str, where: AppContext, target: AppContext, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setenv("SOURCE", where.database_url or "")
    names = [f"sqlite:{where.folder}", "env:TARGET"]
    if store == "postgresql":
        names = ["env:SOURCE", f"sqlite:{target.folder}"]
    return ["--from", names[0], "--to", names[1]]


def test_all_of_it_is_there_under_the_same_ids_and_new_ids_go_on(
    estate: Estate, target: AppContext, command: list[str]
) -> None:
    """Also a building that was moved below a place that is newer than it, and after deletions."""
    api, admin = estate.api, estate.admin
    new = api(admin, "POST", "/api/v3/place", place_body(estate.root, "N", placeTypeId=3)).body
    moved = place_body(new["placeId"], "MOVED")
    assert api(admin, "PUT", f"/api/v3/place/{estate.buildings[0]}", moved).status == 200
    gone = api(admin, "POST", "/api/v3/place", place_body(estate.root, "GONE")).body["placeId"]
    assert api(admin, "DELETE", f"/api/v3/place/{gone}").status == 204
    expected = [api(admin, "GET", f"/api/v3/{noun}") for noun in NOUNS]
    assert moving.main(command) == 0
    with closing(keyhalt_energy.app(target)) as app:
        there = replace(estate, api=Api(app)).api
        assert [there(admin, "GET", f"/api/v3/{noun}") for noun in NOUNS] == expected
        bill = f"/api/v3/bill/{estate.bills[0]}"
        assert there(admin, "GET", bill) == api(admin, "GET", bill)
        made = there(admin, "POST", "/api/v3/place", place_body(estate.root, "AFTER")).body
        assert made["placeId"] == gone + 1


def test_a_place_that_has_rows_is_left_as_it_is(
    estate: Estate, target: AppContext, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is mixed; a name that leads nowhere is said to do so."""
    del target
    assert estate.api
    assert moving.main(command) == 0
    capsys.readouterr()
    assert moving.main(command) == 1
    assert "has rows already" in capsys.readouterr().err
    assert moving.main(["--from", "env:NOTHING", *command[2:]]) == 1
    assert "env:NAME" in capsys.readouterr().err
