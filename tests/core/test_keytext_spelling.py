"""One spelling of each key, no input that breaks, and what may be seen."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keyhalt.core import keytext
from keyhalt.core.keytext import KeyClaim, Malformed
from keyhalt.core.secrets import Generation, GenerationState
from tests.core.keytexts import (
    DOC,
    FACTS,
    GOLDEN,
    MAC_KEY,
    MINTING,
    STANDARD_TO_URL,
    minted,
    opened,
    passes,
    quick,
    sealed,
    signed,
)
from tests.fuzz import fuzz_keytext

# ---------------------------------------------------------------- one spelling


@pytest.mark.parametrize("recase", [bytes.upper, bytes.lower, bytes.swapcase])
def test_a_text_in_other_letters_is_no_key(recase: Any) -> None:
    """Case counts in every part of the text."""
    text = minted()
    assert not passes(recase(text), MINTING)
    parts = text.split(b".")
    for at in range(3):
        changed = [recase(part) if i == at else part for i, part in enumerate(parts)]
        if changed != parts:
            assert not passes(b".".join(changed), MINTING)


def test_the_url_alphabet_is_no_spelling_of_a_key() -> None:
    """Only the standard Base64 alphabet counts, though other decoders read both."""
    text = minted(random=b"\xfb\xff\xbe" * 6 + b"\xff")
    assert b"+" in text
    assert b"/" in text
    for alias in (
        text.translate(STANDARD_TO_URL),
        text.replace(b"+", b"-"),
        text.replace(b"/", b"_"),
    ):
        assert keytext.parse(alias) == Malformed("foreign", hashlib.sha256(alias).digest())


@pytest.mark.parametrize("datasource", ["orch", "orcha", "orchar"])
def test_padding_is_exactly_what_the_standard_says(datasource: str) -> None:
    """Missing, doubled and misplaced padding are other spellings, so no key."""
    text = minted(datasource=datasource)
    one, two, three = text.split(b".")
    for at, part in enumerate((one, two, three)):
        bare = part.rstrip(b"=")
        for padded in (bare, bare + b"=", bare + b"==", bare + b"===", b"=" + part, part + b"===="):
            if padded != part:
                parts = [one, two, three]
                parts[at] = padded
                assert not passes(b".".join(parts), MINTING), padded


def test_stray_bits_before_the_padding_are_no_spelling_of_a_key() -> None:
    """What a forgiving decoder reads as the same bytes is still another text."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    where, whose, payload = minted().split(b".")
    bare = where.rstrip(b"=")
    assert bare != where
    aliases = [bare[:-1] + bytes([c]) + where[len(bare) :] for c in alphabet]
    same_bytes = [a for a in aliases if base64.b64decode(a) == base64.b64decode(where)]
    assert len(same_bytes) > 1
    spelled = [a for a in same_bytes if passes(b".".join((a, whose, payload)), MINTING)]
    assert spelled == [where]


@pytest.mark.parametrize("space", [b" ", b"\t", b"\r\n", b"\n", b"\v", b"\f", b"\0", b"\xc2\xa0"])
def test_whitespace_is_nothing_special(space: bytes) -> None:
    """A text with whitespace around it or between its parts is not a key."""
    text = minted()
    for spaced in (space + text, text + space, text.replace(b".", b"." + space)):
        assert isinstance(keytext.parse(spaced), Malformed)


@pytest.mark.parametrize(
    "spelling",
    [
        *("0", "-1", "+12", "012", "12.0", "1e1", "1_2", "0x0c"),
        *("2147483648", "99999999999", "00000000012"),
        *("", " 12", "12 ", "12\n", "\u0661\u0662", "\uff11\uff12", "1\u00b2"),
    ],
)
def test_an_id_has_one_spelling(spelling: str) -> None:
    """Only plain decimals from 1 to 2^31-1 are ids, even under a MAC and checksum that hold."""
    whose = "orchard|{}|{}"
    for ids_said in ((spelling, "345"), ("12", spelling)):
        text = signed(b"keyhalt|Lab", whose.format(*ids_said).encode())
        assert keytext.parse(text) == Malformed("foreign", hashlib.sha256(text).digest())
    assert passes(signed(b"keyhalt|Lab", b"orchard|12|345"), MINTING)


