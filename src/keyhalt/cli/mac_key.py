"""`keyhalt mac-key`: the generations of MAC keys. Never prints one."""

from __future__ import annotations

from pathlib import Path

import click

from keyhalt.cli.context import data_option, fail, operator, origin, output_option, tools
from keyhalt.cli.output import say, show
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.manage_mac_keys import GenerationRow


@click.group("mac-key")
def mac_key() -> None:
    """MAC keys: list, add, mint, lost, remove."""


@mac_key.command("list")
@output_option
@data_option
def list_generations(output: str, data: Path | None) -> None:
    """List the generations, and how many keys each has made that are not deleted."""
    with tools().mac_keys(data=data) as verbs:
        rows = verbs.list()
    shown = [{"generation": r.number, "state": r.state.value, "keys": r.keys} for r in rows]
    show(shown, output, columns=("generation", "state", "keys"))


@mac_key.command()
@data_option
def add(data: Path | None) -> None:
    """Add a generation that is accepted and does not mint yet. First step of a change."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.add(operator(), origin())
    _tell(row, "Bring the file to every machine, then run: keyhalt mac-key mint {}")


@mac_key.command()
@click.argument("generation", type=int)
@data_option
def mint(generation: int, data: Path | None) -> None:
    """Make new keys with a generation from now on. Second step of a change."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.mint(operator(), generation, origin())
    _tell(row, "New keys are made with generation {}; older keys still count.", generation)


@mac_key.command()
@click.argument("generation", type=int, required=False)
@data_option
def lost(generation: int | None, data: Path | None) -> None:
    """Go on without a lost MAC key, or without all of them: keys count by their digest."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.lost(operator(), generation, origin())
    _tell(row, "Existing keys count by their digest; new ones are made with generation {}.")


@mac_key.command()
@click.argument("generation", type=int)
@data_option
def remove(generation: int, data: Path | None) -> None:
    """Forget a generation whose keys are all gone."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.remove(operator(), generation, origin())
    _tell(row, "Removed generation {}.", generation)


def _tell(
    row: GenerationRow | Refused | Denied, sentence: str, generation: int | None = None
) -> None:
    if isinstance(row, Refused | Denied):
        fail(row, missing=f"there is no MAC-key generation {generation}")
    say(sentence.format(row.number))
