"""What a filter may not be, and the reference."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql

from keyhalt.core.filters import (
    EXPRESSIONS_MAX,
    TEXT_LENGTH_MAX,
    VALUES_MAX,
    Condition,
    Field,
    FieldType,
    compile_filter,
)
from keyhalt.core.refusals import Refused
from tests.core.filtering import COLUMNS, INT64, NAMES, NOW, Row, compiled, found, quoted, refused
from tests.core.test_filters import assert_of_our_words

# ---------------------------------------------------------------- refusals and limits

WRONG = {
    "meterId equals '1'": "1: 'meterId' is not a field of this list; there are theString, ",
    "'theInteger' equals '1'": "1: 'theInteger' is not a field of this list; there are ",
    "theInteger grater than '1'": "12: 'grater than' is not an operator of theInteger; theInteger "
    "has equals, not equals, less than,",
    "theInteger": "11: an operator is missing; theInteger has equals",
    "theInteger'1'": "11: an operator is missing; theInteger has equals",
    "theBoolean not equals '1'": "12: 'not equals' is not an operator of theBoolean; ",
    "theString between 'a'|'b'": "11: 'between' is not an operator",
    "theAccount_Period today": "19: 'today' is not an operator",
    "theInteger less than equal 7 and theString like 'a'": "28: '7' should stand in single quotes",
    "theInteger equals '1": "19: this quote is not closed",
    "theString equals 'it's'": "23: this quote is not closed",
    "theInteger equals": "18: 'equals' takes one value in single quotes",
    "theInteger equals '1'|'2'": (
        "23: 'equals' takes one value in single quotes; this is one too many"
    ),
    "theInteger equals '1'|": "23: a value in single quotes is expected after '|'",
    "theInteger equals |'1'": "19: a value in single quotes is expected here",
    "theInteger one of '1' '2'": "23: '|' or 'and' is expected before '2'",
    "theInteger one of '1' or theInteger equals '2'": "23: '|' or 'and' is expected before 'or'",
    "theInteger between '1' and '2'": "20: 'between' takes two values, joined by '|'",
    "theInteger between '1'|'2'|'3'": (
        "28: 'between' takes two values, joined by '|'; this is one too many"
    ),
    "theDatetime today '1'": "19: 'today' takes no value; this is one too many",
    "theInteger equals 'x\x07'": "19: 'x\\x07' is not a whole number",
    "and theInteger equals '1'": "1: a field is expected before 'and'",
    "theInteger equals '1' and  ": "26: a field is expected after 'and'",
    "theInteger equals '1' and and": "27: a field is expected before 'and'",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_refusal_says_what_is_wrong_and_where(text: str) -> None:
    """The detail has the place, counted from 1, and a sentence that helps."""
    assert refused(text).startswith(f"at character {WRONG[text]}")


BAD_VALUES = {
    FieldType.INTEGER: ["", "+", "1.0", " 1", "1_0", "٣", str(INT64), str(-INT64 - 1), "9" * 5000],
    FieldType.NUMBER: ["", ".", "1.", ".5", "1e5", "nan", "inf", "1,5", "1_0.5", "9" * 400],
    FieldType.BOOLEAN: ["", "yes", "2", "null"],
    FieldType.ACCOUNT_PERIOD: ["", "2026", "202600", "202614", "2026-03", "-202603", "٢٠٢٦٠٣"],
    FieldType.DATETIME: [
        "", "2026-02-30", "2026-3-1", "20260301", "2026-W01-1", "2026-01-01T24:00", "2026-01-01T10",
        "2026-01-01T10:00:60", "2026-01-01T10:00+25:00", "2026-01-01x10:00", "02/30/2026",
        "13/01/2026", "0000-01-01", "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00",
        "2026-01-01T10:00 02:00",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "value"), [(type_, value) for type_, values in BAD_VALUES.items() for value in values]
)
def test_a_value_of_another_shape_is_refused(type_: FieldType, value: str) -> None:
    """Only the documented spellings count: not all that Python's own constructors take."""
    name = NAMES[type_]
    detail = refused(f"{name} equals {quoted(value)}")
    assert detail.startswith(f"at character {len(name) + 9}: ")


