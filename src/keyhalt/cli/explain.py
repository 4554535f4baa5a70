"""`keyhalt explain`: why a request with a key would be allowed or refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_DENIED,
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    Verbs,
    datasource_option,
    opened,
    output_option,
    tools,
)
from keyhalt.cli.key import KEY_ID
from keyhalt.cli.output import say, show
from keyhalt.client.problems import TABLE
from keyhalt.core.decisions import Cause
from keyhalt.core.explanations import Node, Step
from keyhalt.core.explanations import explain as steps_of
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.names import near
from keyhalt.core.permissions import CatalogueError

if TYPE_CHECKING:
    from keyhalt.core.decisions import Denied
    from keyhalt.core.permissions import Need

COLUMNS = ("check", "asks", "answer", "says")


@click.command()
@click.option("--key", "key_id", type=KEY_ID, required=True, metavar="ID", help="Id of the key.")
@click.option("--permission", required=True, metavar="NAME.LEVEL", help="Such as meters.view.")
@click.option(
    "--place",
    type=click.IntRange(1, ID_MAX),
    metavar="ID",
    help="The place that the request is about: --node places=ID.",
)
@click.option("--node", metavar="HIERARCHY=ID", help="The node that the request is about.")
@output_option
@datasource_option
def explain(
    key_id: int,
    permission: str,
    place: int | None,
    node: str | None,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Say, check by check, why a request would be allowed or refused. Exit 3 when refused.

    Asked of what decides for requests, as of now. The text of a request itself is not looked at.
    """
    if place is not None and node is not None:
        raise Failure("say one of --place and --node", EXIT_USAGE)
    with opened(data, datasource) as (verbs, where):
        need = _need(verbs, permission)
        about = _node(verbs, f"places={place}" if place is not None else node)
        facts = verbs.look_up.key_facts(where.id, key_id)
        if facts is None:
            raise Failure(f"there is no key {key_id} in {where.name}", EXIT_NOT_FOUND)

        def contains(hierarchy: str, ancestor: int, below: int) -> bool:
            return tools().contains(where.id, hierarchy, ancestor, below, data=data)

        steps = steps_of(facts, verbs.here, need, about, contains)
    show([_row(step) for step in steps], output, columns=COLUMNS)
    no = steps[-1].no
    if no is not None:
        raise Failure(_refusal(no), EXIT_DENIED)
    say("Allowed, when the request has exactly this key, over HTTPS (checks 1 to 5).")


def _need(verbs: Verbs, text: str) -> Need:
    catalogue = verbs.profile.catalogue
    try:
        return catalogue.need(*text.partition(".")[::2])
    except CatalogueError as error:
        raise Failure(str(error), EXIT_USAGE) from None


def _node(verbs: Verbs, text: str | None) -> Node | None:
    if text is None:
        return None
    name, _, number = text.partition("=")
    known = [hierarchy.name for hierarchy in verbs.profile.hierarchies]
    if name not in known:
        hint = near(name, known) or f"; there is: {', '.join(known) or 'none in this profile'}"
        raise Failure(f"there is no hierarchy {name!r}{hint}", EXIT_USAGE)
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(ID_MAX))):
        raise Failure(f"say a node as HIERARCHY=ID, not {text!r}", EXIT_USAGE)
    return Node(name, int(number))


def _row(step: Step) -> dict[str, object]:
    answer = "no" if step.no else "yes"
    return {"check": step.check, "asks": step.asks, "answer": answer, "says": step.says}


def _refusal(no: Denied) -> str:
    exact = "" if no.cause is Cause.AS_SAID else f" ({no.cause.value})"
    return f"refused: {TABLE[no.reason].status} {no.reason.value}{exact}"
