"""The bound that bench.staleness measures, of systems whose bound is known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bench.staleness import System, of_commands, one_round


def system(lag: float, *, again: bool = False) -> System:
    """Two processes: one refuses at once, one `lag` seconds after the delete.

    With `again`, it first refuses for a moment.
    """
    deleted: dict[str, float] = {}

    def late(text: str) -> bool:
        since = time.monotonic() - deleted.get(text, time.monotonic())
        if text not in deleted:
            return True
        return since < lag and not (again and since < lag / 2)

    return System(
        create=lambda: ("text", "text"),
        delete=lambda key: deleted.update({key: time.monotonic()}),
        probes=[lambda text: text not in deleted, late],
    )


def test_who_refuses_at_once_has_a_bound_of_zero() -> None:
    found = one_round(system(0.0), wait=5, watch=0.01)
    assert (found.bound, found.accepted, found.ended) == (0.0, 0, True)


def test_the_slowest_process_counts() -> None:
    found = one_round(system(0.1), wait=5, watch=0.01)
    assert found.accepted
    assert 0 < found.bound <= 0.1
    assert found.ended


def test_a_key_that_comes_back_is_seen() -> None:
    found = one_round(system(0.1, again=True), wait=5, watch=0.2)
    assert found.accepted
    assert found.ended


def test_who_never_refuses_is_given_up_and_said_so() -> None:
    found = one_round(system(1e9), wait=0.05, watch=0.01)
    assert found.accepted
    assert not found.ended


def test_commands_are_enough(tmp_path: Path) -> None:
    """A system of files: a key is one, in a folder whose name needs quoting."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    files = of_commands(
        f'mktemp "{folder}/key.XXXXXX" | sed "s/ /%20/g" > "{tmp_path}/last"; echo k 17',
        f'test {{id}} = 17 && rm "{folder}"/key.*',
        [f'test {{key}} = k && ls "{folder}"/key.*'],
    )
    found = one_round(files, wait=5, watch=0.01)
    assert (found.bound, found.ended) == (0.0, True)


def test_a_key_that_was_never_made_is_an_error() -> None:
    with pytest.raises(OSError, match="create"):
        one_round(of_commands("false", "true", ["true"]), wait=1, watch=0.01)
