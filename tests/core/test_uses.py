"""Where a use came from is kept coarse, and nothing that could be a secret is kept."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.uses import agent_family, network_of


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", ""),
        ("", ""),
        ("999.1.1.1", ""),
    ],
)
def test_a_network_stands_for_an_address(source: str, network: str) -> None:
    """What is no address has none."""
    assert network_of(source) == network


@given(st.ip_addresses())
def test_the_network_holds_the_address(address: object) -> None:
    """Whichever it is."""
    network = ip_network(network_of(str(address)))
    plain = ip_address(str(address))
    inner = getattr(plain, "ipv4_mapped", None) or plain
    assert inner in network


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (b"python-requests/2.32.3", "python-requests"),
        (b"curl/8.5.0", "curl"),
        (b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101", "Mozilla"),
        (b"Java", "Java"),
        (b"", ""),
        (b"(odd)", ""),
        (b"a" * 25, ""),
        (b"legacy-key-of-another-system-0123456789", ""),
        (b"caf\xc3\xa9/1", ""),
    ],
)
def test_an_agent_is_its_first_product(agent: bytes, family: str) -> None:
    """Without a version; what is longer than a product's name may be a pasted key."""
    assert agent_family(agent) == family
