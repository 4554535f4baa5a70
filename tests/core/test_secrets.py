"""What must not be seen, and what makes a set of MAC keys usable."""

from __future__ import annotations

import copy
import hashlib
import hmac
import io
import json
import logging
import pickle
import pprint
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pytest

from keyhalt.core.secrets import (
    Generation,
    GenerationState,
    MacKeys,
    MacKeysError,
    Secret,
    digest_of,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "a-made-up-secret-text"
KEY = bytes(range(32))
ACCEPT, MINT, LOST = GenerationState.ACCEPT, GenerationState.MINT, GenerationState.DIGEST_ONLY


@dataclass
class Holder:
    """Something ordinary that has a secret in it."""

    name: str
    secret: Secret


WAYS_TO_PRINT: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "ascii": ascii,
    "format": format,
    "format with a width": lambda secret: format(secret, ">40"),
    "f-string": lambda secret: f"{secret}",
    "f-string with repr": lambda secret: f"{secret!r}",
    "f-string with a name": lambda secret: f"{secret=}",
    "str.format": "{}".format,
    "percent s": lambda secret: "%s" % secret,  # noqa: UP031 - the way of printing under test
    "percent r": lambda secret: "%r" % secret,  # noqa: UP031
    "in a list": lambda secret: str([secret]),
    "in a dict": lambda secret: str({"secret": secret}),
    "in a dataclass": lambda secret: repr(Holder("x", secret)),
    "in an exception": lambda secret: repr(ValueError(secret)) + str(ValueError(secret)),
    "pprint": pprint.pformat,
    "json with default=str": lambda secret: json.dumps({"secret": secret}, default=str),
    "json with default=repr": lambda secret: json.dumps({"secret": secret}, default=repr),
}


@pytest.mark.parametrize("way", WAYS_TO_PRINT)
def test_a_secret_shows_asterisks_in_every_way_of_printing(way: str) -> None:
    """No ordinary way of turning a secret into text gives its text."""
    printed = WAYS_TO_PRINT[way](Secret(TEXT))
    assert TEXT not in printed
    assert "****" in printed


@pytest.mark.parametrize("pattern", ["%s", "%r", "%a", "%-30s"])
def test_a_secret_does_not_reach_a_log(pattern: str) -> None:
    """A secret passed to the logger, as an argument or as extra, is written as asterisks."""
    sink = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001 - nobody else's
    handler = logging.StreamHandler(sink)
    handler.setFormatter(logging.Formatter("%(message)s %(secret)s"))
    logger.addHandler(handler)
    logger.warning(pattern, Secret(TEXT), extra={"secret": Secret(TEXT)})
    assert TEXT not in sink.getvalue()
    assert sink.getvalue().count("****") == 2


def test_a_secret_does_not_reach_a_traceback() -> None:
    """Even a traceback that shows local variables shows no secret."""

    def fails(secret: Secret) -> None:
        raise RuntimeError(f"could not use {secret}")

    try:
        fails(Secret(TEXT))
    except RuntimeError as error:
        shown = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
    assert "could not use ****" in shown
    assert "secret = Secret(****)" in shown
    assert TEXT not in shown


def test_json_refuses_a_secret() -> None:
    """Without a fallback for unknown objects, a secret cannot be serialised by accident."""
    with pytest.raises(TypeError) as caught:
        json.dumps({"secret": Secret(TEXT)})
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize(
    "take",
    [
        *(lambda s, n=n: pickle.dumps(s, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)),
        lambda secret: pickle.dumps({"secret": [secret]}),
        copy.copy,
        copy.deepcopy,
        lambda secret: copy.deepcopy([secret]),
        lambda secret: asdict(Holder("x", secret)),
    ],
)
def test_a_secret_is_neither_pickled_nor_copied(take: Callable[[Secret], object]) -> None:
    """A secret does not travel to another process, a cache or a second object."""
    with pytest.raises(TypeError, match="not pickled or copied") as caught:
        take(Secret(TEXT))
    assert TEXT not in str(caught.value)


def test_a_secret_has_no_attributes_to_list() -> None:
    """Tools that walk over an object's attributes find none."""
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_a_secret_gives_its_text_only_when_asked_to_reveal_it() -> None:
    """There is one way to read a secret, and it is spelled out."""
    assert Secret(TEXT).reveal() == TEXT


def test_secrets_compare_by_their_text_and_with_secrets_only() -> None:
    """A secret equals a secret of the same text and never a plain string."""
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret("Käserei") == Secret("Käserei")
    assert Secret(TEXT) != TEXT


def test_the_hash_of_a_secret_tells_nothing_of_its_text() -> None:
    """All secrets share one hash, so a hash that gets out is no way to guess the text."""
    assert hash(Secret(TEXT)) == hash(Secret("something else"))


