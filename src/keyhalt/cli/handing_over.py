"""Handing over the value of a new key: to its one reader, or the key is undone."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from keyhalt.cli.context import EXIT_CONFLICT, Failure, Verbs, operator, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keyhalt.usecases.rows import KeyRow


def value_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--out-file` and `--output`: where the value of a new key goes, and in which form."""
    output = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "key"]),
        default="table",
        show_default=True,
        help="`key` prints the value alone.",
    )
    path = click.Path(path_type=Path)
    file = click.option("--out-file", type=path, help="Write the value to a new file.")
    return file(output(command))


@contextmanager
def new_file(path: Path | None) -> Iterator[TextIO | None]:
    """A new file that only its user can read, gone again if what fills it fails."""
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Failure(
            f"{path} exists; a key is only written to a new file", EXIT_CONFLICT
        ) from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def undone(verbs: Verbs, row: KeyRow, *, file: TextIO | None, whole: bool) -> Iterator[None]:
    """Delete a new key whose value could not be written: nobody has it.

    Unless it went to a pipe in pieces (not `whole`): then its reader may have it.
    """
    try:
        yield
    except OSError as error:
        if file is None and isinstance(error, BrokenPipeError) and not whole:
            raise
        verbs.delete_key(
            operator(), datasource_id=row.datasource_id, key_id=row.id, origin=origin()
        )
        if file is None:
            # What stdout could not take is not tried again when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = error.strerror
        raise Failure(f"the value could not be written ({why}); key {row.id} was deleted") from None
