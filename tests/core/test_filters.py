"""The filter of a list, against a brute-force oracle over rows in a real SQLite."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keyhalt.core.filters import (
    SHORTCUTS,
    Condition,
    Field,
    FieldType,
    compile_filter,
)
from keyhalt.core.refusals import Refused
from tests.core.filtering import (
    CELLS,
    COLUMNS,
    EVERY_OPERATOR,
    FIELDS,
    GIVENS,
    INT64,
    NAMES,
    NOW,
    Row,
    compiled,
    found,
    holds,
    is_in,
    quoted,
    refused,
    takes,
    written,
)


@pytest.mark.parametrize(
    ("type_", "operator"), [e for e in EVERY_OPERATOR if e[1] not in SHORTCUTS]
)
@given(data=st.data())
def test_every_operator_finds_what_the_reference_says(
    type_: FieldType, operator: str, data: st.DataObject
) -> None:
    """Each operator of each type finds the rows that the oracle finds, NULLs among them."""
    fewest, most = takes(operator)
    cells = data.draw(st.lists(st.none() | CELLS[type_], max_size=8))
    values = data.draw(st.lists(GIVENS[type_], min_size=fewest, max_size=most))
    condition = compiled(written(NAMES[type_], operator, values))
    expected = [place for place, cell in enumerate(cells) if holds(operator, cell, values)]
    assert found(condition.sql, condition.params, [{type_: cell} for cell in cells]) == expected


EDGES = [age for days in (0, 7, 14, 30, 60, 90) for age in (days - 1, days, days + 1)]


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@settings(max_examples=40)
@given(
    now=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ages=st.lists(st.none() | st.integers(-40, 800) | st.sampled_from(EDGES), max_size=8),
    tick=st.sampled_from([0, 1, -1]),
)
def test_every_date_shortcut_finds_its_whole_utc_days(
    shortcut: str, now: datetime, ages: list[int | None], tick: int
) -> None:
    """A shortcut counts in UTC days from the `now` that it is given, at any time of any day."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=tick % 1_000_000)
    cells = [None if age is None else midnight - timedelta(days=age) for age in ages]
    elsewhere = now.astimezone(timezone(timedelta(hours=14)))
    condition = compiled(f"theDatetime {shortcut}", now=elsewhere)
    rows = [{FieldType.DATETIME: cell} for cell in cells]
    expected = [place for place, cell in enumerate(cells) if is_in(shortcut, cell, now)]
    assert found(condition.sql, condition.params, rows) == expected


@given(
    rows=st.lists(st.fixed_dictionaries({t: st.none() | CELLS[t] for t in FieldType}), max_size=8),
    data=st.data(),
)
def test_expressions_joined_by_and_must_all_hold(rows: list[Row], data: st.DataObject) -> None:
    """Several expressions find the rows that each of them finds alone, in any case and spacing."""
    parts, expected = [], set(range(len(rows)))
    for type_, operator in data.draw(st.lists(st.sampled_from(EVERY_OPERATOR), min_size=1)):
        assume(operator not in SHORTCUTS)
        values = data.draw(st.lists(GIVENS[type_], min_size=2, max_size=2))[: takes(operator)[1]]
        spell = data.draw(st.sampled_from([str.upper, str.lower]))
        name, words = spell(NAMES[type_]), spell(operator).replace(" ", " \t ")
        parts.append(written(name, words, values))
        expected &= {n for n, row in enumerate(rows) if holds(operator, row[type_], values)}
    condition = compiled(data.draw(st.sampled_from([" and ", "  AND\n"])).join(parts))
    assert found(condition.sql, condition.params, rows) == sorted(expected)