def test_the_ends_of_each_range_are_accepted() -> None:
    """The largest and smallest integer and the last day there is are good values."""
    condition = compiled(
        f"theInteger between '{-INT64}'|'{INT64 - 1}' and theDatetime less than equal '9999-12-31'"
        " and theNumber not equals '9007199254740993'"
    )
    assert list(condition.params.values()) == [
        -INT64, INT64 - 1, datetime.max.replace(tzinfo=UTC), 2**53 + 1,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", " ", "\t\n "])
def test_a_blank_filter_is_always_true(text: str) -> None:
    """No filter keeps everything and binds nothing."""
    assert compiled(text) == Condition("1 = 1", {})


def test_size_is_limited() -> None:
    """Length, expressions and values have limits, and the limit itself is still good."""
    one = "theString equals 'a'"
    compiled(one.ljust(TEXT_LENGTH_MAX))
    assert refused(one.ljust(TEXT_LENGTH_MAX + 1)).startswith("at character 8193: ")
    compiled(" and ".join([one] * EXPRESSIONS_MAX))
    assert "at most 50 expressions" in refused(" and ".join([one] * (EXPRESSIONS_MAX + 1)))
    compiled("theString one of " + "|".join(["'a'"] * VALUES_MAX))
    assert "from one to 500 values" in refused(
        "theString one of " + "|".join(["'a'"] * (VALUES_MAX + 1))
    )


def test_field_names_fold_ascii_only() -> None:
    """The Kelvin sign is no K: a field has one name but for the case of A to Z."""
    fields = {"keyId": Field(FieldType.INTEGER, "k.id")}
    assert isinstance(compile_filter("KEYID equals '1'", fields, now=NOW), Condition)
    assert isinstance(compile_filter("\u212aeyId equals '1'", fields, now=NOW), Refused)
    nothing = compile_filter("keyId equals '1'", {}, now=NOW)
    assert isinstance(nothing, Refused)
    assert nothing.detail.endswith("not a field of this list; there is none")


def test_two_prefixes_share_one_statement() -> None:
    """Conditions with different prefixes bind apart from each other."""
    one, two = compiled("theInteger equals '1'"), compiled("theInteger equals '2'", prefix="g")
    assert_of_our_words(two, "g")
    rows: list[Row] = [{FieldType.INTEGER: n} for n in range(4)]
    assert found(f"{one.sql} or {two.sql}", {**one.params, **two.params}, rows) == [1, 2]


def test_an_expression_of_lower_precedence_is_a_field_like_any_other() -> None:
    """A programmer's own `or`, `is null` or `||` needs no parentheses of its own."""
    fields = {"either": Field(FieldType.BOOLEAN, "t.integer = 1 or t.integer is null")}
    condition = compile_filter("either equals 'false'", fields, now=NOW)
    assert isinstance(condition, Condition)
    rows: list[Row] = [{FieldType.INTEGER: n} for n in (1, None, 2)]
    assert found(condition.sql, condition.params, rows) == [2]


def test_sqlalchemy_binds_a_condition_on_both_databases() -> None:
    """`text().bindparams()` gives each value its type, and reads no name into the statement."""
    condition = compiled(
        "theDatetime today and theString like ':x%' and theInteger equals '5000000000'"
    )
    clause = sqlalchemy.text(condition.sql).bindparams(**condition.params)
    on_postgresql = clause.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
    assert on_postgresql.params.keys() == condition.params.keys()
    table = sqlalchemy.Table(
        "t",
        sqlalchemy.MetaData(),
        sqlalchemy.Column("datetime", sqlalchemy.DateTime(timezone=True)),
        sqlalchemy.Column("string", sqlalchemy.String),
        sqlalchemy.Column("integer", sqlalchemy.BigInteger),
    )
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        row = {"datetime": NOW, "string": "a:X%b", "integer": 5_000_000_000}
        rows = [row, row | {"datetime": NOW - timedelta(days=1)}, row | {"string": "a:Xyb"}]
        connection.execute(table.insert(), rows)
        assert len(connection.execute(table.select().where(clause)).all()) == 1
    engine.dispose()


# ---------------------------------------------------------------- the reference

REFERENCE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")
DOC_FIELDS = {
    "meterCode": Field(FieldType.STRING, COLUMNS[FieldType.STRING]),
    "commodityId": Field(FieldType.INTEGER, COLUMNS[FieldType.INTEGER]),
    "totalCost": Field(FieldType.NUMBER, COLUMNS[FieldType.NUMBER]),
    "active": Field(FieldType.BOOLEAN, COLUMNS[FieldType.BOOLEAN]),
    "createdDate": Field(FieldType.DATETIME, COLUMNS[FieldType.DATETIME]),
    "lastRead": Field(FieldType.DATETIME_OFFSET, COLUMNS[FieldType.DATETIME_OFFSET]),
    "accountPeriod": Field(FieldType.ACCOUNT_PERIOD, COLUMNS[FieldType.ACCOUNT_PERIOD]),
}


def table_under(first_heading: str) -> list[list[str]]:
    lines = REFERENCE.partition(f"| {first_heading} |")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def cell_of(type_: FieldType, text: str) -> object:
    if not text:
        return None
    if type_ in (FieldType.DATETIME, FieldType.DATETIME_OFFSET):
        return datetime.fromisoformat(text)
    return {"true": True, "false": False}.get(text) if type_ is FieldType.BOOLEAN else (
        text if type_ is FieldType.STRING else float(text)
    )  # fmt: skip


def doc_rows() -> list[Row]:
    heads, _, *lines = table_under("id")
    types = [DOC_FIELDS[head].type for head in heads]
    return [
        {type_: cell_of(type_, cell) for type_, cell in zip(types, line[1:], strict=True)}
        for line in lines
    ]


def doc_examples() -> list[tuple[str, str, str]]:
    block = REFERENCE.partition("```filter-examples\n")[2].partition("```")[0]
    pattern = re.compile(r"(.+?)\s+(finds|is wrong at character) (.+)")
    return [m.groups() for line in block.splitlines() if (m := pattern.fullmatch(line))]  # type: ignore[misc]


@pytest.mark.parametrize(("text", "verb", "result"), doc_examples())
def test_each_example_of_the_reference_does_what_it_says(text: str, verb: str, result: str) -> None:
    """docs/filters.md is run line by line against its own entries."""
    outcome = compile_filter(text, DOC_FIELDS, now=NOW)
    if isinstance(outcome, Refused):
        assert outcome.detail.startswith(f"at character {result}: ")
        assert verb == "is wrong at character"
    else:
        places = found(outcome.sql, outcome.params, doc_rows())
        assert ", ".join(str(place + 1) for place in places) == result.replace("nothing", "")
        assert verb == "finds"


def test_the_reference_has_every_operator_of_every_type() -> None:
    """The table of operators in docs/filters.md is the one that the code goes by."""
    lines = table_under("type of the field | operators")[2:]
    told = {line[0]: tuple(operators.split(", ")) for line in lines for operators in line[1:]}
    assert told == {str(type_): type_.operators for type_ in FieldType}
