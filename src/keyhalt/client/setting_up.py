"""Mistakes in how an app is put behind the keys, told where they are made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason

if TYPE_CHECKING:
    from collections.abc import Collection

# Looked up once: asking an enumeration for a member is dear, and a flood of denials comes by here.
_HTTPS_REQUIRED = Reason.HTTPS_REQUIRED
_log = logging.getLogger("keyhalt")


def open_paths_of(paths: Collection[str]) -> frozenset[str]:
    """Raises TypeError for a text, whose letters would each be a path; ValueError for no path."""
    if isinstance(paths, str | bytes):
        raise TypeError(f"open_paths is a list of paths, such as [{paths!r}], not one text")
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"open_paths: {path!r} is no path, which begins with /")
    return frozenset(paths)


class HttpNotice:
    """Says once, in the log, which setting a request over plain HTTP was refused for."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, denied: Denied) -> None:
        if denied.reason is not _HTTPS_REQUIRED or self._said:
            return
        self._said = True
        _log.warning(
            "a request was refused since it came over plain HTTP; to try things out on one machine"
            " set KEYHALT_INSECURE_HTTP=true, behind a proxy say which one is believed:"
            " KEYHALT_TRUSTED_PROXIES for the server, TrustProxies around an app of yours"
        )
