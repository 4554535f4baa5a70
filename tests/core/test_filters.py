"""The filter of a list, against a brute-force oracle over rows in a real SQLite."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from keyhalt.core.filters import (
    EXPRESSIONS_MAX,
    SHORTCUTS,
    TEXT_LENGTH_MAX,
    VALUES_MAX,
    Condition,
    Field,
    FieldType,
    compile_filter,
)
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOW = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)
COLUMNS = {type_: f"t.{type_.name.lower()}" for type_ in FieldType}
FIELDS = {f"the{type_.name.title()}": Field(type_, COLUMNS[type_]) for type_ in FieldType}
NAMES = {field.type: name for name, field in FIELDS.items()}
EVERY_OPERATOR = [(type_, operator) for type_ in FieldType for operator in type_.operators]
INT64 = 2**63

Row = dict[FieldType, Any]


@dataclass(frozen=True)
class Given:
    """A value as a client writes it, and the first and last thing that it stands for."""

    text: str
    low: Any
    high: Any


# ---------------------------------------------------------------- a table, and what to put in it


def stored(value: object) -> object:
    """As SQLAlchemy's own types store it on SQLite."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


def found(sql: str, params: Mapping[str, object], rows: Sequence[Row]) -> list[int]:
    """The places of the rows that a statement with this condition finds."""
    columns = ", ".join(column.removeprefix("t.") for column in COLUMNS.values())
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"create table t (place integer, {columns})")
        for place, row in enumerate(rows):
            cells = [place, *(stored(row.get(type_)) for type_ in COLUMNS)]
            db.execute(f"insert into t values ({', '.join('?' * len(cells))})", cells)  # noqa: S608
        statement = f"select place from t where {sql} order by place"  # noqa: S608
        bound = {name: stored(value) for name, value in params.items()}
        return [place for (place,) in db.execute(statement, bound)]


def compiled(text: str, **options: Any) -> Condition:
    condition = compile_filter(text, FIELDS, **({"now": NOW} | options))
    assert isinstance(condition, Condition), condition
    return condition


def refused(text: str) -> str:
    refusal = compile_filter(text, FIELDS, now=NOW)
    assert isinstance(refusal, Refused), refusal
    assert (refusal.fault, refusal.field) == (Fault.INVALID_FILTER, "filter")
    return refusal.detail


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def written(name: str, operator: str, values: Iterable[Given]) -> str:
    return f"{name} {operator} {'|'.join(quoted(value.text) for value in values)}"


texts = st.text("aAbBzZéÉ%_!'\\|;-", max_size=4)
integers = st.integers(-4, 4) | st.sampled_from([-INT64, 1 - INT64, INT64 - 2, INT64 - 1])
hundredths = st.integers(-300, 300).map(lambda n: n / 100)
moments = st.builds(
    lambda days, ticks: NOW.replace(hour=0) + timedelta(days=days, microseconds=ticks),
    st.integers(-3, 3),
    st.sampled_from([0, 1, 36_000_000_000, 86_399_999_999, -1]),
)
periods = st.sampled_from([202512, 202513, 202601, 202602])
CELLS: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: texts,
    FieldType.INTEGER: integers,
    FieldType.NUMBER: hundredths | integers,
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATETIME: moments,
    FieldType.DATETIME_OFFSET: moments,
    FieldType.ACCOUNT_PERIOD: periods,
}


def exactly(value: object) -> Given:
    return Given(str(value), value, value)


def in_some_zone(moment: datetime, minutes: int | None) -> Given:
    zone = UTC if minutes is None else timezone(timedelta(minutes=minutes))
    text = moment.astimezone(zone).isoformat()
    return Given(text.removesuffix("+00:00") + ("Z" if minutes == 0 else ""), moment, moment)


def whole_day(moment: datetime, shape: str) -> Given:
    first = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return Given(f"{first:{shape}}", first, first + timedelta(hours=24, microseconds=-1))


times = st.builds(in_some_zone, moments, st.sampled_from([None, 0, 120, -330]))
days = st.builds(whole_day, moments, st.sampled_from(["%Y-%m-%d", "%m/%d/%Y"]))
GIVENS: dict[FieldType, st.SearchStrategy[Given]] = {
    type_: cells.map(exactly) for type_, cells in CELLS.items()
} | dict.fromkeys((FieldType.DATETIME, FieldType.DATETIME_OFFSET), times | days)


# ---------------------------------------------------------------- the oracle


def fold(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def holds(operator: str, cell: Any, values: Sequence[Given]) -> bool:
    """What docs/filters.md says of one entry, in the plainest code there is."""
    if operator.startswith("not "):
        return cell is None or not holds(operator[4:], cell, values)
    if cell is None:
        return False
    if isinstance(cell, str):
        wanted = [fold(value.low) for value in values]
        return wanted[0] in fold(cell) if operator == "like" else fold(cell) in wanted
    first, last = values[0], values[-1]
    outcomes: dict[str, bool] = {
        "equals": first.low <= cell <= first.high,
        "one of": any(value.low == cell for value in values),
        "less than": cell < first.low,
        "less than equal": cell <= first.high,
        "greater than": cell > first.high,
        "greater than equal": cell >= first.low,
        "between": first.low <= cell <= last.high,
    }
    return outcomes[operator]


def is_in(shortcut: str, cell: datetime | None, now: datetime) -> bool:
    if cell is None:
        return False
    age = (now.date() - cell.date()).days
    months = 12 * (now.year - cell.year) + now.month - cell.month
    if shortcut.endswith("days"):
        return 0 <= age < int(shortcut.split()[1])
    return {
        "today": age == 0,
        "yesterday": age == 1,
        "current month": months == 0,
        "last month": months == 1,
        "current year": now.year == cell.year,
        "last year": now.year - 1 == cell.year,
    }[shortcut]


def takes(operator: str) -> tuple[int, int]:
    return (2, 2) if "between" in operator else (1, 4) if "one of" in operator else (1, 1)


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


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@settings(max_examples=40)
@given(
    now=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ages=st.lists(st.none() | st.integers(-40, 800), max_size=8),
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


# ---------------------------------------------------------------- hostile texts

HOSTILE = (
    "' or 1=1 --", "'; drop table t; --", "/* x */", "%", "_", "!", "\\", ":f0", "$1", "?", '"',
    "'' or ''=''", "\u2019 or 1=1", "\uff07", "é", "\x1b[31m", "a\nb", "and", "|", "%(f0)s", "{0}",
)  # fmt: skip
VOCABULARY = set(
    "( ) , 1 = < <= > >= and or not in is null like lower escape '!'".split()  # noqa: SIM905
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
    tokens = re.findall(r"'!'|:\w+|\w+|[<>]=?|=|[(),]|\S", sql)
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
