"""Logs: one line an event on stderr, with a last net under secrets.

Nothing logs a credential in the first place; the filter is for what a library or a later change
might. It covers texts of a key's shape, bearer tokens and the values of the headers that carry
them.
"""

from __future__ import annotations

import logging
import re
import sys

_SECRETS = re.compile(
    r"[A-Za-z0-9+/]{8,}=*\.[A-Za-z0-9+/]{8,}=*\.[A-Za-z0-9+/]{40,}=*"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:eci-?api-?key|password)[\"']?\s*[:=]\s*[\"']?[^\s\"',}]+"
)


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    return _SECRETS.sub("[redacted]", text)


class RedactingFormatter(logging.Formatter):
    """Redacts after formatting, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(*, access_log: bool) -> None:
    """Send warnings, and what Keyhalt itself says, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("keyhalt").setLevel(logging.INFO)
    logging.getLogger("keyhalt.access").setLevel(logging.INFO if access_log else logging.WARNING)
