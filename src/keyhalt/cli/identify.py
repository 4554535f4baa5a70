"""`keyhalt key identify`: whose is this text, and does it count?"""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import click

from keyhalt.cli.context import (
    EXIT_CONFIG,
    EXIT_DENIED,
    Failure,
    Verbs,
    data_option,
    output_option,
    tools,
)
from keyhalt.cli.key import key, read_text, row_of
from keyhalt.cli.output import say, show_one
from keyhalt.core import keytext
from keyhalt.core.keytext import KeyClaim, Malformed


@key.command()
@click.option("--key-stdin", is_flag=True, help="Read the key from stdin.")
@click.option("--key-file", type=click.File("r"), help="Read the key from a file.")
@click.option("--offline", is_flag=True, help="Say only what the text itself says.")
@output_option
@data_option
def identify(
    key_stdin: bool, key_file: TextIO | None, offline: bool, output: str, data: Path | None
) -> None:
    """Say whose a found key is and whether it counts. Exit 3 when it does not.

    The text is never printed. What it says of itself needs no store.
    """
    claim = keytext.parse(read_text(key_file, stdin=key_stdin).reveal().encode())
    if isinstance(claim, Malformed):
        why = {
            "checksum": "it looks like a key, but was cut or changed: its checksum does not hold",
            "foreign": "this is not the text of a Keyhalt key",
        }
        raise Failure(why[claim.why], EXIT_DENIED)
    found: dict[str, object] = {
        "product": claim.product,
        "environment": claim.environment,
        "datasource": claim.datasource,
        "owner_id": claim.user_id,
        "key_id": claim.key_id,
        "generation": claim.generation,
        "checksum": "holds",
    }
    counts = True
    if not offline:
        try:
            with tools().engine(data=data) as verbs:
                counts = _ask_store(verbs, claim, found)
        except Failure as failure:
            if failure.code != EXIT_CONFIG:
                raise
            say(f"Only what the text says of itself: {failure.message}.")
    show_one(found, output)
    if not counts:
        raise Failure("this key does not count here", EXIT_DENIED)


def _ask_store(verbs: Verbs, claim: KeyClaim, found: dict[str, object]) -> bool:
    here = verbs.here
    if claim.product != here.product or not here.names(claim.environment):
        found["state"] = f"of another environment than {here.environment}"
        return False
    generation = here.mac_keys().get(claim.generation)
    holds = generation is not None and keytext.authentic(claim, generation)
    lost = generation is not None and generation.state == "digest-only"
    found["mac"] = "holds" if holds else "cannot be checked" if lost else "does not hold"
    datasource = verbs.look_up.datasource(claim.datasource)
    if not (holds or lost) or datasource is None:
        found["state"] = "forged" if not (holds or lost) else "unknown"
        return False
    row = verbs.look_up.any_key(datasource.id, claim.key_id)
    if row is None or row.owner_id != claim.user_id:
        found["state"] = "unknown"
        return False
    known = row_of(row, datasource)
    found |= {name: known[name] for name in ("name", "owner", "state", "made_with", "made_by")}
    found |= {name: known[name] for name in ("created_at", "deleted_at")}
    return row.deleted_at is None and row.owner_active and datasource.active
