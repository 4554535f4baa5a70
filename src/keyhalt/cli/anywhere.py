"""`keyhalt key find` and `keyhalt role roll-out`: what is about all datasources at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_DENIED,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    data_option,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.key import COLUMNS, key, row_of
from keyhalt.cli.output import say, show, show_receipt
from keyhalt.cli.role import role
from keyhalt.core.keytext import ID_MAX, read_hint
from keyhalt.core.names import fold, near
from keyhalt.usecases.roll_out import Standing

if TYPE_CHECKING:
    from keyhalt.core.permissions import Catalogue
    from keyhalt.core.profiles import Profile, RoleTemplate
    from keyhalt.usecases.roll_out import Compared

LAST = 4
COMPARED = ("datasource", "state", "users", "more", "less")


@key.command()
@click.argument("what", metavar="ID|HINT")
@output_option
@data_option
def find(what: str, output: str, data: Path | None) -> None:
    """Find keys by id, by hint, or by their last four characters, in every datasource."""
    wanted = _wanted(what)
    with tools().engine(data=data) as verbs:
        found = [
            pair
            for key_id, last4 in wanted
            for pair in verbs.look_up.keys_anywhere(key_id=key_id, last4=last4)
        ]
    if not found:
        raise Failure("there is no such key in any datasource", EXIT_NOT_FOUND)
    rows = {row.id: {"datasource": place.name, **row_of(row, place)} for place, row in found}
    show(list(rows.values()), output, columns=("datasource", *COLUMNS))


def _wanted(what: str) -> list[tuple[int | None, str]]:
    """Id and last four characters to look for; four digits may be either."""
    hint = read_hint(what)
    if hint is not None:
        return [hint]
    wanted: list[tuple[int | None, str]] = []
    if what.isascii() and what.isdecimal() and int(what[:11]) <= ID_MAX:
        wanted.append((int(what), ""))
    if len(what) == LAST:
        wanted.append((None, what))
    if not wanted:
        # Not repeated: it may be the whole key.
        raise Failure(
            "this is no id and no hint, such as 12…wxyz; for a whole key there is"
            " 'keyhalt key identify'",
            EXIT_USAGE,
        )
    return wanted


@role.command("roll-out")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only show who differs; exit 3 when somebody does.")
@output_option
@data_option
def roll_out(name: str, dry_run: bool, output: str, data: Path | None) -> None:
    """Make a role of every datasource what the profile says, where it differs or is missing."""
    with tools().engine(data=data) as verbs:
        template = _template(verbs.profile, name)
        if dry_run:
            rows, receipt = verbs.roll_out.compare(template), None
        else:
            done = verbs.roll_out(operator(), template, origin())
            rows, receipt = done.before, done.receipt
        catalogue = verbs.profile.catalogue
    show([_row(each, catalogue) for each in rows], output, columns=COMPARED)
    others = [each for each in rows if each.standing in {Standing.DIFFERS, Standing.MISSING}]
    if dry_run and others:
        raise Failure(f"{len(others)} of {len(rows)} datasources differ", EXIT_DENIED)
    if receipt is not None:
        show_receipt(f"Rolled {template.name} out to {len(others)} datasources", receipt)
    elif not dry_run:
        say(f"Rolled {template.name} out to {len(others)} datasources.")


def _template(profile: Profile, name: str) -> RoleTemplate:
    found = {fold(each.name): each for each in profile.roles}.get(fold(name))
    if found is None:
        known = [each.name for each in profile.roles]
        raise Failure(f"the profile has no role {name!r}{near(name, known)}", EXIT_NOT_FOUND)
    return found


def _row(compared: Compared, catalogue: Catalogue) -> dict[str, object]:
    """`state` is as it was before."""
    return {
        "datasource": compared.datasource.name,
        "state": compared.standing.value,
        "users": compared.role.users if compared.role else 0,
        "more": list(catalogue.names(compared.more)),
        "less": list(catalogue.names(compared.less)),
    }
