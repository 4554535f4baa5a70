"""The stores on a real file system in user space, as one of a network would be."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.installing import KEYHALT, Installation
from tests.world import PASSWORD

INIT = ("init", "--environment", "Lab", "--datasource", "acme", "--admin", "ada")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Mounted]:
    """A folder of this machine, mounted once more through FUSE, where only its users see it."""
    if shutil.which("unionfs-fuse") is None:
        pytest.skip("unionfs-fuse is not installed (Debian: apt-get install unionfs-fuse)")
    mounted = Mounted(tmp_path)
    if (why := mounted.cannot()) is not None:
        pytest.skip(why)
    yield mounted


class Mounted:
    """Each command runs in a mount namespace of its own, at whose end nothing is mounted."""

    def __init__(self, folder: Path) -> None:
        self.below, self.place = folder / "below", folder / "place"
        self.below.mkdir()
        self.place.mkdir()

    def cannot(self) -> str | None:
        """Why nothing can be mounted here."""
        if os.geteuid() != 0 or not Path("/dev/fuse").exists():
            return "only root may mount, where there is a /dev/fuse"
        done = self.run("true")
        return f"nothing can be mounted: {done.stderr}" if done.returncode else None

    def run(self, *command: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        told = Installation(self.place / "data").environment(**settings)
        script = (
            'unionfs-fuse "$1"=RW "$2" && { shift 2; "$@"; status=$?; }; umount "$PLACE"'
            '; exit "${status-99}"'
        )
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "-", self.below, self.place, *command],
            env={**told, "PLACE": str(self.place)},
            capture_output=True,
            text=True,
            check=False,
            input=PASSWORD,
            timeout=120,
        )


def test_a_folder_on_a_network_file_system_is_refused_before_anything_is_made(
    elsewhere: Mounted,
) -> None:
    """By `init`: one line, exit 78, and not a file."""
    done = elsewhere.run(KEYHALT, *INIT, "--password-file", "-")
    _refused(done)
    assert list(elsewhere.below.iterdir()) == []


def test_stores_that_came_to_lie_on_a_network_file_system_are_refused(elsewhere: Mounted) -> None:
    """By `serve` and `db check`, though they are whole: one line, exit 78."""
    local = Installation(elsewhere.below / "data")
    local.run(*INIT, "--password-file", "-")
    local.run("db", "check")
    _refused(elsewhere.run(KEYHALT, "serve", "--port", "0", insecure_http="true"))
    _refused(elsewhere.run(KEYHALT, "db", "check"))


def test_with_postgresql_the_folder_may_lie_anywhere(elsewhere: Mounted, database_url: str) -> None:
    """The way round that the refusal names: what stays in the folder are the MAC keys."""
    on_postgres = {"database_url": database_url}
    done = elsewhere.run(KEYHALT, *INIT, "--password-file", "-", **on_postgres)
    assert done.returncode == 0, done
    assert {each.suffix for each in (elsewhere.below / "data").iterdir()}.isdisjoint({".db"})
    assert elsewhere.run(KEYHALT, "db", "check", **on_postgres).returncode == 0


def _refused(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 78, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("keyhalt: ")
    assert "is on a network file system (fuse.unionfs-fuse)" in line
    assert line.endswith("use a local disk, or PostgreSQL")