@pytest.mark.parametrize(
    ("type_", "operator"), [e for e in EVERY_OPERATOR if e[1] not in SHORTCUTS]
)
@settings(max_examples=8)
@given(data=st.data())
def test_of_values_in_other_rows_one_must_pass_and_negated_none(
    type_: FieldType, operator: str, data: st.DataObject
) -> None:
    """Two rows share their values here: both are found if one of them passes."""
    column = COLUMNS[type_].replace("t.", "o.")
    among = "t.place / 2 in (select o.place / 2 from t as o where {})"
    fewest, most = takes(operator)
    cells = data.draw(st.lists(st.none() | CELLS[type_], max_size=8))
    values = data.draw(st.lists(GIVENS[type_], min_size=fewest, max_size=most))
    text = written("shared", operator, values)
    condition = compile_filter(text, {"shared": Field(type_, column, among)}, now=NOW)
    assert isinstance(condition, Condition)
    positive = operator.removeprefix("not ")
    pairs = {n // 2 for n, cell in enumerate(cells) if holds(positive, cell, values)}
    expected = [n for n in range(len(cells)) if (n // 2 in pairs) == (operator == positive)]
    assert found(condition.sql, condition.params, [{type_: c} for c in cells]) == expected


def test_a_fraction_beside_a_large_integer_does_not_round_it() -> None:
    """Integers and fractions of one list stand apart: PostgreSQL gives each `in` one type."""
    condition = compiled(f"theNumber one of '0.5'|'{INT64 - 2}'|'1.5'")
    assert condition.sql == "((t.number) in (:f0, :f1) or (t.number) in (:f2))"
    rows = [{FieldType.NUMBER: number} for number in (INT64 - 1, INT64 - 2, 0.5, 1.5, 1)]
    assert found(condition.sql, condition.params, rows) == [1, 2, 3]


# ---------------------------------------------------------------- hostile texts

HOSTILE = (
    "' or 1=1 --", "'; drop table t; --", "/* x */", "%", "_", "!", "\\", ":f0", "$1", "?", '"',
    "'' or ''=''", "\u2019 or 1=1", "\uff07", "é", "\x1b[31m", "a\nb", "and", "|", "%(f0)s", "{0}",
)  # fmt: skip
VOCABULARY = set(
    "( ) , 1 = < <= > >= and or not in is null like lower escape '!' ''".split()  # noqa: SIM905
)
anything = st.text(st.characters()) | st.sampled_from(HOSTILE)
values_of_any_kind = st.sampled_from(["1", "202603", "2026-03-30", "true"]) | anything
expressions = st.tuples(
    st.sampled_from(list(FIELDS)),
    st.sampled_from(sorted({operator for _, operator in EVERY_OPERATOR})),
    st.lists(values_of_any_kind.map(quoted), max_size=3).map("|".join),
).map(" ".join)
fragments = st.sampled_from([*FIELDS, "equals", "last 7 days", "and", "'", "''", "|", "'1'|'2'"])
broken = st.lists(fragments | expressions | anything).map(" ".join)
filterish = st.lists(expressions, max_size=3).map(" and ".join) | broken


def assert_of_our_words(condition: Condition, prefix: str = "f") -> None:
    sql = condition.sql
    for column in COLUMNS.values():
        sql = sql.replace(f"({column})", " ")
    tokens = re.findall(r"'!?'|:\w+|\w+|[<>]=?|=|[(),]|\S", sql)
    names = [token[1:] for token in tokens if token.startswith(":")]
    assert names == [f"{prefix}{n}" for n in range(len(condition.params))] == list(condition.params)
    assert {token for token in tokens if not token.startswith(":")} <= VOCABULARY


@pytest.mark.parametrize("operator", FieldType.STRING.operators)
@given(values=st.lists(anything, min_size=1, max_size=3))
def test_no_value_changes_the_shape_of_the_statement(operator: str, values: list[str]) -> None:
    """Whatever the values are, the statement is that of harmless values, word for word."""
    assume(not any(c == "\0" or 0xD800 <= ord(c) <= 0xDFFF for value in values for c in value))
    values = values[: takes(operator)[1]]
    hostile = compiled(f"theString {operator} {'|'.join(map(quoted, values))}")
    harmless = compiled(f"theString {operator} " + "|".join(["'a'"] * len(values)))
    assert hostile.sql == harmless.sql
    assert_of_our_words(hostile)
    assert set(found(hostile.sql, hostile.params, [{FieldType.STRING: "a"}])) <= {0}


@given(text=filterish | anything)
def test_no_text_raises_or_brings_words_into_the_statement(text: str) -> None:
    """Any text is a condition of our own words, which runs, or a refusal that says where."""
    outcome = compile_filter(text, FIELDS, now=NOW)
    if isinstance(outcome, Refused):
        assert re.match(r"at character \d+: ", outcome.detail)
        assert outcome.detail.isprintable()
    else:
        assert_of_our_words(outcome)
        found(outcome.sql, outcome.params, [{}])


@given(text=st.text(st.characters(exclude_characters="0+-"), min_size=41, max_size=300))
def test_a_refusal_quotes_at_most_40_characters(text: str) -> None:
    """A long mistake is cut, and what cannot be seen of it is spelt out."""
    detail = refused(f"theInteger equals {quoted(text)}")
    assert "…' is not a whole number" in detail
    assert len(detail) < 40 * len(r"\U0010ffff") + 120
    assert detail.isprintable()


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "\udfffx"])
def test_a_text_that_no_database_holds_is_refused(value: str) -> None:
    """NUL and halves of surrogate pairs never reach a driver, which would raise."""
    assert refused(f"theString like '{value}'").startswith("at character 16: ")