def test_a_digest_is_sha256_of_the_text() -> None:
    """What is stored of a credential is 32 bytes that any tool can compute from its text."""
    assert digest_of(b"") == hashlib.sha256().digest()
    assert digest_of(b"text").hex() == hashlib.sha256(b"text").hexdigest()
    assert len(digest_of(b"text")) == 32


def test_same_is_equality_of_bytes() -> None:
    """Bytes are the same only in full: no prefix, no other length."""
    assert same(b"abc", b"abc")
    assert same(b"", b"")
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"ab")
    assert not same(b"", b"a")


# ---------------------------------------------------------------- MAC keys


def generations(*states: GenerationState) -> dict[int, Generation]:
    """One generation for each state, numbered from 0; a lost one has no key."""
    return {
        number: Generation(number, state, b"" if state is LOST else KEY)
        for number, state in enumerate(states)
    }


def test_a_generation_macs_with_hmac_sha256() -> None:
    """A MAC is the 32 bytes that any HMAC-SHA256 gives for the key and the message."""
    expected = hmac.new(KEY, b"message", "sha256").digest()
    assert Generation(0, MINT, KEY).mac(b"message") == expected
    assert Generation(0, ACCEPT, KEY).mac(b"message") == expected


def test_a_lost_generation_has_no_mac() -> None:
    """Nothing is ever signed or checked with a MAC key that is not there."""
    with pytest.raises(MacKeysError, match="the MAC key of generation 4 is lost"):
        Generation(4, LOST, b"").mac(b"message")


@pytest.mark.parametrize("key", [KEY, b"a key in plain letters, made up for this"])
def test_a_printed_mac_key_is_asterisks(key: bytes) -> None:
    """Neither a generation nor a set of them shows a MAC key, in any printing."""
    keys = MacKeys({3: Generation(3, MINT, key)})
    for printed in (repr(keys), str(keys), f"{keys}", repr(keys.minting), pprint.pformat(keys)):
        assert "Generation(3, mint, ****)" in printed
        assert repr(key)[2:-1] not in printed
        assert key.hex() not in printed


def test_mac_keys_find_generations_by_number() -> None:
    """Each number leads to its own generation, an unknown one to none."""
    keys = MacKeys(generations(ACCEPT, MINT, LOST))
    assert keys.minting.number == 1
    assert [keys.get(n) for n in range(3)] == list(keys.generations.values())
    assert keys.get(3) is None
    assert keys.get(-1) is None


@pytest.mark.parametrize(
    ("states", "minting"),
    [([], 0), ([ACCEPT], 0), ([LOST], 0), ([MINT, MINT], 2), ([MINT] * 16, 16)],
)
def test_exactly_one_generation_mints(states: list[GenerationState], minting: int) -> None:
    """A set that makes no keys, or could make them in two ways, is refused with the count."""
    with pytest.raises(MacKeysError) as caught:
        MacKeys(generations(*states))
    assert str(caught.value) == f"exactly one MAC-key generation must mint, {minting} do"


@pytest.mark.parametrize(("place", "number"), [(0, 1), (16, 16), (-1, -1), (255, 255)])
def test_a_generation_has_a_number_of_four_bits_and_stands_under_it(
    place: int, number: int
) -> None:
    """A generation that no key's text could name is refused."""
    with pytest.raises(MacKeysError) as caught:
        MacKeys({place: Generation(number, MINT, KEY)})
    assert str(caught.value) == f"a MAC-key generation is numbered 0 to 15, not {place}"


@pytest.mark.parametrize("state", [ACCEPT, MINT])
@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_a_short_mac_key_is_refused_with_its_generation_and_length(
    state: GenerationState, length: int
) -> None:
    """A MAC key below 32 bytes never counts, and the message says which and how short it is."""
    key = b"k" * length
    places = {0: Generation(0, MINT, KEY), 2: Generation(2, ACCEPT, KEY)}
    places |= {0: Generation(0, MINT, key)} if state is MINT else {2: Generation(2, ACCEPT, key)}
    with pytest.raises(MacKeysError) as caught:
        MacKeys(places)
    number = 0 if state is MINT else 2
    assert str(caught.value) == (
        f"the MAC key of generation {number} has {length} bytes; it needs at least 32"
    )


@pytest.mark.parametrize("length", [32, 33, 64, 200])
def test_a_mac_key_of_32_bytes_or_more_is_taken(length: int) -> None:
    """The limit is a minimum."""
    assert MacKeys({0: Generation(0, MINT, bytes(length))}).minting.number == 0


def test_a_lost_generation_needs_no_key() -> None:
    """Keys whose MAC key was lost keep their generation, beside one that mints."""
    assert MacKeys(generations(LOST, MINT)).get(0) == Generation(0, LOST, b"")
