"""`keyhalt key`: make, list, show, delete, import and identify keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from keyhalt.cli.context import (
    EXIT_DENIED,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    datasource_option,
    fail,
    opened,
    operator,
    origin,
    output_option,
)
from keyhalt.cli.handing_over import new_file, undone, value_options
from keyhalt.cli.output import say, show, show_one, time_text
from keyhalt.cli.user import find_user
from keyhalt.core.decisions import Denied
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.look_up_use import LATE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.usecases.making_keys import Issued
    from keyhalt.usecases.rows import DatasourceRow, KeyRow
    from keyhalt.usecases.uses import KeyUse, LastUse

COLUMNS = ("id", "name", "hint", "owner", "state", "made_with", "created_at")
# More than any key; a file of the wrong kind is not read to its end.
TEXT_MAX = 65_536
KEY_ID = click.IntRange(1, ID_MAX)


def _described(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option("--description", default="", help="What uses this key.")(command)
    command = click.option("--name", required=True, help="1 to 60 characters.")(command)
    return click.option("--owner", required=True, help="User code of the owner.")(command)


@click.group()
def key() -> None:
    """Keys: make, list, show, find, delete, import, identify; keys that keys made."""


@key.command()
@_described
@value_options
@datasource_option
def create(
    owner: str,
    name: str,
    description: str,
    out_file: Path | None,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Make a key. Its value is shown this once and never again."""
    with opened(data, datasource) as (verbs, place), new_file(out_file) as file:
        user = find_user(verbs, place, owner)
        issued = verbs.issue.create(
            operator(),
            datasource_id=place.id,
            owner_id=user.user_id,
            name=name,
            description=description,
            origin=origin(),
        )
        if isinstance(issued, Denied | Refused):
            fail(issued)
        row = row_of(issued.row, place)
        with undone(verbs, issued.row, file=file, whole=output != "table"):
            hand_over(issued, row, output, file)
    if output == "key":
        return
    if out_file is not None:
        show_one(row, output)
    where = f"The value is in {out_file}." if out_file else "The value is shown this once."
    say(f"{where} Keep it in a secrets manager; it cannot be read again.")


def hand_over(issued: Issued, row: dict[str, object], output: str, file: TextIO | None) -> None:
    """Write the value to the one place where it goes."""
    text = issued.text.reveal()
    if file is not None:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    elif output == "key":
        click.echo(text)
    else:
        show_one({"key": text, **row}, output)


@key.command("list")
@click.option("--all", "with_deleted", is_flag=True, help="Deleted keys too.")
@click.option("--filter", "filter_text", default="", help="As on the wire: apiKeyInfo like 'job'.")
@output_option
@datasource_option
def list_keys(
    with_deleted: bool,
    filter_text: str,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """List the keys of a datasource."""
    with opened(data, datasource) as (verbs, place):
        rows = verbs.look_up.keys(place.id, filter_text=filter_text, with_deleted=with_deleted)
        last = verbs.look_up_use.last(place.id)
    if isinstance(rows, Refused):
        raise Failure(rows.detail, EXIT_USAGE)
    used = [{**row_of(row, place), "last_used_at": _at(last.get(row.id))} for row in rows]
    show(used, output, columns=(*COLUMNS, "last_used_at"))


@key.command("show")
@click.argument("key_id", type=KEY_ID, metavar="ID")
@output_option
@datasource_option
def show_key(key_id: int, output: str, data: Path | None, datasource: str | None) -> None:
    """Show one key and what it did. Never its value."""
    with opened(data, datasource) as (verbs, place):
        row = verbs.look_up.any_key(place.id, key_id)
        use = verbs.look_up_use.of(place.id, [key_id])[key_id]
        names = list(verbs.profile.catalogue.names(use.permissions))
    if row is None:
        raise Failure(f"there is no key {key_id} in {place.name}", EXIT_NOT_FOUND)
    show_one({**row_of(row, place), **_use(use), "used_permissions": names}, output)
    say(f"Of use, the last {LATE_SECONDS} seconds may be missing.")


@key.command("tree")
@click.argument("key_id", type=KEY_ID, metavar="ID")
@output_option
@datasource_option
def show_tree(key_id: int, output: str, data: Path | None, datasource: str | None) -> None:
    """List a key with the keys that were made with it, and with those. Deleted ones too."""
    with opened(data, datasource) as (verbs, place):
        rows = verbs.look_up.key_tree(place.id, key_id)
    if isinstance(rows, Denied):
        fail(rows, missing=f"there is no key {key_id} in {place.name}")
    show([row_of(row, place) for row in rows], output, columns=COLUMNS)


@key.command("import")
@_described
@click.option("--key-stdin", is_flag=True, help="Read the key from stdin.")
@click.option("--key-file", type=click.File("r"), help="Read the key from a file.")
@output_option
@datasource_option
def import_key(
    owner: str,
    name: str,
    description: str,
    key_stdin: bool,
    key_file: TextIO | None,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Let a key that another system issued count here. Only its digest is kept."""
    text = read_text(key_file, stdin=key_stdin)
    with opened(data, datasource) as (verbs, place):
        user = find_user(verbs, place, owner)
        row = verbs.issue.import_key(
            operator(),
            datasource_id=place.id,
            owner_id=user.user_id,
            name=name,
            description=description,
            text=text,
            origin=origin(),
        )
    if isinstance(row, Denied | Refused):
        fail(row)
    show_one(row_of(row, place), output)


def read_text(file: TextIO | None, *, stdin: bool) -> Secret:
    """A key's text from a file, from stdin, or typed unseen: never from the command line."""
    if file is not None and stdin:
        raise Failure("say one of --key-stdin and --key-file", EXIT_USAGE)
    source = sys.stdin if stdin else file
    if source is None and not sys.stdin.isatty():
        raise Failure("say where the key is: --key-stdin or --key-file", EXIT_USAGE)
    try:
        if source is not None:
            text = source.read(TEXT_MAX)
        else:
            text = str(click.prompt("Key", hide_input=True, err=True))
        text.encode()
    except UnicodeError:
        raise Failure("this is not text, so it is no key", EXIT_DENIED) from None
    if len(text) == TEXT_MAX:
        raise Failure("this is too long to be a key", EXIT_DENIED)
    return Secret(text.strip())


def row_of(row: KeyRow, place: DatasourceRow) -> dict[str, object]:
    made_with = row.made_with.kind.value
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "hint": row.hint,
        "owner": row.owner_code,
        "state": _state(row, place),
        "made_with": f"{made_with} {row.made_with.id}" if row.made_with.id else made_with,
        "made_by": row.made_by,
        "imported": row.imported,
        "created_at": time_text(row.created_at),
        "deleted_at": time_text(row.deleted_at),
    }


def _at(last: LastUse | None) -> str | None:
    return None if last is None else time_text(last.at)


def _use(use: KeyUse) -> dict[str, object]:
    """As columns: the last use, and counts of the last 24 hours and 30 days."""
    last = use.last
    allowed, denied = use.last_24_hours
    return {
        "last_used_at": _at(last),
        "last_network": last.network if last else "",
        "last_agent": last.agent if last else "",
        "last_operation": last.operation if last else "",
        "allowed_24_hours": allowed,
        "denied_24_hours": denied,
        "allowed_30_days": sum(day.allowed for day in use.days),
        "denied_30_days": dict(use.denied),
    }


def _state(row: KeyRow, place: DatasourceRow) -> str:
    if row.deleted_at is not None:
        return "deleted"
    if not place.active:
        return "datasource inactive"
    return "counts" if row.owner_active else "owner inactive"
