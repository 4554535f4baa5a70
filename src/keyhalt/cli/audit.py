"""`keyhalt audit`: who did what."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from keyhalt.cli.context import (
    EXIT_DENIED,
    EXIT_USAGE,
    Failure,
    data_option,
    find_datasource,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.key import KEY_ID
from keyhalt.cli.output import say, show, time_text
from keyhalt.usecases.rows import AuditQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.cli.context import Verbs
    from keyhalt.core.audit import AuditEvent
    from keyhalt.usecases.rows import AuditRow

COLUMNS = (
    "at", "event", "outcome", "reason", "actor", "credential", "object", "source", "request_id",
    "count",
)  # fmt: skip
PROMISE_COLUMNS = (
    "key_id", "datasource_id", "process", "late_seconds", "ended_with_epoch", "knew_epoch",
)  # fmt: skip
_UNSEEN = {
    "end_never_returned": "it is not known that the deletion ever returned",
    "another_boot": "the deletion returned on another machine, or before a restart of this one",
}


@click.group()
def audit() -> None:
    """The audit log."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("-d", "--datasource", help="Only this datasource.  [default: all of them]")
@click.option("--request-id", help="Only of this request: the id that a problem shows.")
@click.option("--key", "key_id", type=KEY_ID, help="Only by this key, or about it.")
@click.option("--reads", is_flag=True, help="Readings of the log, too.")
@output_option
@data_option
def list_events(
    limit: int,
    datasource: str | None,
    request_id: str | None,
    key_id: int | None,
    reads: bool,
    output: str,
    data: Path | None,
) -> None:
    """List the newest events, newest first: changes, denials and sign-ins. It is logged, too."""
    if request_id == "":
        raise Failure("--request-id is empty", EXIT_USAGE)
    with tools().engine(data=data) as verbs:
        place = None if datasource is None else find_datasource(verbs, datasource)
        query = AuditQuery(
            datasource_id=place.id if place else None,
            request_id=request_id,
            key_id=key_id,
            with_reads=reads,
            limit=limit,
        )
        rows = verbs.read_audit(operator(), query, origin())
        codes = _codes(verbs, rows)
    show([_row(row, codes) for row in rows], output, columns=COLUMNS)


@audit.command()
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"]),
    help="From this time on, in UTC.  [default: from the beginning]",
)
@data_option
def export(since: datetime | None, data: Path | None) -> None:
    """Print every event as a line of JSON, oldest first: to keep elsewhere, and to replay."""
    with tools().engine(data=data) as verbs:
        cluster = verbs.environment.cluster
        start = since and since.replace(tzinfo=UTC)
        for row in verbs.read_audit.since(operator(), start, origin()):
            line = {"cluster": cluster, **_row(row, {})}
            line["at"] = row.event.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
            click.echo(json.dumps(line, ensure_ascii=False, default=str))


@audit.command()
@click.option(
    "--anchors",
    type=click.File("r", encoding="utf-8", errors="replace"),
    help="Also those in this log: a copy, or what syslog wrote.",
)
@output_option
@data_option
def verify(anchors: TextIO | None, output: str, data: Path | None) -> None:
    """Was any change in the log edited, removed or put in by hand? Exit 3, and which, if so."""
    with tools().engine(data=data) as verbs:
        try:
            seen = verbs.audit_chain.verify(anchors or ())
        except OSError as error:
            raise Failure(f"the anchors cannot be read: {error}") from None
    rows = [{"flaw": each.flaw.value, "at": each.at, "says": each.says} for each in seen.findings]
    show(rows, output, columns=("flaw", "at", "says"))
    say(f"{seen.rows} rows of changes and {seen.anchors} anchors were read.")
    if seen.begins:
        say(f"The log begins after row {seen.begins}: what was older was let go.")
    if seen.erased:
        say(f"Of {seen.erased} rows what was personal was taken away, as events tell.")
    if seen.unproved:
        say(f"{seen.unproved} anchors prove nothing: the MAC keys they were made with are gone.")
    if not seen.anchors:
        say("No anchor proves how far the log had come: what is missing at its end is not seen.")
    if seen.findings:
        more = "more than " if seen.more else ""
        number = len(seen.findings)
        flaws = "1 flaw" if number == 1 else f"{more}{number} flaws"
        raise Failure(f"{flaws}: see docs/audit.md", EXIT_DENIED)


@audit.command()
@output_option
@data_option
def promise(output: str, data: Path | None) -> None:
    """Was any key let through after its deletion had returned? Exit 3, and which, if so."""
    with tools().engine(data=data) as verbs:
        seen = verbs.audit_promise()
    rows = [
        {
            "key_id": each.key.key_id,
            "datasource_id": each.key.datasource_id,
            "process": each.last.process,
            "late_seconds": round(each.late_seconds, 6),
            "ended_with_epoch": each.key.epoch,
            "knew_epoch": each.last.epoch,
        }
        for each in seen.broken
    ]
    show(rows, output, columns=PROMISE_COLUMNS)
    say(f"{seen.keys} deleted keys; {seen.compared} last uses of them were compared.")
    for why, count in seen.unseen.items():
        if count:
            say(f"{count} were not: {_UNSEEN[why]}.")
    if seen.broken:
        raise Failure(f"{len(seen.broken)} requests too late: see docs/audit.md", EXIT_DENIED)


def _codes(verbs: Verbs, rows: Sequence[AuditRow]) -> Mapping[int, str]:
    """User codes of who was denied: a denial is written with ids alone."""
    actors = [(row.event.datasource_id, row.event.actor) for row in rows]
    places = {place for place, actor in actors if place and actor.user_id and not actor.name}
    return {user.user_id: user.user_code for place in places for user in verbs.look_up.users(place)}


def _row(row: AuditRow, codes: Mapping[int, str]) -> dict[str, object]:
    event = row.event
    user_id = event.actor.user_id
    credential = event.actor.credential
    return {
        "id": row.id,
        "at": time_text(event.at),
        "event": event.event.value,
        "outcome": event.outcome,
        "reason": event.reason,
        "actor": event.actor.name or (codes.get(user_id, f"user {user_id}") if user_id else ""),
        "user_id": user_id,
        "credential": f"{credential.kind.value} {credential.id}" if credential else "",
        "object": _object(event),
        "object_id": event.object_id,
        "datasource_id": event.datasource_id,
        "source": event.origin.source,
        "operation": event.origin.operation,
        "request_id": event.origin.request_id,
        "details": dict(event.details),
        "epoch": event.epoch,
        "count": row.count,
    }


def _object(event: AuditEvent) -> str:
    # Generation 0 of the MAC keys is an object too.
    number = "" if event.object_id is None else event.object_id
    return f"{event.object_type} {number}".strip()
