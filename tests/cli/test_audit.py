"""`keyhalt audit`: what was written verifies, and what was not is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from keyhalt.cli.context import EXIT_DENIED
from tests.cli.conftest import Keyhalt
from tests.cli.test_document import SECTIONS, properties


def test_an_untouched_log_verifies(keyhalt: Keyhalt) -> None:
    """With what it read, on stderr; nothing on stdout but an empty list."""
    keyhalt("user", "deactivate", "jsmith")
    done = keyhalt("audit", "verify", "-o", "json")
    assert done.code == 0
    assert done.json == []
    assert "anchors were read" in done.err


def test_a_row_that_was_edited_is_named_and_ends_in_exit_3(keyhalt: Keyhalt, data: Path) -> None:
    """So that a nightly job can ask."""
    with closing(sqlite3.connect(data / "rights.db")) as store:
        store.execute("UPDATE audit_event SET actor = 'somebody' WHERE id = 2")
        store.commit()
    done = keyhalt("audit", "verify", "-o", "json")
    assert done.code == EXIT_DENIED
    assert [(row["flaw"], row["at"]) for row in done.json] == [("edited", 2)]
    assert set(done.json[0]) == properties(SECTIONS["keyhalt audit verify"])


def test_without_anchors_it_is_said_what_cannot_be_seen(keyhalt: Keyhalt, data: Path) -> None:
    """A log that was never anchored, or whose anchors were taken away."""
    (data / "mac-keys.anchors").unlink(missing_ok=True)
    assert "No anchor proves" in keyhalt("audit", "verify").err
