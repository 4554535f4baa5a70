"""The text of a key: what docs/key-text.md promises."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core import keytext
from keyhalt.core.keytext import ID_MAX, KeyClaim, Malformed
from keyhalt.core.secrets import Generation, GenerationState, MacKeysError
from tests.core.keytexts import (
    FACTS,
    GOLDEN,
    MAC_KEY,
    MINTING,
    facts,
    generation_of,
    generations,
    ids,
    minted,
    names,
    opened,
    passes,
    quick,
    sealed,
)

# ---------------------------------------------------------------- mint and parse


@quick
@given(facts=facts, generation=generations)
def test_a_minted_text_parses_to_the_facts_it_was_made_from(
    facts: dict[str, Any], generation: Generation
) -> None:
    """Parsing undoes minting, and the MAC holds under the generation that made it."""
    text = keytext.mint(generation=generation, **facts).reveal().encode()
    claim = keytext.parse(text)
    assert isinstance(claim, KeyClaim)
    assert claim.product == facts["product"]
    assert claim.environment == facts["environment"]
    assert claim.datasource == facts["datasource"]
    assert (claim.user_id, claim.key_id) == (facts["user_id"], facts["key_id"])
    assert claim.generation == generation.number
    assert claim.digest == hashlib.sha256(text).digest()
    assert keytext.authentic(claim, generation)


@quick
@given(facts=facts, generation=generations)
def test_a_text_is_three_padded_base64_parts_with_a_payload_of_48_characters(
    facts: dict[str, Any], generation: Generation
) -> None:
    """The text has the shape that scanners, headers and the database's column count on."""
    text = keytext.mint(generation=generation, **facts).reveal()
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*\.[A-Za-z0-9+/]+=*\.[A-Za-z0-9+/]{48}", text)
    assert len(text) <= keytext.TEXT_BYTES_MAX


def test_different_random_bytes_give_different_texts() -> None:
    """Every one of the 152 random bits reaches the text."""
    plain = bytes(19)
    flipped = [(1 << bit).to_bytes(19, "big") for bit in range(152)]
    assert len({minted(random=random) for random in [plain, *flipped]}) == 153


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"product": ""}, "not empty"),
        ({"environment": ""}, "not empty"),
        ({"datasource": ""}, "not empty"),
        ({"product": "key|halt"}, "holds no"),
        ({"environment": "Lab|"}, "holds no"),
        ({"datasource": "|orchard"}, "holds no"),
        ({"user_id": 0}, "from 1 to 2147483647"),
        ({"user_id": -1}, "from 1 to 2147483647"),
        ({"user_id": 2**31}, "from 1 to 2147483647"),
        ({"key_id": 0}, "from 1 to 2147483647"),
        ({"key_id": 2**31}, "from 1 to 2147483647"),
        ({"random": b""}, "19 random bytes"),
        ({"random": bytes(18)}, "19 random bytes"),
        ({"random": bytes(20)}, "19 random bytes"),
        ({"datasource": "x" * 800}, "at most 1024"),
        ({"environment": "\ud800"}, "surrogates"),
    ],
)
def test_mint_refuses_facts_that_no_text_can_carry(
    changes: dict[str, object], complaint: str
) -> None:
    """A text that could not be read back is never given out."""
    with pytest.raises(ValueError, match=complaint):
        minted(**changes)


@pytest.mark.parametrize("state", [GenerationState.ACCEPT, GenerationState.DIGEST_ONLY])
def test_only_a_minting_generation_mints(state: GenerationState) -> None:
    """A generation that is only accepted, or lost, makes no new keys."""
    with pytest.raises(MacKeysError, match="generation 3 does not mint"):
        minted(Generation(3, state, MAC_KEY))


def test_mint_refuses_a_generation_that_four_bits_do_not_hold() -> None:
    """A text never names another generation than the one that made it."""
    with pytest.raises(ValueError, match="15"):
        minted(Generation(16, GenerationState.MINT, MAC_KEY))


def test_a_text_may_fill_the_limit_and_not_exceed_it() -> None:
    """The longest text that mint gives out is one that parse reads."""
    longest = max(
        (length for length in range(1, 800) if _mints(datasource="x" * length)), default=0
    )
    text = minted(datasource="x" * longest)
    assert keytext.TEXT_BYTES_MAX - 4 < len(text) <= keytext.TEXT_BYTES_MAX
    assert passes(text, MINTING)


def _mints(**changes: object) -> bool:
    try:
        minted(**changes)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------- golden texts


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_a_golden_text_is_what_its_facts_mint(golden: dict[str, Any]) -> None:
    """Version 1 never changes: the same facts make the same text, for ever."""
    text = keytext.mint(
        product=golden["product"],
        environment=golden["environment"],
        datasource=golden["datasource"],
        user_id=golden["user_id"],
        key_id=golden["key_id"],
        generation=generation_of(golden),
        random=bytes.fromhex(golden["random_hex"]),
    )
    assert text.reveal() == golden["text"]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_a_golden_text_is_still_read(golden: dict[str, Any]) -> None:
    """A key that was ever given out keeps its meaning, its digest and its MAC."""
    claim = keytext.parse(golden["text"].encode())
    assert isinstance(claim, KeyClaim)
    said = ("product", "environment", "datasource", "user_id", "key_id", "generation")
    assert {name: getattr(claim, name) for name in said} == {name: golden[name] for name in said}
    assert claim.digest.hex() == golden["sha256"]
    assert keytext.authentic(claim, generation_of(golden))


