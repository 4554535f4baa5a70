"""`keyhalt key delete` and `keyhalt user end-keys`: keys end, one or many, for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.asking import sure
from keyhalt.cli.context import (
    Verbs,
    datasource_option,
    fail,
    opened,
    operator,
    origin,
)
from keyhalt.cli.key import KEY_ID, key
from keyhalt.cli.output import say, show_receipt
from keyhalt.cli.user import find_user, user
from keyhalt.core.decisions import Denied
from keyhalt.usecases.revoke import Ended

if TYPE_CHECKING:
    from keyhalt.usecases.rows import DatasourceRow

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"]


@key.command()
@click.argument("key_id", type=KEY_ID, metavar="ID")
@click.option(
    "--with-offspring", is_flag=True, help="Also the keys that it made, and what those made."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@datasource_option
def delete(
    key_id: int, with_offspring: bool, yes: bool, data: Path | None, datasource: str | None
) -> None:
    """Delete a key, for ever. When this returns, no process accepts it."""
    with opened(data, datasource) as (verbs, place):
        if not yes:
            _ask(verbs, place, key_id, with_offspring=with_offspring)
        verb = verbs.delete_key.with_offspring if with_offspring else verbs.delete_key
        done = verb(operator(), datasource_id=place.id, key_id=key_id, origin=origin())
    if isinstance(done, Denied):
        fail(done, missing=f"there is no key {key_id} in {place.name}")
    if isinstance(done, Ended):
        _tell(done)
    else:
        show_receipt(f"Deleted key {key_id}", done)


@user.command("end-keys")
@click.argument("code")
@click.option(
    "--made-since",
    required=True,
    type=click.DateTime(_FORMATS),
    help="UTC: 2026-11-01 or 2026-11-01T09:30:00Z.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@datasource_option
def end_keys(
    code: str, made_since: datetime, yes: bool, data: Path | None, datasource: str | None
) -> None:
    """Delete the keys that a user has or made since a time, with all that was made with them."""
    since = made_since.replace(tzinfo=UTC)
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        if not yes:
            sure(
                f"Delete every key of {found.user_code} made since {since:%c} UTC, for ever?",
                to="delete",
                done="deleted",
            )
        ended = verbs.delete_key.made_since(
            operator(),
            datasource_id=place.id,
            user_id=found.user_id,
            since=since,
            origin=origin(),
        )
    if isinstance(ended, Denied):
        fail(ended)
    _tell(ended)


def _ask(verbs: Verbs, place: DatasourceRow, key_id: int, *, with_offspring: bool) -> None:
    row = verbs.look_up.any_key(place.id, key_id)
    if row is not None:
        more = ", with all that was made with it" if with_offspring else ""
        question = f"Delete key {row.hint} {row.name!r} of {row.owner_code}{more}, for ever?"
        sure(question, to="delete", done="deleted")


def _tell(ended: Ended) -> None:
    if ended.receipt is None:
        say("There is no such key.")
        return
    ids = ", ".join(str(each.id) for each in ended.keys) or "none that was not deleted before"
    show_receipt(f"Deleted {len(ended.keys)} keys: {ids}", ended.receipt)
