"""What is kept of a key's use. Where it came from is kept coarse: it says something of people."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network

_PREFIX_BITS = {4: 24, 6: 48}
# A longer product may be a pasted key.
_PRODUCT = re.compile(rb"([A-Za-z][A-Za-z0-9._+-]{0,23})(?:[/ ;(]|$)")


def network_of(source: str) -> str:
    """The network of an address: `203.0.113.0/24`, `2001:db8::/48`. Empty for what is none."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ip_network((address, _PREFIX_BITS[address.version]), strict=False))


def agent_family(user_agent: bytes) -> str:
    """The first product of a User-Agent without its version (RFC 9110 10.1.5); empty if odd."""
    product = _PRODUCT.match(user_agent)
    return product[1].decode("ascii") if product else ""
