"""The clocks of this machine. The only module that reads one."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

if sys.platform == "linux":
    # Seconds that never go back, do not follow the wall clock, and run on while suspended.
    boottime = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
else:

    def boottime() -> float:
        """Seconds that never go back and do not follow the wall clock."""
        return time.monotonic()


def boot_id() -> str:
    """Which start of this machine it is; empty where that is not told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    # The clock of leases, too: one reading of it serves a whole request. Not a method of ours
    # around it, because of those.
    monotonic = staticmethod(boottime)
