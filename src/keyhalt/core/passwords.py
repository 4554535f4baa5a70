"""What a password must be, and how long it is good for. docs/wire.md has the rules in sentences.

1. Length is what counts (NIST SP 800-63B-4): any characters but control characters, no rules
   about kinds of them, unless the user is marked `strong` (EnergyCAP's rule on top).
2. A password that is made of nothing but the most common ones, of sequences, of repetitions, or
   of what everybody knows of its user is refused, however long it is.
3. A password that is too old, or that somebody else chose, is good for choosing another only.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from keyhalt.core.common_passwords import COMMON
from keyhalt.core.names import has_unseen

if TYPE_CHECKING:
    from collections.abc import Iterable

LENGTH_MIN = 15
LENGTH_MIN_LEAST = 8
"""The lowest minimum that a datasource may set."""
LENGTH_MIN_MOST = 64
"""The highest one: 64 characters must always be enough (NIST SP 800-63B-4)."""
LENGTH_MAX = 128


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """`length_min`: of the datasource. `strong`: the user is marked for the rule on top."""

    length_min: int = LENGTH_MIN
    strong: bool = False


@dataclass(frozen=True, slots=True)
class PasswordAge:
    """`interval_days`: how long it is good for; 0 is for ever. `since`: when it was set."""

    since: datetime
    interval_days: int = 0
    must_change: bool = False

    def expired(self, now: datetime) -> bool:
        return self.interval_days > 0 and now >= self.since + timedelta(days=self.interval_days)


def normal(password: str) -> str:
    """The one spelling that is counted and hashed: keyboards differ in how they write an é."""
    return unicodedata.normalize("NFKC", password)


def fault_of_password(
    password: str, policy: PasswordPolicy, about: Iterable[str] = ()
) -> str | None:
    """Why `password` may not be one, as a sentence that does not repeat it; None: it may.

    `about`: what everybody knows of its user, such as user code, name and address.
    """
    text = normal(password)
    if not policy.length_min <= len(text) <= LENGTH_MAX or has_unseen(password):
        return (
            f"A password has {policy.length_min} to {LENGTH_MAX} characters and no control"
            " characters; several words are a good one."
        )
    if policy.strong and not _is_strong(text):
        return (
            "This user's password needs an upper-case and a lower-case letter, a digit and a"
            " special character."
        )
    if _is_expected(text, about):
        return (
            "This password is made of what is guessed first: common passwords, sequences,"
            " repetitions, or the user's own name."
        )
    return None


def _is_strong(text: str) -> bool:
    kinds = (str.isupper, str.islower, str.isdigit, lambda c: not c.isalnum() and not c.isspace())
    return all(any(kind(char) for char in text) for kind in kinds)


# ------------------------------------------------------------------ what is guessed first

_PERIOD_MAX = 6
_PIECE_MAX = 24
_RUN_MIN = 3
_KEYS_MIN = 4
_SPARE_MAX = 2
_ROWS = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_KEYS = tuple(row[::step] for row in _ROWS for step in (1, -1))
_SIGNS = "@$"
# Signs and digits that stand for letters; a 1 is an l or an i.
_READINGS = tuple(str.maketrans("01345789@$", letters) for letters in ("oleastbgas", "oieastbgas"))


def _is_expected(text: str, about: Iterable[str]) -> bool:
    folded = text.casefold()
    if _period(folded) <= _PERIOD_MAX:
        return True
    words = COMMON | {part for each in about for part in _parts(each)}
    letters = "".join(char for char in folded if char.isalnum() or char in _SIGNS)
    return _spare(letters, words) <= _SPARE_MAX


def _parts(known: str) -> Iterable[str]:
    """The words of a name or address, and all of it in one."""
    parts = re.findall(r"\w+", known.casefold())
    return (part for part in (*parts, "".join(parts)) if len(part) >= _RUN_MIN)


def _period(text: str) -> int:
    """The length of the shortest piece that `text` consists of, over and over."""
    return (text + text).find(text, 1)


def _spare(text: str, words: frozenset[str]) -> int:
    """How many characters are left when `text` is cut into expected pieces as well as it can be."""
    readings = (text, *(text.translate(table) for table in _READINGS))
    least = [0]
    for end in range(1, len(text) + 1):
        starts = range(max(0, end - _PIECE_MAX), end)
        cut = [least[at] for at in starts if _is_piece(readings, at, end, words)]
        least.append(min([least[-1] + 1, *cut]))
    return least[-1]


def _is_piece(readings: tuple[str, ...], start: int, end: int, words: frozenset[str]) -> bool:
    plain = readings[0]
    piece = plain[start:end]
    if piece in _SIGNS or any(reading[start:end] in words for reading in readings):
        return True
    if piece.isdigit() and len(piece) <= _KEYS_MIN:
        # A year or a number behind a word; not four digits out of many.
        return not (plain[start - 1 : start].isdigit() or plain[end : end + 1].isdigit())
    if len(piece) < _RUN_MIN:
        return False
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(piece)}
    in_a_row = len(steps) == 1 and steps <= {-1, 0, 1}
    return in_a_row or (len(piece) >= _KEYS_MIN and any(piece in keys for keys in _KEYS))