def test_the_golden_texts_cover_the_corners_of_the_format() -> None:
    """Both ends of ids and generations, names outside ASCII and a second product are pinned."""
    numbers = {golden["generation"] for golden in GOLDEN}
    id_pairs = {(golden["user_id"], golden["key_id"]) for golden in GOLDEN}
    assert {0, 15} <= numbers
    assert {(1, 1), (ID_MAX, ID_MAX)} <= id_pairs
    assert any(not golden["datasource"].isascii() for golden in GOLDEN)
    assert "ecap" in {golden["product"] for golden in GOLDEN}


# ---------------------------------------------------------------- edits


@pytest.mark.parametrize("golden", GOLDEN[:3], ids=lambda golden: golden["name"])
def test_no_text_with_one_character_replaced_is_of_our_shape(golden: dict[str, Any]) -> None:
    """A typo is told as a typo without a MAC key: the checksum sees every single replacement."""
    text = golden["text"].encode()
    for at, was in enumerate(text):
        for byte in range(256):
            if byte != was:
                edited = text[:at] + bytes([byte]) + text[at + 1 :]
                assert isinstance(keytext.parse(edited), Malformed), (at, byte)


@pytest.mark.parametrize("golden", GOLDEN[:3], ids=lambda golden: golden["name"])
def test_no_text_with_one_character_more_or_less_is_a_key(golden: dict[str, Any]) -> None:
    """Nothing can be inserted anywhere, whitespace included, and nothing can be left out."""
    text, generation = golden["text"].encode(), generation_of(golden)
    for at in range(len(text)):
        assert not passes(text[:at] + text[at + 1 :], generation), at
    for at in range(len(text) + 1):
        for byte in range(256):
            assert not passes(text[:at] + bytes([byte]) + text[at:], generation), (at, byte)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_no_beginning_and_no_end_of_a_text_is_a_key(golden: dict[str, Any]) -> None:
    """A text that was cut off on either side is refused."""
    text, generation = golden["text"].encode(), generation_of(golden)
    assert not any(passes(text[:at], generation) for at in range(len(text)))
    assert not any(passes(text[at:], generation) for at in range(1, len(text)))


@quick
@given(before=st.binary(max_size=8), after=st.binary(max_size=8))
def test_no_text_with_anything_around_it_is_a_key(before: bytes, after: bytes) -> None:
    """A key is the whole header value: nothing is trimmed, on no side."""
    assert passes(before + minted() + after, MINTING) is (not before and not after)


@quick
@given(one=facts, other=facts)
def test_parts_of_two_keys_make_no_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Parts cannot be exchanged between keys, also when the checksum is computed again."""
    first, second = (keytext.mint(generation=MINTING, **each).reveal() for each in (one, other))
    real = {first.encode(), second.encode()}
    parts = [text.split(".") for text in (first, second)]
    for a, b, c in [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]:
        mixed = f"{parts[a][0]}.{parts[b][1]}.{parts[c][2]}".encode()
        if mixed not in real:
            assert not passes(mixed, MINTING)
        resealed = sealed(*opened(mixed))
        if resealed not in real:
            assert not passes(resealed, MINTING)


def test_parts_in_another_order_are_no_key() -> None:
    """Each part is read in its own place only."""
    one, two, three = minted().split(b".")
    for parts in [(one, three, two), (two, one, three), (three, two, one), (two, three, one)]:
        assert not passes(b".".join(parts), MINTING)


@quick
@given(
    changes=st.fixed_dictionaries(
        {},
        optional={"product": names, "environment": names, "datasource": names}
        | {"user_id": ids, "key_id": ids},
    )
)
def test_edited_facts_with_a_new_checksum_parse_and_are_not_authentic(
    changes: dict[str, Any],
) -> None:
    """Whoever edits what a key says gets a claim, never a key: the MAC is over every fact."""
    text = minted()
    _, _, body = opened(text)
    said = FACTS | changes
    where = f"{said['product']}|{said['environment']}".encode()
    whose = f"{said['datasource']}|{said['user_id']}|{said['key_id']}".encode()
    edited = sealed(where, whose, body)
    claim = keytext.parse(edited)
    assert isinstance(claim, KeyClaim)
    assert claim.datasource == said["datasource"]
    assert keytext.authentic(claim, MINTING) is (edited == text)


def test_no_payload_bit_can_be_changed_even_with_a_new_checksum() -> None:
    """Version, generation, random bits and MAC are all bound by the MAC."""
    where, whose, body = opened(minted())
    others = [Generation(n, GenerationState.ACCEPT, MAC_KEY) for n in range(16)]
    for bit in range(256):
        flipped = (int.from_bytes(body, "big") ^ (1 << bit)).to_bytes(32, "big")
        assert not passes(sealed(where, whose, flipped), *others), bit
