"""Printing: data on stdout, talk on stderr; tables for people, JSON for programs."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

import click

from keyhalt.usecases.barrier import HowEnded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keyhalt.usecases.barrier import Receipt


_NAMED = 5


def show(rows: Sequence[Mapping[str, object]], output: str, *, columns: Sequence[str]) -> None:
    """Print rows. JSON has every property of a row, a table has `columns`."""
    if output == "json":
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2, default=str))
        return
    if not rows:
        say("nothing to show")
        return
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column)) for column in columns] for row in rows]
    for line in lines_of(cells):
        click.echo(line)


def lines_of(cells: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    padded = [
        [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        for line in cells
    ]
    return ["  ".join(line).rstrip() for line in padded]


def show_one(row: Mapping[str, object], output: str) -> None:
    """Print one thing with all its properties."""
    if output == "json":
        click.echo(json.dumps(row, ensure_ascii=False, indent=2, default=str))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        click.echo(f"{name.ljust(width)}  {_cell(value)}")


def show_receipt(what: str, receipt: Receipt) -> None:
    """What changed, and that it counts: `Deactivated jsmith. In effect everywhere: ...`."""
    say(f"{what}. In effect everywhere: {_receipt_text(receipt)}.")


def _receipt_text(receipt: Receipt) -> str:
    parts = [f"epoch {receipt.epoch}"]
    if receipt.acknowledged is not None:
        parts.append(f"acknowledged by {receipt.acknowledged}")
    if receipt.timed_out:
        parts.append(f"{receipt.timed_out} not reached, whose leases have ended{_late(receipt)}")
    return ", ".join([*parts, f"waited {receipt.waited_ms} ms"])


def _late(receipt: Receipt) -> str:
    """Which processes those are, for who has to look after them."""
    late = [each for each in receipt.waited_for if each.ended is HowEnded.LEASE]
    named = [f"{each.host} process {each.pid}" for each in late if each.pid is not None]
    more = len(late) - len(named[:_NAMED])
    said = [*named[:_NAMED], *([f"{more} more"] if more and named else [])]
    return f" ({', '.join(said)})" if said else ""


def time_text(at: datetime | None) -> str | None:
    """RFC 3339, UTC, to the second."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def say(text: str) -> None:
    """Talk to the person, on stderr."""
    click.echo(text, err=True)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or "-"
    # A name cannot hold control characters, but what is old or foreign might.
    return "".join(c if unicodedata.category(c)[0] != "C" else "?" for c in str(value))


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
