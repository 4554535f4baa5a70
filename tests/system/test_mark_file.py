"""The mark beside the MAC keys, between processes."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from keyhalt.core.marks import Mark
from keyhalt.system.mark_file import MarkFile


def test_a_process_that_stopped_while_it_held_the_mark_holds_nobody(tmp_path: Path) -> None:
    """Changes and keepers of leases give up soon, and the mark rises with the next one there."""
    path = tmp_path / "mark"
    mark = MarkFile(path)
    mark.raise_to(Mark("cluster", 1))
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            mark.raise_to(Mark("cluster", 2))
        with pytest.raises(TimeoutError):
            mark.read()
    assert mark.read() == Mark("cluster", 1)
    mark.raise_to(Mark("cluster", 3))
    assert mark.read() == Mark("cluster", 3)
