"""`keyhalt group`: groups of users, which say who belongs together and grant nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_NOT_FOUND,
    Failure,
    Verbs,
    datasource_option,
    fail,
    opened,
    operator,
    origin,
    output_option,
)
from keyhalt.cli.output import say, show, show_one
from keyhalt.cli.user import find_user
from keyhalt.core.decisions import Denied
from keyhalt.core.names import fold, has_unseen, near
from keyhalt.core.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyhalt.usecases.people import GroupRow
    from keyhalt.usecases.rows import DatasourceRow

COLUMNS = ("id", "name", "members", "description")


@click.group()
def group() -> None:
    """Groups of users: create, list, show, edit, delete."""


@group.command()
@click.argument("name")
@click.option("--description", default="")
@click.option("--member", "members", multiple=True, help="User code; may be repeated.")
@output_option
@datasource_option
def create(
    name: str,
    description: str,
    members: tuple[str, ...],
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Make a group."""
    with opened(data, datasource) as (verbs, place):
        made = verbs.manage_groups.create(
            operator(),
            place.id,
            name=name,
            description=description,
            members=_ids(verbs, place, members),
            origin=origin(),
        )
        if isinstance(made, Denied | Refused):
            fail(made)
    show_one(_row(made), output)


@group.command("list")
@output_option
@datasource_option
def list_groups(output: str, data: Path | None, datasource: str | None) -> None:
    """List the groups of a datasource."""
    with opened(data, datasource) as (verbs, place):
        rows = [_row(each) for each in _all(verbs, place)]
    show(rows, output, columns=COLUMNS)


@group.command("show")
@click.argument("name")
@output_option
@datasource_option
def show_group(name: str, output: str, data: Path | None, datasource: str | None) -> None:
    """Show a group with the codes of its members."""
    with opened(data, datasource) as (verbs, place):
        found = find_group(verbs, place, name)
        rows = verbs.look_up_users.members(place.id, found.id)
        codes = [] if isinstance(rows, Denied) else [row.facts.user_code for row in rows]
    show_one({**_row(found), "codes": codes}, output)


@group.command()
@click.argument("name")
@click.option("--name", "new_name", help="Another name.")
@click.option("--description")
@click.option("--add", multiple=True, metavar="CODE", help="May be repeated.")
@click.option("--remove", multiple=True, metavar="CODE", help="May be repeated.")
@datasource_option
def edit(
    name: str,
    new_name: str | None,
    description: str | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    data: Path | None,
    datasource: str | None,
) -> None:
    """Rename or describe a group, add and remove members. Nobody's rights change."""
    with opened(data, datasource) as (verbs, place):
        found = find_group(verbs, place, name)
        rows = verbs.look_up_users.members(place.id, found.id)
        now = [] if isinstance(rows, Denied) else [row.facts.user_id for row in rows]
        gone = _ids(verbs, place, remove)
        members = [each for each in [*now, *_ids(verbs, place, add)] if each not in gone]
        done = verbs.manage_groups.edit(
            operator(),
            place.id,
            found.id,
            name=new_name or found.name,
            description=description,
            members=members if add or remove else None,
            origin=origin(),
        )
    if isinstance(done, Denied | Refused):
        fail(done)
    say(f"Changed the group {done.name}; members: {done.members}.")


@group.command()
@click.argument("name")
@datasource_option
def delete(name: str, data: Path | None, datasource: str | None) -> None:
    """Delete a group. Its members stay what they are."""
    with opened(data, datasource) as (verbs, place):
        found = find_group(verbs, place, name)
        done = verbs.manage_groups.delete(operator(), place.id, found.id, origin())
    if isinstance(done, Denied):
        fail(done)
    say(f"Deleted the group {done.name}.")


def find_group(verbs: Verbs, place: DatasourceRow, name: str) -> GroupRow:
    groups = _all(verbs, place)
    if not has_unseen(name):
        for each in groups:
            if fold(each.name) == fold(name):
                return each
    names = [each.name for each in groups]
    raise Failure(f"there is no group {name!r} in {place.name}{near(name, names)}", EXIT_NOT_FOUND)


def _all(verbs: Verbs, place: DatasourceRow) -> Sequence[GroupRow]:
    found = verbs.look_up_users.groups(place.id)
    if isinstance(found, Refused):
        fail(found)
    return found[0]


def _ids(verbs: Verbs, place: DatasourceRow, codes: Sequence[str]) -> list[int]:
    return [find_user(verbs, place, code).user_id for code in codes]


def _row(row: GroupRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "members": row.members,
    }
