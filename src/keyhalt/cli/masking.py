"""What was typed and may be a key is not repeated, whatever was wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "…"
_OURS = re.compile(r"[A-Za-z0-9+/=_-]{4,}\.[A-Za-z0-9+/=_-]{4,}\.[A-Za-z0-9+/=_-]{16,}")
_RUN = re.compile(r"[A-Za-z0-9+]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PIECE = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_PATH = ("/", "./", "../", "~")
_DIGITS_MIN = 2


def masked(message: str, typed: Iterable[str]) -> str:
    """`message` with `…` for each word of `typed` that may be a key, and for its parts.

    May be: three parts as ours have, or a long run of letters and digits that has both.
    """
    secrets = sorted({part for word in typed for part in _parts(word)}, key=len, reverse=True)
    shown = message
    for secret in secrets:
        shown = shown.replace(secret, MASK)
    if shown == message:
        return message
    return (
        f"{shown} ({MASK} may be a key, so it is not repeated; what stands on a command line is"
        " seen by others: a key is read with --key-stdin or --key-file)"
    )


def _parts(word: str) -> Iterator[str]:
    if not (_OURS.search(word) or (not word.startswith(_PATH) and _random(word))):
        return
    yield word
    # Of `--option=VALUE`, or of what was taken for one, a message may have either side alone.
    for side in (word.lstrip("-"), *word.lstrip("-").partition("=")[::2]):
        if _PIECE.search(side):
            yield side
            yield "--" + side
    yield from _PIECE.findall(word)


def _random(word: str) -> bool:
    return any(
        sum(letter.isdigit() for letter in run) >= _DIGITS_MIN and not run.isdigit()
        for run in _RUN.findall(word)
    )
