"""Whom we believe about the client: a listed proxy, and every hop that it names."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt import TrustProxies

PROXY = "10.0.0.7"


def seen(*headers: tuple[str, str], peer: str = PROXY, scheme: str = "http") -> tuple[str, str]:
    """The scheme and the client's address as the app behind sees them."""
    found: list[Any] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.append((scope["scheme"], scope["client"][0]))

    scope = {
        "type": "http",
        "scheme": scheme,
        "client": (peer, 1234),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    asyncio.run(TrustProxies(app, ["10.0.0.0/8", "fd00::/8"])(scope, None, None))  # type: ignore[arg-type]
    scheme, client = found[0]
    return scheme, client


@pytest.mark.parametrize(
    ("headers", "scheme", "client"),
    [
        ([], "http", PROXY),
        ([("X-Forwarded-Proto", "https")], "https", PROXY),
        ([("X-Forwarded-Proto", "HTTPS"), ("X-Forwarded-For", "9.9.9.9")], "https", "9.9.9.9"),
        ([("X-Forwarded-Proto", "https, http")], "http", PROXY),
        ([("X-Forwarded-Proto", "http, https")], "http", PROXY),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], "http", PROXY),
        ([("X-Forwarded-Proto", "")], "http", PROXY),
        ([("Forwarded", "for=9.9.9.9;proto=https")], "https", "9.9.9.9"),
        ([("Forwarded", 'proto=https; for="[2001:db8::1]:443"')], "https", "2001:db8::1"),
        ([("Forwarded", "for=9.9.9.9;proto=https, for=10.1.1.1;proto=http")], "http", "9.9.9.9"),
        ([("Forwarded", "for=9.9.9.9;proto=https, for=10.1.1.1")], "http", "9.9.9.9"),
        ([("Forwarded", "proto=https"), ("X-Forwarded-Proto", "http")], "http", PROXY),
        ([("Forwarded", "for=unknown;proto=https")], "https", PROXY),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "6.6.6.6, 9.9.9.9, 10.2.2.2")],
         "https", "9.9.9.9"),
        ([("X-Forwarded-For", "9.9.9.9:55, 10.2.2.2")], "http", "9.9.9.9"),
    ],
)  # fmt: skip
def test_a_listed_proxy_is_believed(headers: list[Any], scheme: str, client: str) -> None:
    """HTTPS only when every hop says so; the client is the nearest hop that is no listed proxy."""
    assert seen(*headers) == (scheme, client)


def test_nobody_else_is_believed() -> None:
    """Neither about the scheme nor about the address; a name is no address."""
    headers = [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "10.9.9.9")]
    for peer in ("192.0.2.1", "unix", "2001:db8::1"):
        assert seen(*headers, peer=peer) == ("http", peer)


def test_https_to_us_does_not_make_up_for_a_hop_in_clear() -> None:
    """A proxy that took plain HTTP and passes it on encrypted says so, and is believed."""
    assert seen(("X-Forwarded-Proto", "http"), scheme="https")[0] == "http"


@given(
    lies=st.lists(
        st.tuples(
            st.sampled_from(["Forwarded", "X-Forwarded-Proto", "X-Forwarded-For"]),
            st.text('abhtps=;,:"[]0123. forwarded', max_size=40),
        ),
        max_size=4,
    )
)
def test_no_header_of_a_client_makes_plain_http_look_like_https(lies: list[Any]) -> None:
    """Whatever a client adds before what the listed proxy says."""
    assert seen(*lies, ("X-Forwarded-Proto", "http"))[0] == "http"
    assert seen(*lies, ("Forwarded", "for=9.9.9.9;proto=http"))[0] == "http"


def test_a_zone_makes_no_address() -> None:
    """What stands behind the `%` could be any text of any length: it is kept with what was done."""
    hops = ("X-Forwarded-For", f"fe80::1%{'x' * 1000}, 10.0.0.8")
    assert seen(hops)[1] == "10.0.0.8"


def test_a_proxy_is_known_by_its_ipv4_address_on_a_socket_for_both_versions() -> None:
    """Such a socket writes it as an IPv6 address."""
    said = (("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "9.9.9.9"))
    assert seen(*said, peer=f"::ffff:{PROXY}") == ("https", "9.9.9.9")
