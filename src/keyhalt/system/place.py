"""Where this process runs, for who looks for a process that does not answer."""

from __future__ import annotations

import os
import socket


def place() -> tuple[str, int]:
    """The host's name, and the number of the process on it, now: a fork has its own."""
    return socket.gethostname(), os.getpid()
