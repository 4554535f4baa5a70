"""Anchors in syslog, beside the file: on another host, where nobody here can change them."""

from __future__ import annotations

import logging
import socket
import sys
from logging.handlers import SysLogHandler
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyhalt.usecases.audit_chain import AnchorStore

SECONDS = 2.0


class SyslogAnchors:
    """Implements AnchorStore: what `kept` keeps is sent too. Only `kept` can be read again.

    `address`: the path of a local socket, or `host:port`, by UDP.
    """

    def __init__(self, kept: AnchorStore, address: str) -> None:
        self._kept = kept
        self._address = address
        self._last = ""

    def append(self, line: str, *, unless: str) -> None:
        self._kept.append(line, unless=unless)
        if self._last != unless:
            _send(self._address, f"keyhalt: {line}")
            self._last = unless

    def lines(self) -> Iterator[str]:
        return self._kept.lines()


def _send(address: str, text: str) -> None:
    """Raises OSError. A connection for each: a log that was restarted is found again."""
    host, _, port = address.rpartition(":")
    where = address if address.startswith("/") else (host.strip("[]"), int(port))
    handler = _Sending(where, facility=SysLogHandler.LOG_AUTH)
    try:
        # A local log that reads nothing must not hold the anchoring up.
        connection = getattr(handler, "socket", None)
        if isinstance(connection, socket.socket):
            connection.settimeout(SECONDS)
        handler.emit(logging.LogRecord("keyhalt", logging.INFO, "", 0, text, None, None))
    finally:
        handler.close()


class _Sending(SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - as it is called
        """Instead of a traceback on stderr."""
        error = sys.exception()
        raise error if isinstance(error, OSError) else OSError(str(error))
