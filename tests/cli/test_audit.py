"""`keyhalt audit`: what was written verifies, and what was not is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from keyhalt.cli.context import EXIT_DENIED, EXIT_NOT_FOUND, EXIT_USAGE
from keyhalt.core.decisions import Allowed
from keyhalt.main import MainTools
from tests.cli.conftest import Keyhalt, create, decide_with
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


def test_a_use_after_the_end_is_named_and_ends_in_exit_3(keyhalt: Keyhalt, data: Path) -> None:
    """Nothing at first; then one that is planted an hour after the deletion."""
    key = create(keyhalt)
    with MainTools().engine(data=data) as engine:
        assert isinstance(decide_with(engine, key), Allowed)
    keyhalt("key", "delete", 1, "--yes")
    done = keyhalt("audit", "promise", "-o", "json")
    assert (done.code, done.json) == (0, [])
    assert "1 deleted keys; 1 last uses of them were compared" in done.err
    with closing(sqlite3.connect(data / "use.db")) as store:
        store.execute("UPDATE key_allowed SET began = began + 3600")
        store.commit()
    done = keyhalt("audit", "promise", "-o", "json")
    assert done.code == EXIT_DENIED
    assert (done.json[0]["key_id"], done.json[0]["late_seconds"] > 3500) == (1, True)
    assert set(done.json[0]) == properties(SECTIONS["keyhalt audit promise"])


def test_what_is_let_go_and_forgotten_is_said_and_verifies(keyhalt: Keyhalt, data: Path) -> None:
    """By the commands; what cannot be asked is refused before anything is touched."""
    assert keyhalt("audit", "retain").code == EXIT_USAGE
    assert keyhalt("audit", "retain", "--changes", 0).code == EXIT_USAGE
    assert keyhalt("audit", "forget", "--user", "nobody", "--yes").code == EXIT_NOT_FOUND
    assert keyhalt("audit", "forget", "--user", "jsmith").code != 0  # nobody answers
    done = keyhalt("audit", "forget", "--user", "jsmith", "--yes")
    assert (done.code, "hold nothing personal any more" in done.err) == (0, True)
    done = keyhalt("audit", "retain", "--changes", 1000, "--others", 1000)
    assert (done.code, "0 changes and 0 other events were let go" in done.err) == (0, True)
    done = keyhalt("audit", "verify")
    assert (done.code, "what was personal was taken away" in done.err) == (0, True)


def test_reading_the_log_is_in_the_log(keyhalt: Keyhalt) -> None:
    """Out of the way, unless it is asked for."""
    keyhalt("audit", "list", "--key", 1)
    keyhalt("audit", "export")
    listed = keyhalt("audit", "list", "-o", "json").json
    assert "audit.read" not in {row["event"] for row in listed}
    rows = keyhalt("audit", "list", "--reads", "-o", "json").json
    reads = [row for row in rows if row["event"] == "audit.read"]
    assert [row["operation"] for row in reads] == [
        "keyhalt audit list",
        "keyhalt audit export",
        "keyhalt audit list",
    ]
    assert reads[2]["details"] == {"key_id": 1, "rows": 0}
    assert all(str(row["actor"]).startswith("operator:") for row in reads)
