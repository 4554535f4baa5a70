"""Figures in the documents are what a run wrote down, and nobody typed them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.report import DOCS, TABLES, written

DOCUMENTS = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_table_of_figures_is_what_the_last_run_wrote(document: Path) -> None:
    text = document.read_text("utf-8")
    assert written(text) == text


def test_every_table_of_figures_has_a_place() -> None:
    every = "".join(document.read_text("utf-8") for document in DOCUMENTS)
    assert [name for name in TABLES if f"<!-- table {name} -->" not in every] == []
