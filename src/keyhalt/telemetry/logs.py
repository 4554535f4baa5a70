"""Logs: one line an event on stderr, with a last net under secrets.

Nothing logs a credential in the first place; the filter is for what a library or a later change
might. It covers texts of a key's shape, bearer tokens and the values of the headers that carry
them.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

FIELDS = "keyhalt"
"""The attribute of a record with what is told beside the message; plain values, by name."""
_SECRETS = re.compile(
    # From where a run of letters begins, and never back into it: else a long one takes its square.
    r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{8,}+=*+\.[A-Za-z0-9+/]{8,}+=*+\.[A-Za-z0-9+/]{40,}+=*"
    r"|(?i:\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:eci-?api-?key|password|proxy-?secret)(?:[\"']?\s*[:=]\s*|[\"'],\s*b?)[\"']?[^\s\"',})]+"
)


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced."""
    return _SECRETS.sub("[redacted]", text)


class RedactingFormatter(logging.Formatter):
    """Redacts after formatting, so that arguments and tracebacks are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """A line is one JSON object, whatever stands in it; docs/watching.md has its fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "ts": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _plain(value) for name, value in line.items()})


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float) else redact(str(value))


def configure(*, access_log: bool, form: str) -> None:
    """Send warnings, and what Keyhalt itself says, to stderr. `form`: `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    text = RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("keyhalt").setLevel(logging.INFO)
    logging.getLogger("keyhalt.access").setLevel(logging.INFO if access_log else logging.WARNING)
