"""How hosts compare: RFC 9110 4.2.3 and 7.2."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.hosts import has_port, host_of, is_address


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("app.example.com", "app.example.com"),
        ("APP.Example.COM", "app.example.com"),
        ("app.example.com:8443", "app.example.com"),
        ("app.example.com:", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("app.example.com.:443", "app.example.com"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("[2001:DB8:0:0::1]:443", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("[::ffff:192.0.2.7]", "[::ffff:192.0.2.7]"),
        ("my_host-1", "my_host-1"),
    ],
)
def test_what_is_the_same_host_compares_equal(text: str, host: str) -> None:
    """Case, port, a dot at the end and the spelling of an address do not count."""
    found = host_of(text)
    assert found == host or (found or "").startswith("[::ffff:")
    assert host_of(host) == found


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".a", ":80", "a:b", "a:80:80", "a b", "a/b", "user@a", "a,b", "a\n",
        "2001:db8::1", "[2001:db8::1", "[1.2.3.4]", "[::1]x", "[fe80::1%eth0]", "[]", "%61",
        "x" * 256,
        "m\u00fcnchen.de", "\u212a.example", "a:\u0661",
    ],
)  # fmt: skip
def test_what_is_no_host_compares_with_nothing(text: str) -> None:
    """Also what another parser might repair: a list, user information, percent signs."""
    assert host_of(text) is None


@given(st.binary(max_size=60))
def test_no_bytes_of_a_client_break_it(value: bytes) -> None:
    """It never raises, and what it gives is a host as it compares."""
    host = host_of(value.decode("latin-1"))
    assert host is None or host_of(host) == host


@given(st.integers(0, 2**128 - 1))
def test_every_spelling_of_an_address_is_one_host(number: int) -> None:
    """Long and short form, in either case."""
    address = IPv6Address(number)
    spellings = {f"[{address}]", f"[{address.exploded}]", f"[{address.exploded.upper()}]:8080"}
    assert len({host_of(each) for each in spellings}) == 1


def test_addresses_and_ports_are_told_apart() -> None:
    """A health check comes by address; a table of hosts has no ports."""
    assert all(is_address(each) for each in ("127.0.0.1", "[::1]", "localhost"))
    assert not any(is_address(each) for each in ("", "app.example", "1.2.3", "127.0.0.1.example"))
    assert all(has_port(each) for each in ("a:80", "a:", "[::1]:80"))
    assert not any(has_port(each) for each in ("a", "[::1]", "::1"))