@pytest.mark.parametrize(
    ("where", "whose"),
    [
        (b"keyhalt", b"orchard|12|345"),
        (b"keyhalt|Lab|x", b"orchard|12|345"),
        (b"keyhalt|", b"orchard|12|345"),
        (b"|Lab", b"orchard|12|345"),
        (b"", b"orchard|12|345"),
        (b"keyhalt|Lab", b"|12|345"),
        (b"keyhalt|Lab", b"orchard|12|345|x"),
        (b"keyhalt|Lab", b"12|345"),
        (b"keyhalt|Lab", b"orchard|12|345|"),
        (b"keyhalt|Lab", b"or|chard|12|345"),
        (b"keyhalt|Lab", b""),
        (b"keyhalt|L\xe4b", b"orchard|12|345"),
        (b"keyhalt|L\xc0\xafb", b"orchard|12|345"),
        (b"keyhalt|\xed\xa0\x80", b"orchard|12|345"),
    ],
)
def test_parts_have_exactly_their_names_in_utf8(where: bytes, whose: bytes) -> None:
    """A missing, empty or extra name and bytes that are not UTF-8 are not of our shape."""
    claim = keytext.parse(signed(where, whose))
    assert isinstance(claim, Malformed)
    assert claim.why == "foreign"


@pytest.mark.parametrize("nibble", [n for n in range(16) if n != keytext.VERSION])
def test_a_version_that_was_never_given_out_is_foreign(nibble: int) -> None:
    """Another system's 36 characters of GUID text, or a later version, is not a broken key."""
    where, whose, body = opened(minted())
    text = sealed(where, whose, bytes([nibble << 4 | 5]) + body[1:])
    assert keytext.parse(text) == Malformed("foreign", hashlib.sha256(text).digest())


@pytest.mark.parametrize("first", "0123456789abcdefABCDEF")
def test_a_key_whose_last_part_is_a_guid_is_foreign(first: str) -> None:
    """Keys of a system that puts GUID text in part 3 can be imported, whatever it begins with."""
    guid = f"{first}d9e1f6a-1111-4222-8333-444455556666".encode()
    text = b".".join(base64.b64encode(p) for p in (b"theirs|Lab", b"orchard|12|345", guid))
    assert keytext.parse(text) == Malformed("foreign", hashlib.sha256(text).digest())


def test_a_payload_of_another_length_is_foreign() -> None:
    """Part 3 has 36 bytes, neither more nor fewer, whatever its checksum says."""
    for length in [*range(36), 37, 40, 64]:
        where, whose, body = opened(minted())
        text = sealed(where, whose, (body + bytes(64))[: max(length - 4, 0)])
        if length != 36:
            assert isinstance(keytext.parse(text), Malformed)


# ---------------------------------------------------------------- anything at all


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1200))
def test_no_bytes_make_parse_raise(text: bytes) -> None:
    """Whatever a client sends, parse answers with a value."""
    said = keytext.parse(text)
    assert said.digest == hashlib.sha256(text).digest()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=40))
def test_no_parts_of_our_outer_shape_make_parse_raise(
    where: bytes, whose: bytes, body: bytes
) -> None:
    """Well-formed Base64 around arbitrary bytes, with a checksum that holds, is answered too."""
    assert not passes(sealed(where, whose, body), MINTING)


@settings(max_examples=300, deadline=None)
@given(
    where=st.from_regex(r"[a-z]{0,3}\|?[a-z]{0,3}", fullmatch=True),
    whose=st.from_regex(r"[a-z]{0,3}\|?[+ 0-9]{0,11}\|?[-0-9_]{0,11}", fullmatch=True),
    head=st.integers(0x0F, 0x21),
)
def test_every_claim_is_the_only_text_of_what_it_says(where: str, whose: str, head: int) -> None:
    """Spelling a claim's facts and payload again gives the very text that was presented."""
    text = sealed(where.encode(), whose.encode(), bytes([head]) + bytes(31))
    claim = keytext.parse(text)
    if isinstance(claim, KeyClaim):
        assert fuzz_keytext.spelled(claim) == text


