"""`keyhalt key advise`: what should be looked at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import datasource_option, opened, output_option
from keyhalt.cli.key import key
from keyhalt.cli.output import say, show, time_text
from keyhalt.usecases.advise import DAYS
from keyhalt.usecases.look_up_use import DAYS_MAX

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("kind", "id", "name", "owner", "says", "next_step")


@key.command("advise")
@click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=DAYS, show_default=True, help="Looked back."
)
@output_option
@datasource_option
def advise_keys(days: int, output: str, data: Path | None, datasource: str | None) -> None:
    """Which keys should be looked at, why, and what to do next. Changes nothing."""
    with opened(data, datasource) as (verbs, place):
        found = verbs.advise(place.id, days=days)
        since = verbs.look_up_use.counted_since()
    rows = [
        {
            "kind": each.advice.kind.value,
            "id": each.key.id if each.key else None,
            "name": each.key.name if each.key else None,
            "hint": each.key.hint if each.key else None,
            "owner": each.owner_code,
            "says": each.advice.says,
            "next_step": each.advice.next_step,
            "evidence": {name: _plain(value) for name, value in each.advice.evidence.items()},
        }
        for each in found
    ]
    show(rows, output, columns=COLUMNS)
    said = f"since {since.isoformat()}" if since else "for no key yet"
    say(f"Uses are counted {said}; what was not watched for long enough is not advised.")


def _plain(value: object) -> object:
    return time_text(value) if isinstance(value, datetime) else value
