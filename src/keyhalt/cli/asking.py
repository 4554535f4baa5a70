"""Asking before what cannot be undone."""

from __future__ import annotations

import sys

import click

from keyhalt.cli.context import EXIT_USAGE, Failure


def sure(question: str, *, to: str, done: str) -> None:
    """Goes on after a yes. Without a terminal nobody can be asked, so `--yes` must have been said.

    `to` and `done`: what is asked about, as in "to delete" and "nothing was deleted". Raises
    Failure.
    """
    if not sys.stdin.isatty():
        raise Failure(f"say --yes to {to} without being asked", EXIT_USAGE)
    if not click.confirm(question, err=True):
        raise Failure(f"nothing was {done}")
