"""`keyhalt freeze` and `keyhalt thaw`: break glass."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from keyhalt.cli.context import (
    EXIT_USAGE,
    Failure,
    data_option,
    fail,
    find_datasource,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import show, show_receipt, time_text
from keyhalt.core.decisions import Denied
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import GENERATIONS

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"]


@click.command()
@data_option
@output_option
@click.option("--datasource", help="Keys of this datasource.")
@click.option("--issued-before", type=click.DateTime(_TIMES), help="Keys made before, UTC.")
@click.option("--generation", type=click.IntRange(0, GENERATIONS - 1), help="Of this MAC key.")
@click.option("--list", "only_list", is_flag=True, help="Show what was frozen and thawed.")
def freeze(
    data: Path | None,
    output: str,
    datasource: str | None,
    issued_before: datetime | None,
    generation: int | None,
    only_list: bool,
) -> None:
    """Stop a whole set of keys at once, until it is thawed.

    Those that all options are true of. Keys that are made later are not meant.
    """
    with tools().engine(data=data) as verbs:
        if only_list:
            places = {place.id: place.name for place in verbs.look_up.datasources()}
            shown = [
                {
                    "id": row.id,
                    "datasource": places.get(row.datasource_id or 0),
                    "issuedBefore": time_text(row.issued_before),
                    "generation": row.generation,
                    "frozen": time_text(row.frozen_at),
                    "thawed": time_text(row.thawed_at),
                }
                for row in verbs.freeze_keys.list()
            ]
            show(shown, output, columns=tuple(shown[0]) if shown else ("id",))
            return
        if datasource is None and issued_before is None and generation is None:
            raise Failure("say which keys: --datasource, --issued-before, --generation", EXIT_USAGE)
        done = verbs.freeze_keys(
            operator(),
            datasource_id=(None if datasource is None else find_datasource(verbs, datasource).id),
            issued_before=issued_before.replace(tzinfo=UTC) if issued_before else None,
            generation=generation,
            origin=origin(),
        )
    if isinstance(done, Refused):
        fail(done)
    show_receipt(f"Freeze {done.row.id}: {done.keys} keys stopped", done.receipt)


@click.command()
@click.argument("freeze_id", metavar="ID", type=click.IntRange(1, ID_MAX))
@data_option
def thaw(freeze_id: int, data: Path | None) -> None:
    """Let the keys of a freeze count again."""
    with tools().engine(data=data) as verbs:
        done = verbs.freeze_keys.thaw(operator(), freeze_id, origin())
    if isinstance(done, Denied):
        fail(done, missing=f"there is no freeze {freeze_id}; see keyhalt freeze --list")
    show_receipt(f"Thawed {done.row.id}: {done.keys} keys count again", done.receipt)
