"""What may be a password, and how long it is good for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyhalt.core.common_passwords import COMMON
from keyhalt.core.passwords import (
    LENGTH_MAX,
    PasswordAge,
    PasswordPolicy,
    fault_of_password,
    normal,
)

DEFAULT = PasswordPolicy()
SHORT = PasswordPolicy(length_min=8)
STRONG = PasswordPolicy(length_min=8, strong=True)
ABOUT = ("jsmith", "Jo Smithson", "jo.smithson@example.org", "acme")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "correct horse battery staple",
        "нет ничего важнее сна",
        "三人行必有我師焉擇其善者而從之",
        "31415926535897932",
        "lower case only, no digit",
    ],
)
def test_any_characters_will_do_when_there_are_enough(text: str) -> None:
    """No rules about kinds of characters (NIST SP 800-63B-4); spaces and every script count."""
    assert fault_of_password(text, DEFAULT, ABOUT) is None


@pytest.mark.parametrize(
    "text",
    [
        "passwordpassword",
        "Passw0rd!Passw0rd!",
        "P@ssw0rd P@ssw0rd 2024",
        "qwertyuiop12345",
        "1qaz2wsx3edc4rfv5tgb",
        "123456789012345",
        "fedcba9876543210",
        "!!!!!!!!!!!!!!!",
        "aB3$aB3$aB3$aB3$",
        "aaaaaaaaaaaaaaab",
        "iloveyou iloveyou!!",
        "jsmith@acme 2026",
        "Smithson-Smithson1",
        "jo.smithson@example.org",
        "letmein administrator",
    ],
)
def test_what_is_guessed_first_is_refused_however_long(text: str) -> None:
    """Common passwords in their usual disguises, sequences, repetitions, the user's own name."""
    fault = fault_of_password(text, DEFAULT, ABOUT)
    assert fault is not None
    assert "guessed" in fault
    assert text not in fault


@given(st.sampled_from(sorted(COMMON)), st.integers(0, 9999), st.booleans())
def test_a_common_word_with_a_number_behind_it_is_refused(
    word: str, number: int, capital: bool
) -> None:
    """Whatever the word and the number; also where the datasource allows 8 characters."""
    text = f"{word.title() if capital else word}{number}"
    if len(text) >= 8:
        assert fault_of_password(text, SHORT) is not None


@given(st.text(st.sampled_from("bdfhkmpqtvxyz"), min_size=15, max_size=LENGTH_MAX))
def test_a_refusal_never_repeats_the_password(text: str) -> None:
    assert text not in (fault_of_password(text, DEFAULT) or "")


@pytest.mark.parametrize(
    ("text", "policy", "wrong"),
    [
        ("x" * 7 + "yz" * 3 + "q", DEFAULT, True),
        ("vexing jump quiz", DEFAULT, False),
        ("z" * 64 + "vexing jump quiz" * 4 + "k", DEFAULT, True),
        ("quizjump", SHORT, False),
        ("quizjum", SHORT, True),
        ("vexing jump\nquiz now", DEFAULT, True),
        ("vexing jump\u200bquiz now", DEFAULT, True),
    ],
)
def test_length_is_the_datasources_minimum_to_128(
    text: str, policy: PasswordPolicy, *, wrong: bool
) -> None:
    assert (fault_of_password(text, policy) is not None) is wrong


@pytest.mark.parametrize("missing", ["quiz9!jump", "QUIZ9!JUMP", "Quiz!!jump", "Quiz99jump"])
def test_a_strong_password_has_all_four_kinds(missing: str) -> None:
    """EnergyCAP's rule on top, for a user that is marked: upper, lower, digit, special."""
    assert fault_of_password(missing, SHORT) is None
    assert fault_of_password(missing, STRONG) is not None
    assert fault_of_password("Quiz9!jump", STRONG) is None
    assert fault_of_password("Quiz9!jump", PasswordPolicy(strong=True)) is not None


def test_two_spellings_of_one_character_are_one_password() -> None:
    """Keyboards differ in how they write an é."""
    assert normal("re\u0301sume\u0301") == normal("r\u00e9sum\u00e9")


@pytest.mark.parametrize(
    ("days", "age", "expired"), [(0, 9999, False), (30, 29, False), (30, 30, True), (1, 2, True)]
)
def test_a_password_expires_after_its_interval(days: int, age: int, *, expired: bool) -> None:
    """0 days is never."""
    assert PasswordAge(NOW - timedelta(days=age), days).expired(NOW) is expired
