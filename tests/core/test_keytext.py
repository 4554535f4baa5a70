"""The text of a key: what docs/key-text.md promises."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keyhalt.core import keytext
from keyhalt.core.keytext import ID_MAX, KeyClaim, Malformed
from keyhalt.core.secrets import Generation, GenerationState, MacKeysError
from tests.fuzz import fuzz_keytext

HERE = Path(__file__).parent
DOC = HERE.parents[1] / "docs" / "key-text.md"
GOLDEN: list[dict[str, Any]] = json.loads((HERE / "golden_keys.json").read_text("utf-8"))[
    "version_1"
]
STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")

MAC_KEY = bytes(range(32))
MINTING = Generation(5, GenerationState.MINT, MAC_KEY)

quick = settings(max_examples=100, deadline=None)
names = st.text(
    st.characters(blacklist_characters="|", blacklist_categories=("Cs",)), min_size=1, max_size=30
)
ids = st.integers(1, ID_MAX)
generations = st.builds(
    Generation,
    number=st.integers(0, 15),
    state=st.just(GenerationState.MINT),
    key=st.binary(min_size=32, max_size=80),
)
facts = st.fixed_dictionaries(
    {
        "product": names,
        "environment": names,
        "datasource": names,
        "user_id": ids,
        "key_id": ids,
        "random": st.binary(min_size=19, max_size=19),
    }
)

FACTS: dict[str, Any] = {
    "product": "keyhalt",
    "environment": "Lab",
    "datasource": "orchard",
    "user_id": 12,
    "key_id": 345,
    "random": bytes(range(100, 119)),
}


def minted(generation: Generation = MINTING, **changes: object) -> bytes:
    return keytext.mint(generation=generation, **(FACTS | changes)).reveal().encode()


def generation_of(golden: dict[str, Any]) -> Generation:
    mac_key = bytes.fromhex(golden["mac_key_hex"])
    return Generation(golden["generation"], GenerationState.MINT, mac_key)


def sealed(where: bytes, whose: bytes, body: bytes) -> bytes:
    """A text of two raw first parts and payload bytes 0-31, with a checksum that holds."""
    parts = base64.b64encode(where) + b"." + base64.b64encode(whose) + b"."
    payload = body + zlib.crc32(parts + body).to_bytes(4, "big")
    return parts + base64.b64encode(payload)


def signed(where: bytes, whose: bytes, generation: Generation = MINTING) -> bytes:
    """As `sealed`, with a MAC that holds too: only the shape can be wrong."""
    head = bytes([0x10 | generation.number]) + bytes(19)
    message = base64.b64encode(where) + b"." + base64.b64encode(whose) + b"." + head
    return sealed(where, whose, head + generation.mac(message)[:12])


def opened(text: bytes) -> tuple[bytes, bytes, bytes]:
    """The two raw first parts and payload bytes 0-31."""
    where, whose, payload = (base64.b64decode(part) for part in text.split(b"."))
    return where, whose, payload[:32]


def passes(text: bytes, *generations: Generation) -> bool:
    """Whether `text` would be taken for a key under any of the generations."""
    claim = keytext.parse(text)
    return isinstance(claim, KeyClaim) and any(keytext.authentic(claim, g) for g in generations)


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
