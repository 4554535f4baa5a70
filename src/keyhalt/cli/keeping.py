"""`keyhalt audit retain` and `audit forget`: what the log lets go of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from keyhalt.cli.audit import audit
from keyhalt.cli.context import (
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    data_option,
    datasource_option,
    opened,
    operator,
    origin,
    tools,
)
from keyhalt.cli.output import say

if TYPE_CHECKING:
    from pathlib import Path

DAYS_MAX = 36_500
_DAYS = click.IntRange(1, DAYS_MAX)


@audit.command()
@click.option("--changes", type=_DAYS, metavar="DAYS", help="Changes of rights: keep so long.")
@click.option("--others", type=_DAYS, metavar="DAYS", help="All other events: keep so long.")
@data_option
def retain(changes: int | None, others: int | None, data: Path | None) -> None:
    """Let events go that are older, behind a signed checkpoint. The rest still verifies."""
    if changes is None and others is None:
        raise Failure("say --changes DAYS, --others DAYS, or both", EXIT_USAGE)
    with tools().engine(data=data) as verbs:
        now = verbs.clock.now()
        gone = verbs.keep_audit.let_go(
            operator(),
            changes=None if changes is None else now - timedelta(days=changes),
            others=None if others is None else now - timedelta(days=others),
            origin=origin(),
        )
    say(f"{gone.changes} changes and {gone.others} other events were let go.")


@audit.command()
@click.option("--user", "code", metavar="CODE", required=True, help="Whose data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@datasource_option
def forget(code: str, yes: bool, data: Path | None, datasource: str | None) -> None:
    """Take away what the log has of a person. Cannot be undone; the log still verifies."""
    with opened(data, datasource) as (verbs, place):
        user = verbs.look_up.user(place.id, code)
        if user is None:
            raise Failure(f"there is no user {code!r}", EXIT_NOT_FOUND)
        if not yes:
            click.confirm(
                f"Take away names, addresses and details of {user.user_code} for ever?",
                abort=True,
                err=True,
            )
        gone = verbs.keep_audit.forget(
            operator(), datasource_id=place.id, user_id=user.user_id, origin=origin()
        )
    say(f"{gone.changes} changes and {gone.others} other events hold nothing personal any more.")
    if gone.left:
        say(f"{gone.left} changes are from before that was possible; 'audit retain' ends them.")
