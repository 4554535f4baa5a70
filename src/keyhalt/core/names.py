"""How names compare, and which texts may be names at all.

1. Two names are the same when they are equal after NFC and case folding: `JSmith` is `jsmith`.
2. A name keeps the spelling it was given.
3. A name has no control or format characters and no space at its ends, and is not empty.
4. The name of an environment or a datasource is part of every key: it also holds no `|`, `"` or
   backslash (it stands in the challenge), and does not change once a key was made.
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks that are drawn as nothing, so that two names would look alike.
_DRAWN_AS_NOTHING = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
_BEGUN_MIN = 4
_IN_KEYS = '|"\\'


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` for a misspelt word, or nothing."""
    words = list(known)
    begun = [each for each in words if len(word) >= _BEGUN_MIN and each.startswith(word)]
    close = begun[:3] or difflib.get_close_matches(word, words, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def fold(name: str) -> str:
    """The form in which names compare. Idempotent."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", folded).casefold())


def fault_of(name: str, *, length_max: int) -> str | None:
    """Why `name` cannot be a name, as the rest of a sentence ("must not be empty"), or None."""
    if not name.strip():
        return "must not be empty"
    if len(name) > length_max:
        return f"must have at most {length_max} characters, this has {len(name)}"
    if has_unseen(name):
        return "must not hold control characters"
    if name != name.strip():
        return "must not begin or end with a space"
    return None


def fault_in_keys(name: str, *, length_max: int) -> str | None:
    """As `fault_of`, for a name that becomes part of key texts and of the challenge."""
    fault = fault_of(name, length_max=length_max)
    if fault is None and any(character in name for character in _IN_KEYS):
        return 'must not hold any of | " \\'
    return fault


def has_unseen(text: str, *, but: str = "") -> bool:
    """Whether `text` holds a character that a person cannot see, other than those in `but`."""
    return any(
        (unicodedata.category(c) in _UNSEEN or c in _DRAWN_AS_NOTHING) and c not in but
        for c in text
    )
