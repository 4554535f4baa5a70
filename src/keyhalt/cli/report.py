"""`keyhalt report`: keys, their use and advice about them, as one page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keyhalt.cli.charts import columns, line, rows
from keyhalt.cli.context import EXIT_USAGE, Failure, datasource_option, opened
from keyhalt.cli.output import say
from keyhalt.core.refusals import Refused
from keyhalt.usecases.look_up_use import DAYS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from keyhalt.cli.context import Verbs
    from keyhalt.usecases.advise import Advised
    from keyhalt.usecases.rows import DatasourceRow, KeyRow
    from keyhalt.usecases.uses import KeyUse

KEYS_SHOWN = 1000
MOST = 10
_TEMPLATES = Path(__file__).parent / "templates"
_LOOKED_UP_AT_ONCE = 500


@click.command()
@click.option("--html", is_flag=True, help="As a page: there is no other form yet.")
@click.option(
    "--days", type=click.IntRange(2, DAYS_MAX), default=30, show_default=True, help="Looked back."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Into this file.  [default: -]"
)
@datasource_option
def report(
    html: bool, days: int, out: Path | None, data: Path | None, datasource: str | None
) -> None:
    """Draw the keys of a datasource, their use and what to look at, as one HTML page."""
    if not html:
        raise Failure("say --html: a report is a page", EXIT_USAGE)
    with opened(data, datasource) as (verbs, place):
        page = page_of(verbs, place, days)
    if out is None:
        click.echo(page)
        return
    out.write_text(page, "utf-8")
    say(f"{out}: {len(page.encode()):,} bytes.")


def page_of(verbs: Verbs, place: DatasourceRow, days: int) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - slow

    now = verbs.clock.now()
    first = now.date() - timedelta(days=days - 1)
    everything = verbs.look_up.keys(place.id, with_deleted=True)
    assert not isinstance(everything, Refused)  # noqa: S101 - nothing was filtered
    uses = _uses(verbs, place.id, [row.id for row in everything], days)
    jinja = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["moment"] = _moment
    jinja.filters["number"] = "{:,}".format
    return jinja.get_template("report.html").render(
        datasource=place.name,
        environment=verbs.environment.name,
        days=days,
        now=now,
        counted_since=verbs.look_up_use.counted_since(),
        **_values(everything, uses, first, days),
        advice=_advice(verbs.advise(place.id)),
    )


def _uses(verbs: Verbs, place_id: int, ids: Sequence[int], days: int) -> Mapping[int, KeyUse]:
    found: dict[int, KeyUse] = {}
    for start in range(0, len(ids), _LOOKED_UP_AT_ONCE):
        part = ids[start : start + _LOOKED_UP_AT_ONCE]
        found |= verbs.look_up_use.of(place_id, part, days=days)
    return found


def _values(
    everything: Sequence[KeyRow], uses: Mapping[int, KeyUse], first: date, days: int
) -> dict[str, Any]:
    """All that the page shows of keys and of their use; of deleted keys only their requests."""
    keys = [row for row in everything if row.deleted_at is None]
    counts = {row.id: _by_day(uses[row.id], first, days) for row in everything}
    allowed, denied = (
        [sum(each[which][day] for each in counts.values()) for day in range(days)]
        for which in (0, 1)
    )
    reasons: Counter[str] = Counter()
    for use in uses.values():
        reasons.update(use.denied)
    by_key = {f"{row.name} ({row.id})": sum(counts[row.id][0]) for row in everything}
    shown = sorted(keys, key=lambda row: (-sum(map(sum, counts[row.id])), row.id))[:KEYS_SHOWN]
    used = sum(any(counts[row.id][0]) for row in keys)
    numbers = (
        (len(keys), "keys"),
        (used, f"used in {days} days"),
        (sum(uses[row.id].last is None for row in keys), "never used"),
        (len(everything) - len(keys), "deleted"),
        (sum(allowed), "requests allowed"),
        (sum(denied), "requests denied"),
    )
    return {
        "tiles": [{"number": f"{number:,}", "says": says} for number, says in numbers],
        "by_day": columns(first, allowed, denied),
        "rows": [
            {
                "title": "Most used keys",
                "kind": "allowed",
                "bars": rows({name: count for name, count in by_key.items() if count}, MOST),
            },
            {"title": "Why requests were denied", "kind": "denied", "bars": rows(reasons, MOST)},
        ],
        "keys": [_key(row, uses[row.id], counts[row.id]) for row in shown],
        "left_out": f"{len(keys) - len(shown):,}" if len(keys) > len(shown) else "",
    }


def _by_day(use: KeyUse, first: date, days: int) -> tuple[list[int], list[int]]:
    allowed, denied = [0] * days, [0] * days
    for each in use.days:
        place = (each.day - first).days
        if 0 <= place < days:
            allowed[place], denied[place] = each.allowed, each.denied
    return allowed, denied


def _key(row: KeyRow, use: KeyUse, counts: tuple[list[int], list[int]]) -> dict[str, Any]:
    top = max(*counts[0], *counts[1], 1)
    return {
        "id": row.id,
        "name": row.name,
        "owner": row.owner_code,
        "owner_active": row.owner_active,
        "last": use.last,
        "lines": [line(each, top) for each in counts],
        "allowed": sum(counts[0]),
        "denied": sum(counts[1]),
        "permissions": use.permissions.bit_count(),
    }


def _advice(found: Sequence[Advised]) -> list[dict[str, Any]]:
    """By kind. What is about no key is about the tokens of a user."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in found:
        advice, about = each.advice, each.key
        item = {
            "key": about.id if about else None,
            "name": about.name if about else each.owner_code,
            "says": advice.says,
            "next_step": advice.next_step,
        }
        groups.setdefault(advice.kind.value, []).append(item)
    return [
        {"title": kind.replace("_", " ").capitalize(), "found": items}
        for kind, items in groups.items()
    ]


def _moment(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"
