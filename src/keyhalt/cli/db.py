"""`keyhalt db`: the stores as a whole. Their schema, copies of them, and what comes of a copy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from keyhalt.cli.asking import sure
from keyhalt.cli.context import (
    EXIT_CONFIG,
    EXIT_USAGE,
    Failure,
    data_option,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import say, show, show_receipt
from keyhalt.usecases.reopen import Accepted, Closed
from keyhalt.usecases.replaying import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def db() -> None:
    """The stores: their schema, and copies of them."""


@db.command()
@data_option
def upgrade(data: Path | None) -> None:
    """Bring the stores to this version's schema."""
    tools().upkeep(data=data).upgrade()
    say("The stores have this version's schema.")


@db.command()
@data_option
def check(data: Path | None) -> None:
    """Say whether schema, privileges, server and disk are as they must be, and the stores open."""
    upkeep = tools().upkeep(data=data)
    faults = list(upkeep.check())
    closed = None if faults else upkeep.closed()
    faults += [closed] if closed else []
    if faults:
        raise Failure("; ".join(faults), EXIT_CONFIG)
    say("Schema, privileges, server and disk are as they must be; the stores are open.")


@db.command()
@click.argument("into", type=_FOLDER, metavar="DIR")
@click.option("--with-mac-keys", is_flag=True, help="The MAC keys too; keep them apart otherwise.")
@data_option
def backup(into: Path, with_mac_keys: bool, data: Path | None) -> None:
    """Copy the SQLite stores, in use, at one moment, into a new folder."""
    made = tools().upkeep(data=data).backup(into, mac_keys=with_mac_keys)
    say(f"{into}: the stores at epoch {made.epoch}, {', '.join(made.files)}.")
    if not with_mac_keys:
        say("Without the MAC keys: keep a copy of them apart.")


@db.command()
@click.argument("source", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def restore(source: Path, yes: bool, data: Path | None) -> None:
    """Put a backup back, also under running servers. What was revoked since stays closed."""
    if not yes:
        sure(f"Write {source} over the stores?", to="restore", done="restored")
    upkeep = tools().upkeep(data=data)
    made = upkeep.restore(source)
    say(f"The stores are those of {made.at}, at epoch {made.epoch}.")
    why = upkeep.closed()
    say(f"Closed: {why}." if why else "Nothing was revoked since: they are open.")


@db.command("copy")
@click.option("--from", "source", required=True, metavar="PLACE", help="Where the stores are.")
@click.option("--to", "target", required=True, metavar="PLACE", help="Where nothing is yet.")
@output_option
@data_option
def copy_stores(source: str, target: str, output: str, data: Path | None) -> None:
    """Copy all stores to another database, compared table by table.

    A place is sqlite:FOLDER or postgresql://user@host/database; with a password, env:NAME or
    file:PATH, of a variable or file that has it.
    """
    places = _place(source, "--from"), _place(target, "--to")
    with click.progressbar(length=1, label="Copying", file=sys.stderr) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        copied = (
            tools()
            .upkeep(data=data)
            .copy(*places, acting=operator(), origin=origin(), progress=progress)
        )
    rows = [{"table": each.table, "rows": each.rows, "digest": each.digest} for each in copied]
    show(rows, output, columns=("table", "rows", "digest"))
    say("Every table is the same on both sides. Bring the MAC keys, and stop using the old stores.")


def _place(text: str, option: str) -> Path | str:
    kind, _, rest = text.partition(":")
    if kind == "sqlite" and rest:
        return Path(rest)
    if kind == "env" and rest:
        url = os.environ.get(rest)
        if url is None:
            raise Failure(f"{option}: there is no variable {rest}", EXIT_USAGE)
        return url
    if kind == "file" and rest:
        return Path(rest).read_text("utf-8").strip()
    if kind not in {"postgres", "postgresql"}:
        said = "say sqlite:FOLDER, postgresql://…, env:NAME or file:PATH"
        raise Failure(f"{option}: {said}", EXIT_USAGE)
    user, at, _ = rest.rpartition("@")
    if (at and ":" in user.removeprefix("//")) or "password=" in rest:
        raise Failure(
            f"{option}: everybody on this machine can read a password there; put the URL into a"
            " file and say file:PATH, or env:NAME",
            EXIT_USAGE,
        )
    return text


@db.command()
@click.option(
    "--replay",
    type=click.File("r", encoding="utf-8"),
    help="What 'keyhalt audit export' wrote, or - for stdin.",
)
@click.option(
    "--accept",
    multiple=True,
    metavar="WHAT",
    help="An epoch, some (8-10), or a word that was printed: take it as it is. Repeatable.",
)
@data_option
def reopen(replay: TextIO | None, accept: tuple[str, ...], data: Path | None) -> None:
    """Open stores that are closed: replay what was revoked since, or accept that it was not."""
    accepted = _accepted(accept)
    with tools().upkeep(data=data).reopening() as verb:
        try:
            done = verb(operator(), _lines(replay) if replay else (), accepted, origin())
        except ValueError as error:
            raise Failure(f"the log cannot be replayed: {error}", EXIT_USAGE) from None
    if isinstance(done, Closed):
        _show_left(done)
    if done.receipt is None:
        say("The stores are open; nothing was changed.")
        return
    say(f"Replayed {done.replayed}, accepted {done.accepted}, ended {done.tokens} tokens.")
    show_receipt("The stores are open", done.receipt)


def _show_left(closed: Closed) -> NoReturn:
    rows = [
        {
            "accept": lost.name,
            "at": lost.at,
            "event": lost.event,
            "actor": lost.actor,
            "why": lost.why,
        }
        for lost in closed.lost
    ]
    if closed.cluster:
        why = "the store is of another cluster than was served"
        rows.insert(0, {"accept": f"cluster:{closed.cluster}", "why": why})
    show(rows, "table", columns=("accept", "at", "event", "actor", "why"))
    raise Failure(
        f"{closed.why}. Left to replay, or to accept one by one with --accept: {len(rows)}",
        EXIT_CONFIG,
    )


def _accepted(words: tuple[str, ...]) -> Accepted:
    epochs: list[range] = []
    rest, cluster = False, ""
    for word in ",".join(words).split(",") if words else ():
        first, _, last = word.partition("-")
        if word == "rest":
            rest = True
        elif word.startswith("cluster:"):
            cluster = word.removeprefix("cluster:")
        elif _is_number(first) and (not last or _is_number(last)):
            epochs.append(range(int(first), int(last or first) + 1))
        else:
            raise Failure(f"--accept {word!r}: say an epoch, 8-10, or a printed word", EXIT_USAGE)
    return Accepted(epochs, rest, cluster)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 19


def _lines(file: TextIO) -> Iterator[LogLine]:
    """Raises Failure with the number of a line that is not as it must be."""
    for number, text in enumerate(file, 1):
        try:
            yield LogLine.of(json.loads(text))
        except ValueError as error:
            why = "it is no JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            raise Failure(f"line {number} of the log: {why}", EXIT_USAGE) from None
