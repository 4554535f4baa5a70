"""Which host a request is for, and how hosts compare (RFC 9110 4.2.3 and 7.2, RFC 3986 3.2.2).

1. Letters have no case; the port does not count; one dot at the end of a name does not count.
2. An IPv6 address stands in brackets, and compares as an address, however it is written.
3. What is no host compares with nothing.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]{1,255})(?::([0-9]*))?")


def host_of(text: str) -> str | None:
    """The form in which hosts compare, of a value of `Host`: `App.Example:443` is `app.example`.

    None when it is none. Idempotent.
    """
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    host = found[1]
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    name = host.lower().removesuffix(".")
    return name if all(name.split(".")) else None


def has_port(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and found[2] is not None


def is_address(host: str) -> bool:
    """Whether a host, as `host_of` gives it, is an address or this machine's own name."""
    if host == "localhost" or host.startswith("["):
        return True
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True
