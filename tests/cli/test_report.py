"""`keyhalt report`: one page that needs nothing else, says what was counted, and runs nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from keyhalt.cli.charts import columns
from keyhalt.cli.context import EXIT_USAGE
from keyhalt.core.permissions import PermissionSet
from keyhalt.main import MainTools
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.uses import LastUse
from tests.cli.conftest import Keyhalt, create

EVIL = "</title><script>alert(1)</script><b a=\"'&"


class Page(HTMLParser):
    """Tags, whatever could load or run something, and the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [each for each in attrs if each[0] in {"src", "href", "action"}]
        self.loads += [each for each in attrs if each[0].startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


@pytest.fixture
def used(keyhalt: Keyhalt, data: Path) -> Path:
    """A key that was used for some days, one that never was, one that is gone, and evil names."""
    create(keyhalt)
    keyhalt("key", "create", "--owner", "jsmith", "--name", EVIL)
    create(keyhalt)
    keyhalt("key", "delete", 3, "--yes")
    with MainTools().engine(data=data) as engine:
        now = engine.clock.now()
        for days in range(5):
            at = now - timedelta(days=days)
            last = LastUse(at, "203.0.113.0/24", EVIL[:32], "GET /api/v3/meter")
            counts = {"allowed": 1000 * (days + 1), "permission_denied": 7}
            add_uses(engine.stores.use, [Used(1, 2, at, last, counts, PermissionSet(0b101))])
        add_uses(engine.stores.use, [Used(1, 3, now, None, {"deleted_key": 3}, PermissionSet(0))])
    return data


def test_a_report_is_one_page_that_loads_and_runs_nothing(
    keyhalt: Keyhalt, used: Path, tmp_path: Path
) -> None:
    """With everything that was counted, and every name as a text."""
    done = keyhalt("report", "--html", "--out", tmp_path / "keys.html")
    assert done.code == 0, done.err
    text = (tmp_path / "keys.html").read_text("utf-8")
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "form", "b a"} & page.tags
    assert page.loads == []
    assert "default-src 'none'" in text
    assert text.count(EVIL) == 0
    assert EVIL in page.text
    assert "15,000" in page.text
    assert "permission_denied" in page.text
    assert "deleted_key" in page.text
    assert "203.0.113.0/24" in page.text
    assert keyhalt("report", "--html").out.startswith("<!doctype html>")


def test_a_report_of_nothing_is_a_page_too(keyhalt: Keyhalt) -> None:
    """Before the first key, and for the longest time."""
    for days in (2, 366):
        done = keyhalt("report", "--html", "--days", days)
        assert (done.code, "Requests a day" in done.out) == (0, True)


def test_what_is_asked_wrongly_is_said(keyhalt: Keyhalt, tmp_path: Path) -> None:
    """A form that is not there, days that cannot be, a place that cannot be written."""
    assert keyhalt("report").code == EXIT_USAGE
    assert keyhalt("report", "--html", "--days", 1).code == EXIT_USAGE
    done = keyhalt("report", "--html", "--out", tmp_path / "not" / "there.html")
    assert (done.code, "No such file" in done.err) == (1, True)


def test_columns_stand_on_the_floor_and_are_as_high_as_they_count() -> None:
    """Denied on top of allowed; one in a million is still seen; no request, no column."""
    first = datetime(2026, 11, 1, tzinfo=UTC).date()
    drawn = columns(first, [1_000_000, 0, 500_000], [1, 0, 0])
    tall, tiny, half = drawn.bars
    floor = tall.y + tall.height
    assert tiny.height == 1
    assert tiny.y + tiny.height == tall.y
    assert (half.y + half.height, half.height) == (floor, pytest.approx(tall.height / 2, abs=0.1))
    assert [mark.says for mark in drawn.marks] == ["0", "1,000,000", "2,000,000"]
    assert [tick.says for tick in drawn.ticks] == ["1 Nov", "2 Nov", "3 Nov"]
