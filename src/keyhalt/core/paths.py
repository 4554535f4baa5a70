"""Paths of somebody else's API: read in the one way that everybody reads them, or refused.

A proxy shows us the path as the client sent it; what stands behind the proxy may take it apart in
another way. So a path that can be read in two ways is never decided on.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

# The common case: nothing encoded, nothing empty, nothing that anybody reads in a second way.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,=:@.-]+)+/?|/")
_ENCODED_OK = re.compile(r"(?:[A-Za-z0-9_~!$&'()*+,=:@./-]|%[0-9A-Fa-f]{2})+")
# Decoded these would be a separator, a parameter, another coding, or a control character.
_TWO_WAYS = frozenset("/\\;?#%\x7f") | frozenset(map(chr, range(0x20)))
_DOTS = (".", "..")

Segments = tuple[str, ...]


def segments_of(path: str, *, fold: bool) -> Segments | None:
    """The decoded segments of a path without its query; None when it can be read in two ways.

    `/orders/` ends in an empty segment. `fold`: A-Z count as a-z, here and in what stands behind.
    """
    if not _PLAIN.fullmatch(path):
        return _decoded(path, fold=fold)
    segments = path[1:].split("/")
    if "/." in path and any(each in _DOTS for each in segments):
        return None
    return tuple(fold_segment(each) for each in segments) if fold else tuple(segments)


def _decoded(path: str, *, fold: bool) -> Segments | None:
    if not path.startswith("/") or not _ENCODED_OK.fullmatch(path):
        return None
    decoded = []
    raw = path[1:].split("/")
    for number, each in enumerate(raw):
        try:
            segment = unquote_to_bytes(each).decode("utf-8")
        except UnicodeDecodeError:
            return None
        last = number == len(raw) - 1
        if (not segment and not last) or segment in _DOTS or not _TWO_WAYS.isdisjoint(segment):
            return None
        if fold and not segment.isascii() and _folds_to_ascii(segment):
            return None
        decoded.append(fold_segment(segment) if fold else segment)
    return tuple(decoded)


def fold_segment(segment: str) -> str:
    """A-Z to a-z and no more."""
    return segment.translate(_FOLD)


def _folds_to_ascii(segment: str) -> bool:
    """Whether somebody who folds more than A-Z would read another letter in it: the Kelvin sign."""
    return any(
        c.isascii()
        for each in segment
        if not each.isascii()
        for c in unicodedata.normalize("NFKC", each).casefold()
    )


_FOLD = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
