"""How names compare, and which texts may be names."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyhalt.core.names import fault_in_keys, fault_of, fold, has_unseen

quick = settings(max_examples=200, deadline=None)
texts = st.text(max_size=20)
# Letters whose case or accents behave unlike those of English, and accents to go with them.
awkward = st.text(
    st.sampled_from(
        "aAiIsSkKzZ\xdf\u1e9e\u0130\u0131\u0149\u01f0\u0390\u03b0\u03c2\u03c3\u03a3\u1fb3\u1fbc\u1fb7\u03d3"
        "\u01c5\ufb00\ufb03\u017f\u212a\u212b\u0345\u0301\u0308\u0307\u0313\u0331\u0323"
    ),
    max_size=12,
)


@quick
@given(st.one_of(texts, awkward))
def test_folding_twice_changes_nothing(name: str) -> None:
    """The form in which names compare is final, so it can be stored and indexed."""
    assert fold(fold(name)) == fold(name)


@quick
@given(st.one_of(texts, awkward))
def test_the_same_letters_composed_or_not_are_one_name(name: str) -> None:
    """How a keyboard or a file system spells an accent does not make another name."""
    assert fold(unicodedata.normalize("NFC", name)) == fold(unicodedata.normalize("NFD", name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JSmith", "jsmith"),
        ("ÄPFEL", "äpfel"),
        ("A\u0308pfel", "äpfel"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("K", "\u212a"),
        ("\u1fb3", "\u0391\u0345"),
        ("\ufb00", "FF"),
    ],
)
def test_names_that_differ_in_case_only_are_the_same(one: str, other: str) -> None:
    """Two people cannot have names that read alike but for capitals."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("jsmith", "jsmyth"), ("a", "ä"), ("a b", "ab"), ("i", "\u0131"), ("o", "0"), ("a", "\u0430")],
)
def test_other_letters_are_other_names(one: str, other: str) -> None:
    """Folding takes away case, not accents, spaces or look-alikes of other scripts."""
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    "name",
    ["a", "JSmith", "O'Brien, Pat", "a b", "EU Production", "東京", "Łódź", "🌱", "a|b", '"', "\\"],
)
def test_ordinary_names_are_taken(name: str) -> None:
    """A name may hold any character that a person can see, and spaces between them."""
    assert fault_of(name, length_max=20) is None


@pytest.mark.parametrize("name", ["", " ", "\t", "\n ", "\u3000", "\xa0"])
def test_an_empty_name_is_refused(name: str) -> None:
    """A name of nothing, or of nothing but space, is no name."""
    assert fault_of(name, length_max=20) == "must not be empty"


@pytest.mark.parametrize("name", [" a", "a ", "\u3000a", "a\xa0", "\u2003a"])
def test_space_at_the_ends_of_a_name_is_refused(name: str) -> None:
    """Two names never differ by a space that nobody sees."""
    assert fault_of(name, length_max=20) == "must not begin or end with a space"


@pytest.mark.parametrize(
    "unseen",
    [
        *("\0", "\t", "\n", "\r", "\x1b", "\x7f", "\x85"),
        *("\xad", "\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\U000e0041"),
        *("\u2028", "\u2029", "\ud800", "\ue000", "\u0378", "\U0010ffff"),
    ],
)
@pytest.mark.parametrize("pattern", ["a{}b", "{}ab", "ab{}"])
def test_characters_that_nobody_sees_are_refused(unseen: str, pattern: str) -> None:
    """Controls, format marks, private and unassigned characters make no two names look alike."""
    name = pattern.format(unseen)
    assert has_unseen(name)
    assert fault_of(name, length_max=20) == "must not hold control characters"


def test_some_unseen_characters_can_be_let_through() -> None:
    """A description may have line breaks where a name may not."""
    assert has_unseen("one\ntwo")
    assert not has_unseen("one\ntwo", but="\n")
    assert has_unseen("one\r\ntwo", but="\n")


def test_a_name_has_at_most_its_length() -> None:
    """The limit is what is said, and the message says both numbers."""
    assert fault_of("x" * 20, length_max=20) is None
    assert fault_of("x" * 21, length_max=20) == "must have at most 20 characters, this has 21"
    assert fault_in_keys("x" * 21, length_max=20) == fault_of("x" * 21, length_max=20)


@pytest.mark.parametrize("character", ["|", '"', "\\"])
def test_a_name_in_keys_holds_no_separator_and_nothing_that_ends_a_quotation(
    character: str,
) -> None:
    """Environment and datasource stand in key texts and in the challenge, unescaped."""
    for name in (f"a{character}b", f"{character}b", f"a{character}"):
        assert fault_of(name, length_max=20) is None
        assert fault_in_keys(name, length_max=20) == 'must not hold any of | " \\'


@quick
@given(st.text(max_size=8))
def test_a_name_in_keys_is_a_name(name: str) -> None:
    """Whatever is refused as a name is refused in keys, for the same reason."""
    fault = fault_of(name, length_max=5)
    assert fault is None or fault_in_keys(name, length_max=5) == fault


@pytest.mark.parametrize("unseen", ["\u3164", "\u115f", "\uffa0", "\u2800", "\u034f"])
def test_a_letter_that_is_drawn_as_nothing_is_no_part_of_a_name(unseen: str) -> None:
    """Two names that look alike are not two names."""
    assert fault_of(f"a{unseen}", length_max=10) == "must not hold control characters"
