"""`keyhalt key identify`: whose is this text, and does it count?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

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
from keyhalt.core.decisions import Allowed, Cause, Decision, Denied, Presented, Reason
from keyhalt.core.keytext import KeyClaim, Malformed
from keyhalt.core.secrets import GenerationState, Secret
from keyhalt.usecases.ports import StoreUnavailableError

if TYPE_CHECKING:
    from keyhalt.usecases.rows import DatasourceRow, KeyRow

STORED = ("name", "owner", "state", "made_with", "made_by", "created_at", "deleted_at")
STATES = {Cause.UNKNOWN_GENERATION: "forged", Cause.FORGED_KEY: "forged"}
STRANGERS = frozenset({Cause.UNKNOWN_KEY, Cause.ROW_MISMATCH})


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
    text = read_text(key_file, stdin=key_stdin)
    claim = keytext.parse(text.reveal().encode())
    if isinstance(claim, Malformed) and claim.why == "checksum":
        why = "it looks like a key, but was cut or changed: its checksum does not hold"
        raise Failure(why, EXIT_DENIED)
    found = {} if isinstance(claim, Malformed) else _said(claim)
    counts = True
    if not offline:
        try:
            with tools().engine(data=data) as verbs:
                counts = _ask_store(verbs, text, claim, found)
        except Failure as failure:
            if failure.code != EXIT_CONFIG:
                raise
            say(f"Only what the text says of itself: {failure.message}.")
    if not found:
        raise Failure("this is not the text of a Keyhalt key", EXIT_DENIED)
    show_one(found, output)
    if not counts:
        raise Failure("this key does not count here", EXIT_DENIED)


def _said(claim: KeyClaim) -> dict[str, object]:
    return {
        "product": claim.product,
        "environment": claim.environment,
        "datasource": claim.datasource,
        "owner_id": claim.user_id,
        "key_id": claim.key_id,
        "generation": claim.generation,
        "checksum": "holds",
    }


def _ask_store(
    verbs: Verbs, text: Secret, claim: KeyClaim | Malformed, found: dict[str, object]
) -> bool:
    """Adds what the store knows. Whether it counts is decided by what decides for requests."""
    presented = Presented(keys=(text.reveal().encode(),), over_https=True)
    decision = asyncio.run(verbs.verify.verify(presented))
    if isinstance(decision, Denied) and decision.reason is Reason.UNAVAILABLE:
        raise StoreUnavailableError("it cannot be asked now")
    if isinstance(claim, KeyClaim):
        _add_mac(verbs, claim, found)
    row, place = _row(verbs, decision)
    if row is not None and place is not None:
        found.setdefault("datasource", place.name)
        found.setdefault("owner_id", row.owner_id)
        found.setdefault("key_id", row.id)
        known = row_of(row, place)
        found |= {name: known[name] for name in STORED}
    elif found and isinstance(decision, Denied):
        found["state"] = STATES.get(decision.cause, "unknown")
        if decision.reason is Reason.WRONG_ENVIRONMENT:
            found["state"] = f"of another environment than {verbs.here.environment}"
    return isinstance(decision, Allowed)


def _add_mac(verbs: Verbs, claim: KeyClaim, found: dict[str, object]) -> None:
    if claim.product != verbs.here.product or not verbs.here.names(claim.environment):
        return
    generation = verbs.here.mac_keys().get(claim.generation)
    if generation is not None and generation.state is GenerationState.DIGEST_ONLY:
        found["mac"] = "cannot be checked"
    else:
        holds = generation is not None and keytext.authentic(claim, generation)
        found["mac"] = "holds" if holds else "does not hold"


def _row(verbs: Verbs, decision: Decision) -> tuple[KeyRow | None, DatasourceRow | None]:
    """The key that the decision is about, unless the text and the row do not belong together."""
    if isinstance(decision, Allowed):
        datasource_id, key = decision.principal.datasource_id, decision.principal.credential
    elif decision.cause in STRANGERS or decision.credential is None:
        return None, None
    else:
        datasource_id, key = decision.datasource_id or 0, decision.credential
    place = next((each for each in verbs.look_up.datasources() if each.id == datasource_id), None)
    return (verbs.look_up.any_key(place.id, key.id) if place else None), place
