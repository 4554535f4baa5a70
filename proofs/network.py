"""A network of its own for a server, whose cable to the database can be pulled; needs root."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from ipaddress import IPv4Address

_FIRST = IPv4Address("10.212.0.0")
_NETS = 16_384
_numbers = itertools.count()


class Namespace:
    """A network namespace with two cables: one to the database, one to whoever asks the server.

    `here`: this side of the first, where the database has to listen. `there`: the server's side of
    the second, where it has to. Raises OSError where there can be none.
    """

    def __init__(self) -> None:
        number = next(_numbers)
        self.name = f"keyhalt{os.getpid()}n{number}"
        # Another run beside this one has another number.
        net = (os.getpid() * 8 + number) % _NETS
        self._cable = f"kh{net}d"
        _ip("netns", "add", self.name)
        try:
            self.here, _ = self._lay(self._cable, "db", _FIRST + 8 * net)
            _, self.there = self._lay(f"kh{net}h", "http", _FIRST + 8 * net + 4)
            self._inside("link", "set", "lo", "up")
        except OSError:
            self.close()
            raise

    def command(self, *words: object) -> list[str]:
        """What runs `words` inside; the process is theirs."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def unplug(self) -> None:
        """From now on nothing arrives and nothing is refused."""
        _ip("link", "set", self._cable, "down")

    def plug_in(self) -> None:
        _ip("link", "set", self._cable, "up")

    def close(self) -> None:
        """Its cables go with it."""
        _ip("netns", "delete", self.name)

    def _lay(self, ours: str, theirs: str, net: IPv4Address) -> tuple[str, str]:
        here, there = str(net + 1), str(net + 2)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.name)
        _ip("address", "add", f"{here}/30", "dev", ours)
        self._inside("address", "add", f"{there}/30", "dev", theirs)
        _ip("link", "set", ours, "up")
        self._inside("link", "set", theirs, "up")
        return here, there

    def _inside(self, *words: str) -> None:
        _ip("-n", self.name, *words)


def namespaces(count: int) -> list[Namespace]:
    """As many, or none where this machine or this user cannot have them."""
    made: list[Namespace] = []
    if os.geteuid() or shutil.which("ip") is None:
        return made
    try:
        made.extend(Namespace() for _ in range(count))
    except OSError:
        for each in made:
            each.close()
        return []
    return made


def _ip(*words: str) -> None:
    """Raises OSError."""
    program = shutil.which("ip") or "ip"
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
