"""The demo as a stranger finds it: who sees what of the sample data, and how much there is."""

from __future__ import annotations

import itertools
import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import KEYHALT, Server, Start, server_of

models = pytest.importorskip("energycap.sdk.models", reason="EnergyCapSdk is not installed")

from msrest.exceptions import HttpOperationError  # noqa: E402 - only when the client is there

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::SyntaxWarning"
)


def signed_in(server: Server, code: str) -> Any:
    """The client of a sample user who has no key, by name and password."""
    login = models.LoginRequest(
        data_source=server.datasource, username=code, password=server.passwords[code]
    )
    return server.client(Authorization=f"Bearer {server.client().login(body=login).token}")


def test_the_sample_users_see_different_parts_of_the_university(server: Server) -> None:
    """All of it, a campus, a building of another campus; totals, lists, filters and ids agree."""
    everything = server.with_key()
    campus, building = (signed_in(server, code) for code in ("facilities", "reader"))
    totals = [
        int(client.get_meters(page_size=1, raw=True).headers["TotalNumberOfRecords"])
        for client in (everything, campus, building)
    ]
    assert totals[0] == 200
    assert totals[1] in (65, 70)
    assert totals[2] == 5
    structures = "placeTypeCode equals 'BUILDING'"
    assert len(everything.get_places(filter="placeTypeCode one of 'BUILDING'|'PLANT'")) == 40
    assert [place.place_code for place in building.get_places(filter=structures)] == ["B00001"]
    assert building.me_method().place.place_code == "B00001"
    assert campus.me_method().cost_center.cost_center_code == "FIN-RIVER"
    seen = {meter.meter_id for meter in building.get_meters()}
    assert seen.isdisjoint(meter.meter_id for meter in campus.get_meters())
    raw = everything.get_bills(page_size=1, raw=True)
    assert int(raw.headers["TotalNumberOfRecords"]) == 7200
    account = raw.output[0].account.account_id
    periods = [
        b.billing_period for b in everything.get_bills(filter=f"accountId equals '{account}'")
    ]
    assert len(set(periods)) >= 36
    bills = building.get_bills()
    assert bills
    assert all(bill.account.account_code.split("-")[1] == "1" for bill in bills)


def test_the_demo_is_as_large_as_asked_for(start_demo: Start) -> None:
    """More meters, fewer bills."""
    client = start_demo("--meters", "300", "--bills", "50").with_key()
    for listed, total in ((client.get_meters, 300), (client.get_bills, 50)):
        headers = listed(page_size=1, raw=True).headers
        assert int(headers["TotalNumberOfRecords"]) == total


def test_three_environments_with_one_datasource_name() -> None:
    """What the demo prints is what the official client then finds, pair by pair."""
    options = ["--environments", "3", "--meters", "2", "--bills", "4"]
    command = [KEYHALT, "demo", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        servers = [server_of(each) for each in said["environments"]]
        assert servers[0] == server_of(said)
        names = [server.environment for server in servers]
        assert names == ["Implementation", "Production", "EU Production"]
        assert {server.datasource for server in servers} == {"acme"}
        assert len({server.url for server in servers}) == 3
        for used, made in itertools.product(servers, servers):
            client = used.with_key(made.key)
            told = said["table"][made.environment][used.environment]
            if used is made:
                assert (len(client.get_meters()), told) == (2, "works")
                continue
            with pytest.raises(HttpOperationError) as refused:
                client.get_meters()
            assert refused.value.response.status_code == 401
            assert refused.value.response.json()["code"] == told == "wrong_environment"
        process.terminate()
        process.communicate(timeout=60)


def test_environments_that_cannot_be_had_are_refused_in_words() -> None:
    """More than there are names for, and ports that do not exist."""
    for options, says in (
        (["--environments", "4"], "not in the range"),
        (["--environments", "3", "--port", "65534"], "no 3 ports from 65534 on"),
    ):
        done = subprocess.run(
            [KEYHALT, "demo", *options], capture_output=True, text=True, check=False
        )
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_a_terminal_shows_how_far_the_sample_is(tmp_path: Path) -> None:
    """A bar on stderr; what a program reads on stdout stays clean."""
    terminal, side = pty.openpty()
    command = [KEYHALT, "demo", "--port", "0", "--json", "--meters", "10", "--bills", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side) as process:
        os.close(side)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"url"')
        process.terminate()
        process.communicate(timeout=30)
    shown = os.read(terminal, 100_000)
    os.close(terminal)
    assert b"Sample data" in shown
    assert b"100%" in shown


def test_sizes_that_cannot_be_are_refused_in_words(tmp_path: Path) -> None:
    """One line, and the same folder takes a good size afterwards, once."""

    def run(*arguments: str) -> tuple[int, str]:
        command = [str(KEYHALT), "demo", "--port", "0", "--json", "--data", str(tmp_path)]
        with subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            if process.stdout.readline():
                process.terminate()
            said = process.communicate(timeout=60)[1]
            return process.returncode, said

    code, said = run("--meters", "0", "--bills", "5")
    assert (code, said) == (
        2,
        "keyhalt: sample bills are of meters: with bills there must be meters\n",
    )
    assert run("--meters", "-1")[0] == 2
    code, said = run("--meters", "1", "--bills", "2000")
    assert code == 2
    assert "at most 1500 sample bills" in said
    assert run("--meters", "2", "--bills", "4")[0] == 0
    code, said = run("--meters", "2")
    assert code == 6
    assert "already" in said
    assert run()[0] == 0
