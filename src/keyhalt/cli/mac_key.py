"""`keyhalt mac-key`: the generations of MAC keys. Never prints one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.asking import sure
from keyhalt.cli.context import (
    EXIT_CONFIG,
    Failure,
    data_option,
    fail,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import say, show
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import GENERATIONS, GenerationState
from keyhalt.usecases.manage_mac_keys import GenerationRow

if TYPE_CHECKING:
    from keyhalt.usecases.manage_mac_keys import ManageMacKeys

_NUMBER = click.IntRange(0, GENERATIONS - 1)
_generation = click.argument("generation", type=_NUMBER)


@click.group("mac-key")
def mac_key() -> None:
    """MAC keys: list, add, mint, lost, remove."""


@mac_key.command("list")
@output_option
@data_option
def list_generations(output: str, data: Path | None) -> None:
    """List the generations with their state and their keys that are not deleted."""
    with tools().mac_keys(data=data) as verbs:
        rows = verbs.list()
    if not rows:
        raise Failure(
            "there is no MAC-key file; put a copy of it back, or run 'keyhalt mac-key lost'",
            EXIT_CONFIG,
        )
    shown = [{"generation": r.number, "state": r.state.value, "keys": r.keys} for r in rows]
    show(shown, output, columns=("generation", "state", "keys"))


@mac_key.command()
@data_option
def add(data: Path | None) -> None:
    """Add a generation that is accepted and does not mint yet. First step of a change."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.add(operator(), origin())
    _tell(row, "Added generation {0}. Bring the file to every machine, then: {1} mint {0}")


@mac_key.command()
@_generation
@data_option
def mint(generation: int, data: Path | None) -> None:
    """Make new keys with a generation from now on. Second step of a change."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.mint(operator(), generation, origin())
    _tell(row, "New keys are made with generation {0}; older keys still count.", generation)


@mac_key.command()
@click.argument("generation", type=_NUMBER, required=False)
@click.option(
    "--yes", is_flag=True, help="Do not ask; replace a file that is there and cannot be used."
)
@data_option
def lost(generation: int | None, yes: bool, data: Path | None) -> None:
    """Go on without one lost MAC key, or with the whole file gone.

    Its keys count by their digest from then on. Nothing brings the MAC key back afterwards.
    """
    with tools().mac_keys(data=data) as verbs:
        if generation is not None and not yes and _is_there(verbs, generation):
            question = f"Give up the MAC key of generation {generation}, which is there, for ever?"
            sure(question, to="give up a MAC key that is there", done="changed")
        keys = verbs.lost(operator(), generation, origin(), replace_unusable=yes)
    if isinstance(keys, Refused | Denied):
        fail(keys, missing=f"there is no MAC-key generation {generation}")
    number = keys.minting.number
    say(f"Existing keys count by their digest; new ones are made with generation {number}.")


@mac_key.command()
@_generation
@data_option
def remove(generation: int, data: Path | None) -> None:
    """Forget a generation whose keys are all gone."""
    with tools().mac_keys(data=data) as verbs:
        row = verbs.remove(operator(), generation, origin())
    _tell(row, "Removed generation {0}.", generation)


def _is_there(verbs: ManageMacKeys, generation: int) -> bool:
    return any(
        each.number == generation and each.state is not GenerationState.DIGEST_ONLY
        for each in verbs.list()
    )


def _tell(
    row: GenerationRow | Refused | Denied, sentence: str, generation: int | None = None
) -> None:
    if isinstance(row, Refused | Denied):
        fail(row, missing=f"there is no MAC-key generation {generation}")
    say(sentence.format(row.number, "keyhalt mac-key"))