def test_a_text_above_the_limit_is_foreign_whatever_it_holds() -> None:
    """Long texts are not looked into."""
    text = signed(b"keyhalt|Lab", b"x" * 800 + b"|12|345")
    assert keytext.parse(text) == Malformed("foreign", hashlib.sha256(text).digest())


# ---------------------------------------------------------------- MAC keys


@quick
@given(key=st.binary(min_size=32, max_size=80))
def test_a_claim_signed_under_another_mac_key_is_not_authentic(key: bytes) -> None:
    """Only the very MAC key that made a text vouches for it."""
    # HMAC pads a short key with zeros, so a key with zeros appended is the same key.
    assume(key.rstrip(b"\0") != MAC_KEY)
    assert not passes(minted(), Generation(5, GenerationState.ACCEPT, key))


def test_a_claim_is_not_authentic_under_another_generation() -> None:
    """Pointing a text at another generation breaks its MAC, even where both have the same key."""
    where, whose, body = opened(minted())
    for number in range(16):
        moved = sealed(where, whose, bytes([0x10 | number]) + body[1:])
        with_same_key = Generation(number, GenerationState.ACCEPT, MAC_KEY)
        with_own_key = Generation(number, GenerationState.ACCEPT, bytes(range(number + 1, 48)))
        assert passes(moved, with_same_key) is (number == 5)
        assert not passes(moved, with_own_key)


def test_an_accepted_generation_vouches_and_a_lost_one_never_does() -> None:
    """Whether a generation still mints does not matter to its keys; that its key is lost does."""
    claim = keytext.parse(minted())
    assert isinstance(claim, KeyClaim)
    assert keytext.authentic(claim, Generation(5, GenerationState.ACCEPT, MAC_KEY))
    assert not keytext.authentic(claim, Generation(5, GenerationState.DIGEST_ONLY, b""))
    assert not keytext.authentic(claim, Generation(5, GenerationState.DIGEST_ONLY, MAC_KEY))


# ---------------------------------------------------------------- what may be seen


def test_a_hint_shows_the_id_and_four_characters_that_hold_checksum_only() -> None:
    """What may be shown afterwards has no random byte and no byte of the MAC in it."""
    text = minted()
    shown = keytext.hint(345, text.decode())
    assert shown == "345…" + text[-4:].decode()
    _, _, payload = (base64.b64decode(part) for part in text.split(b"."))
    assert base64.b64decode(text[-4:]) == payload[-3:]


def test_a_minted_text_redacts_itself() -> None:
    """The text comes out of mint only through an explicit reveal."""
    secret = keytext.mint(generation=MINTING, **FACTS)
    payload = secret.reveal().split(".")[2]
    assert payload not in f"{secret} {secret!r}"


def test_a_printed_claim_gives_no_key_away() -> None:
    """A claim that gets into a log or a traceback does not have the key's text in it."""
    claim = keytext.parse(minted(random=b"thirteen blue birds"))
    assert "thirteen blue birds" not in repr(claim)


# ---------------------------------------------------------------- fuzzing and the document


def test_two_thousand_mutated_golden_texts_break_nothing() -> None:
    """The fuzz target's own rules hold on a short run with a fixed seed."""
    assert fuzz_keytext.mutate(runs=2_000, seed=1) == 2_000


def test_the_fuzz_target_would_notice_an_unstable_reading() -> None:
    """The target checks golden texts as authentic, so it is not blind to its own subject."""
    assert all(fuzz_keytext.check(golden["text"].encode()) for golden in GOLDEN)
    assert not fuzz_keytext.check(b"somebody-elses-key")


def test_the_examples_of_the_document_are_true() -> None:
    """Every python block of docs/key-text.md runs, in order, in one namespace."""
    blocks = re.findall(r"^```python\n(.*?)^```$", DOC.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, DOC.name, "exec"), namespace)  # noqa: S102 - our own document
