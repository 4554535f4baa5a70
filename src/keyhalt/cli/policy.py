"""`keyhalt policy`: what a proxy lets through, in versions."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_DENIED,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    Verbs,
    data_option,
    fail,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import say, show, show_one, show_receipt, time_text
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.names import near
from keyhalt.core.paths import segments_of
from keyhalt.core.policies import ANY_KEY, NAME
from keyhalt.core.refusals import Refused

if TYPE_CHECKING:
    from keyhalt.core.policies import Policy
    from keyhalt.usecases.rows import PolicyRow

COLUMNS = ("name", "version", "created_at", "made_by", "rules")
file_argument = click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE"
)


@click.group()
def policy() -> None:
    """What proxies let through: apply, diff, test, list, show."""


@policy.command()
@file_argument
@data_option
def apply(file: Path, data: Path | None) -> None:
    """Put a policy in force, in every process, when this returns."""
    text = _text(file)
    with tools().engine(data=data) as verbs:
        applied = verbs.manage_policies.apply(operator(), text, origin())
    if isinstance(applied, Refused):
        fail(applied)
    row = applied.row
    if applied.receipt is None:
        say(f"{row.name} says this already, in version {row.version}.")
        return
    show_receipt(f"{row.name} is in version {row.version}", applied.receipt)


@policy.command()
@file_argument
@data_option
def diff(file: Path, data: Path | None) -> None:
    """What applying FILE would change, line by line; exit 3 if anything."""
    text = _text(file)
    with tools().engine(data=data) as verbs:
        said = verbs.manage_policies.read(text)
        if isinstance(said, Refused):
            fail(said)
        before = verbs.manage_policies.get(said.name)
    old = "" if before is None else before.text
    version = "nothing" if before is None else f"{before.name} version {before.version}"
    lines = difflib.unified_diff(
        old.splitlines(), text.splitlines(), version, str(file), lineterm=""
    )
    changes = list(lines)
    for line in changes:
        click.echo(line)
    if changes:
        raise click.exceptions.Exit(EXIT_DENIED)
    say("nothing would change")


@policy.command("test")
@click.argument("policy_name", metavar="NAME|FILE")
@click.argument("method")
@click.argument("path")
@output_option
@data_option
def try_out(policy_name: str, method: str, path: str, output: str, data: Path | None) -> None:
    """Which rule a request meets and what it asks for; exit 3 if it is denied to everybody."""
    with tools().engine(data=data) as verbs:
        said = _policy(verbs, policy_name)
    path = path.partition("?")[0]
    segments = segments_of(path, fold=said.fold)
    rule = None if segments is None else said.rule_for(method.upper(), segments)
    needs = None if rule is None else str(rule.need or ANY_KEY)
    found = {
        "policy": said.name,
        "version": said.version or None,
        "request": f"{method.upper()} {path}",
        "rule": None if rule is None else rule.text,
        "needs": needs,
        "verdict": _verdict(needs, ambiguous=segments is None),
    }
    show_one(found, output)
    if rule is None:
        raise click.exceptions.Exit(EXIT_DENIED)


@policy.command("list")
@output_option
@data_option
def list_policies(output: str, data: Path | None) -> None:
    """The policies in force."""
    with tools().engine(data=data) as verbs:
        rows = [_row(verbs, row) for row in verbs.manage_policies.newest()]
    show(rows, output, columns=COLUMNS)


@policy.command("show")
@click.argument("name")
@click.option("--version", type=click.IntRange(1, ID_MAX), help="[default: the newest]")
@data_option
def show_policy(name: str, version: int | None, data: Path | None) -> None:
    """Print a policy as it was written."""
    with tools().engine(data=data) as verbs:
        row = _stored(verbs, name, version)
    click.echo(row.text, nl=not row.text.endswith("\n"))


def _verdict(needs: str | None, *, ambiguous: bool) -> str:
    if ambiguous:
        return "refused: the path can be read in more than one way"
    return "denied: no rule names it" if needs is None else f"allowed with {needs}"


def _policy(verbs: Verbs, name: str) -> Policy:
    """One in force by its name, or what a file says."""
    if NAME.fullmatch(name) and not Path(name).is_file():
        row = _stored(verbs, name, None)
        text, version = row.text, row.version
    else:
        text, version = _text(Path(name)), 0
    said = verbs.manage_policies.read(text, version)
    if isinstance(said, Refused):
        fail(said)
    return said


def _stored(verbs: Verbs, name: str, version: int | None) -> PolicyRow:
    row = verbs.manage_policies.get(name, version)
    if row is None:
        names = [each.name for each in verbs.manage_policies.newest()]
        which = "" if version is None else f" in version {version}"
        raise Failure(f"there is no policy {name!r}{which}{near(name, names)}", EXIT_NOT_FOUND)
    return row


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Failure(f"{file} is not text", EXIT_USAGE) from None


def _row(verbs: Verbs, row: PolicyRow) -> dict[str, object]:
    said = verbs.manage_policies.read(row.text)
    return {
        "name": row.name,
        "version": row.version,
        "created_at": time_text(row.created_at),
        "made_by": row.made_by,
        "rules": None if isinstance(said, Refused) else len(said.rules),
    }
