"""`keyhalt key narrow`: another key in the place of one, with just what that one used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import datasource_option, fail, opened, operator, origin
from keyhalt.cli.handing_over import new_file, undone, value_options
from keyhalt.cli.key import KEY_ID, hand_over, key, row_of
from keyhalt.cli.output import say, show, show_one
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.look_up_use import DAYS_MAX
from keyhalt.usecases.narrow import DAYS, Wish

if TYPE_CHECKING:
    from keyhalt.usecases.narrow import Narrowing

COLUMNS = ("permission", "last_day", "weeks", "by")


@key.command("narrow")
@click.argument("key_id", type=KEY_ID, metavar="ID")
@click.option(
    "--days", type=click.IntRange(1, DAYS_MAX), default=DAYS, show_default=True, help="Looked back."
)
@click.option("--permission", "permissions", multiple=True, help="Just these, not those used.")
@click.option("--code", help="User code of the service account; key-ID unless said.")
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@value_options
@datasource_option
def narrow(
    key_id: int,
    days: int,
    permissions: tuple[str, ...],
    code: str | None,
    dry_run: bool,
    out_file: Path | None,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Make a service account that may do just what key ID did, and a key of its own.

    The old key and its owner stay as they are.
    """
    wish = Wish(days, permissions or None, code)
    with opened(data, datasource) as (verbs, place):
        missing = f"there is no key {key_id} in {place.name}"
        plan = verbs.narrow.plan(place.id, key_id, wish)
        if isinstance(plan, Denied | Refused):
            fail(plan, missing=missing)
        if dry_run:
            _show_plan(plan, "json" if output == "json" else "table")
            return
        with new_file(out_file) as file:
            made = verbs.narrow.make(
                operator(), datasource_id=place.id, key_id=key_id, wish=wish, origin=origin()
            )
            if isinstance(made, Denied | Refused):
                fail(made, missing=missing)
            row = row_of(made.issued.row, place)
            with undone(verbs, made.issued.row, file=file, whole=output != "table"):
                hand_over(made.issued, row, output, file)
    if output != "key" and out_file is not None:
        show_one(row, output)
    say(f"Move what uses key {key_id} over; `keyhalt key advise` says when it is quiet.")


def _show_plan(plan: Narrowing, output: str) -> None:
    rows: list[dict[str, object]] = [
        {
            "permission": each.permission,
            "last_day": each.last_day.isoformat(),
            "weeks": each.weeks,
            "by": ", ".join(each.by),
        }
        for each in plan.missing
    ]
    if output == "json":
        whole = {
            "id": plan.key.id,
            "held": plan.held,
            "permissions": list(plan.permissions),
            "would_have_refused": rows,
            "gives_rights": plan.gives_rights,
        }
        show_one(whole, output)
        return
    say(f"Allowed, {len(plan.permissions)} of {plan.held}: {', '.join(plan.permissions)}.")
    if rows:
        say("Of what the key did, this would have been refused:")
        show(rows, output, columns=COLUMNS)
    else:
        say("Nothing that is known of what the key did would have been refused.")
    if plan.gives_rights:
        say("It changes what others may do: that ends at these permissions, too.")
