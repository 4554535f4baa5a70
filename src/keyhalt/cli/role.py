"""`keyhalt role`: roles and what they grant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    Verbs,
    datasource_option,
    fail,
    opened,
    operator,
    origin,
    output_option,
)
from keyhalt.cli.output import say, show, show_one, show_receipt
from keyhalt.core.decisions import Denied
from keyhalt.core.names import has_unseen, near
from keyhalt.core.permissions import CatalogueError
from keyhalt.core.refusals import Refused
from keyhalt.usecases.people import RoleEdit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.core.permissions import PermissionSet
    from keyhalt.usecases.rows import DatasourceRow, RoleRow

COLUMNS = ("id", "name", "users", "read_only", "description")
grant_option = click.option(
    "--grant",
    "grants",
    multiple=True,
    required=True,
    metavar="PATTERN",
    help="meters.view, meters.*, *.view or *; may be repeated.",
)


@click.group()
def role() -> None:
    """Roles: create, list, show, edit, set-grants, hide, unhide, delete, roll-out."""


@role.command()
@click.argument("name")
@grant_option
@click.option("--description", default="")
@output_option
@datasource_option
def create(
    name: str,
    grants: tuple[str, ...],
    description: str,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Make a role."""
    with opened(data, datasource) as (verbs, place):
        _check(verbs, grants)
        made = verbs.manage_roles.create(
            operator(), place.id, name=name, description=description, grants=grants, origin=origin()
        )
        if isinstance(made, Denied | Refused):
            fail(made)
        show_one(_whole(verbs, made), output)


@role.command("list")
@output_option
@datasource_option
def list_roles(output: str, data: Path | None, datasource: str | None) -> None:
    """List the roles of a datasource."""
    with opened(data, datasource) as (verbs, place):
        rows = [_row(each) for each in verbs.look_up.roles(place.id)]
    show(rows, output, columns=COLUMNS)


@role.command("show")
@click.argument("name")
@output_option
@datasource_option
def show_role(name: str, output: str, data: Path | None, datasource: str | None) -> None:
    """Show a role with everything it grants."""
    with opened(data, datasource) as (verbs, place):
        show_one(_whole(verbs, find_role(verbs, place, name)), output)


@role.command("set-grants")
@click.argument("name")
@grant_option
@datasource_option
def set_grants(
    name: str, grants: tuple[str, ...], data: Path | None, datasource: str | None
) -> None:
    """Replace what a role grants. Its users and their keys follow at once."""
    with opened(data, datasource) as (verbs, place):
        found = find_role(verbs, place, name)
        _check(verbs, grants)
        receipt = verbs.manage_roles.set_permissions(
            operator(), place.id, found.name, grants, origin()
        )
    if isinstance(receipt, Denied | Refused):
        fail(receipt)
    show_receipt(f"Changed what {found.name} grants", receipt)


@role.command()
@click.argument("name")
@click.option("--name", "new_name", help="Another name.")
@click.option("--description")
@datasource_option
def edit(
    name: str,
    new_name: str | None,
    description: str | None,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Rename or describe a role. What it grants stays."""
    if new_name is None and description is None:
        raise Failure("say what to change: --name or --description", EXIT_USAGE)
    _edit(name, RoleEdit(new_name, description), "Changed", data, datasource)


@role.command()
@click.argument("name")
@datasource_option
def hide(name: str, data: Path | None, datasource: str | None) -> None:
    """Let only those who manage roles see and give a role. Who has it keeps it."""
    _edit(name, RoleEdit(hidden=True), "Hid", data, datasource)


@role.command()
@click.argument("name")
@datasource_option
def unhide(name: str, data: Path | None, datasource: str | None) -> None:
    """Let everybody who manages users see and give a role again."""
    _edit(name, RoleEdit(hidden=False), "Showed", data, datasource)


@role.command()
@click.argument("name")
@datasource_option
def delete(name: str, data: Path | None, datasource: str | None) -> None:
    """Delete a role that nobody has."""
    with opened(data, datasource) as (verbs, place):
        found = find_role(verbs, place, name)
        done = verbs.manage_roles.delete(operator(), place.id, found.id, origin())
    if isinstance(done, Denied | Refused):
        fail(done)
    say(f"Deleted the role {done.name}.")


def _edit(
    name: str, change: RoleEdit, what: str, data: Path | None, datasource: str | None
) -> None:
    with opened(data, datasource) as (verbs, place):
        found = find_role(verbs, place, name)
        done = verbs.manage_roles.edit(operator(), place.id, found.id, change, origin())
    if isinstance(done, Denied | Refused):
        fail(done)
    show_receipt(f"{what} the role {done.role.name}", done.receipt)


def find_role(verbs: Verbs, place: DatasourceRow, name: str) -> RoleRow:
    found = None if has_unseen(name) else verbs.look_up.role(place.id, name)
    if found is None:
        names = [each.name for each in verbs.look_up.roles(place.id)]
        raise Failure(
            f"there is no role {name!r} in {place.name}{near(name, names)}", EXIT_NOT_FOUND
        )
    return found


def _check(verbs: Verbs, grants: Sequence[str]) -> None:
    catalogue = verbs.profile.catalogue
    every: PermissionSet = catalogue.grants("*")
    for pattern in grants:
        try:
            catalogue.grants(pattern)
        except CatalogueError:
            hint = near(pattern, catalogue.names(every))
            raise Failure(f"{pattern!r} names no permission{hint}", EXIT_USAGE) from None


def _row(row: RoleRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "users": row.users,
        "read_only": row.read_only,
        "hidden": row.hidden,
    }


def _whole(verbs: Verbs, row: RoleRow) -> dict[str, object]:
    return {**_row(row), "grants": list(verbs.profile.catalogue.names(row.permissions))}
