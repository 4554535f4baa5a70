"""The `filter` of a list: from a client's text to an SQL condition with bound values.

1. A filter is expressions joined by `and`: field, operator, values in single quotes, joined by `|`.
   A quote inside a value is doubled. A blank filter is always true.
2. Of a client's text only values reach the database, as parameters. The statement is made of the
   programmers' own `Field.sql` and of the words in this file.
3. Texts compare without regard to case: A-Z only on SQLite, all that its `lower()` folds on
   PostgreSQL. Both sides go through the database's `lower()`, so a text always finds itself.
4. A negated operator also finds rows that have no value.
5. A date without a time is that whole UTC day, in every operator; a time without a zone is UTC.

docs/filters.md is the reference; its examples are run by the tests. Nothing here raises for any
text that a client can send, and reading one is linear in its length.
"""

from __future__ import annotations

import enum
import math
import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TEXT_LENGTH_MAX = 8192
EXPRESSIONS_MAX = 50
VALUES_MAX = 500

Value: TypeAlias = str | int | float | bool | datetime

_EQUALITY = ("equals", "not equals")
_ORDER = ("less than", "less than equal", "greater than", "greater than equal")
_RANGE = ("between", "not between")
_LIST = ("one of", "not one of")
_LAST_DAYS = {f"last {days} days": days for days in (7, 14, 30, 60, 90)}
_MONTHS = ("current month", "last month", "current year", "last year")
SHORTCUTS = ("today", "yesterday", *_LAST_DAYS, *_MONTHS)

_SIGNS = {
    "less than": "<",
    "less than equal": "<=",
    "greater than": ">",
    "greater than equal": ">=",
}
_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1
_SHOWN_MAX = 40
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# Not a backslash: whether one is itself an escape in a literal depends on PostgreSQL's settings.
_LIKE_ESCAPES = str.maketrans({c: f"!{c}" for c in "!%_"})


class FieldType(enum.StrEnum):
    """What a field holds. NUMBER is a decimal; ACCOUNT_PERIOD an integer such as 202603."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    DATETIME_OFFSET = "datetime offset"
    ACCOUNT_PERIOD = "account period"

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that fields of this type offer, as a client writes them."""
        return _OPERATORS[self]


_OPERATORS: Mapping[FieldType, tuple[str, ...]] = {
    FieldType.STRING: (*_EQUALITY, *_LIST, "like", "not like"),
    FieldType.INTEGER: _EQUALITY + _ORDER + _RANGE + _LIST,
    FieldType.NUMBER: _EQUALITY + _ORDER + _RANGE + _LIST,
    FieldType.BOOLEAN: ("equals",),
    FieldType.DATETIME: _EQUALITY + _ORDER + _RANGE + SHORTCUTS,
    FieldType.DATETIME_OFFSET: _EQUALITY + _ORDER + _RANGE,
    FieldType.ACCOUNT_PERIOD: _EQUALITY + _ORDER + _RANGE,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One name that a client may filter by. `sql`: an SQL expression that a programmer wrote.

    Never build `sql` from a request. Columns of the two date types hold UTC.
    """

    type: FieldType
    sql: str


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL for a `where`, the same on SQLite and PostgreSQL, and its named parameters.

    Join it with `and`; put it in parentheses before `or` or `not`. Datetimes are aware UTC. For
    SQLAlchemy: `text(condition.sql).bindparams(**condition.params)`, which types the values.
    """

    sql: str
    params: Mapping[str, Value]


def compile_filter(
    text: str, fields: Mapping[str, Field], *, now: datetime, prefix: str = "f"
) -> Condition | Refused:
    """Make a condition of a client's filter, or say what is wrong with it and where. Never raises.

    `fields` is keyed by the wire's filter names, which compare without regard to the case of A-Z.
    `now` (aware) places the date shortcuts. Parameters are `prefix` and a number: two conditions in
    one statement need two prefixes, neither ending in a digit.
    """
    params: dict[str, Value] = {}

    def bind(value: Value) -> str:
        name = f"{prefix}{len(params)}"
        params[name] = value
        return f":{name}"

    try:
        expressions = [_expression(tokens, fields) for tokens in _split(text)]
    except _WrongError as wrong:
        return Refused(Fault.INVALID_FILTER, str(wrong), field="filter")
    conditions = [_condition(expression, now, bind) for expression in expressions]
    return Condition(" and ".join(conditions) or "1 = 1", params)


class _WrongError(Exception):
    """What a client got wrong; never leaves this module."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(f"at character {at}: {why}")


class _Token(NamedTuple):
    """`text`: what it means, a value's without its quotes. `at`: its place, counted from 1."""

    kind: Literal["word", "value", "bar"]
    text: str
    at: int


class _Span(NamedTuple):
    """A value. `low` and `high` differ for a date without time: its first and last microsecond."""

    low: Value
    high: Value


class _Expression(NamedTuple):
    field: Field
    operator: str
    values: list[_Span]


def _split(text: str) -> Iterator[list[_Token]]:
    """The tokens of each expression, never none. `and` is neither a field nor in an operator."""
    if len(text) > TEXT_LENGTH_MAX:
        raise _WrongError(TEXT_LENGTH_MAX + 1, f"a filter has at most {TEXT_LENGTH_MAX} characters")
    tokens: list[_Token] = []
    joins = 0
    for token in _scan(text):
        if token.kind != "word" or token.text.translate(_FOLD) != "and":
            tokens.append(token)
            continue
        joins += 1
        if not tokens:
            raise _WrongError(token.at, "a field is expected before 'and'")
        if joins == EXPRESSIONS_MAX:
            raise _WrongError(token.at, f"a filter has at most {EXPRESSIONS_MAX} expressions")
        yield tokens
        tokens = []
    if joins and not tokens:
        raise _WrongError(len(text.rstrip()) + 1, "a field is expected after 'and'")
    if tokens:
        yield tokens


def _scan(text: str) -> Iterator[_Token]:
    start = 0
    while start < len(text):
        end, first = start + 1, text[start]
        if first == "'":
            end = _after_quote(text, start)
            yield _Token("value", text[start + 1 : end - 1].replace("''", "'"), start + 1)
        elif first == "|":
            yield _Token("bar", first, start + 1)
        elif not first.isspace():
            while end < len(text) and text[end] not in "'|" and not text[end].isspace():
                end += 1
            yield _Token("word", text[start:end], start + 1)
        start = end


def _after_quote(text: str, start: int) -> int:
    """Where the value ends whose quote opens at `start`. A doubled quote does not end it."""
    end = text.find("'", start + 1)
    while end != -1 and text.startswith("'", end + 1):
        end = text.find("'", end + 2)
    if end == -1:
        raise _WrongError(start + 1, "this quote is not closed; one inside a value is doubled")
    return end + 1


def _expression(tokens: list[_Token], fields: Mapping[str, Field]) -> _Expression:
    start = tokens[0]
    name = next((n for n in fields if n.translate(_FOLD) == start.text.translate(_FOLD)), None)
    if name is None or start.kind != "word":
        has = f"there are {', '.join(fields)}" if fields else "there is none"
        raise _WrongError(start.at, f"{_shown(start.text)} is not a field of this list; {has}")
    words = list(takewhile(lambda token: token.kind == "word", tokens[1:]))
    quoted = tokens[1 + len(words) :]
    written = " ".join(word.text for word in words)
    operator, offered = written.translate(_FOLD), fields[name].type.operators
    if operator not in offered:
        if not quoted:
            _refuse_bare_value(words, offered)
        at = words[0].at if words else start.at + len(start.text)
        why = (
            f"{_shown(written)} is not an operator of {name}" if words else "an operator is missing"
        )
        raise _WrongError(at, f"{why}; {name} has {', '.join(offered)}")
    values = _values(operator, words[-1], quoted)
    return _Expression(fields[name], operator, [_value(fields[name].type, v) for v in values])


def _refuse_bare_value(words: list[_Token], offered: Sequence[str]) -> None:
    """Name the likelier mistake when an operator is followed by more words: missing quotes."""
    for count in (3, 2, 1):
        known = " ".join(word.text for word in words[:count]).translate(_FOLD)
        if known in offered and known not in SHORTCUTS:
            bare = words[count]
            raise _WrongError(bare.at, f"{_shown(bare.text)} should stand in single quotes")


def _values(operator: str, last_word: _Token, tokens: Sequence[_Token]) -> Sequence[_Token]:
    """The values of one expression, as many as its operator takes."""
    for index, token in enumerate(tokens):
        if index % 2 == 0 and token.kind != "value":
            raise _WrongError(token.at, "a value in single quotes is expected here")
        if index % 2 and token.kind != "bar":
            raise _WrongError(token.at, f"'|' or 'and' is expected before {_shown(token.text)}")
    if tokens and tokens[-1].kind == "bar":
        raise _WrongError(tokens[-1].at + 1, "a value in single quotes is expected after '|'")
    values = tokens[::2]
    fewest, most, takes = _ARITY.get(operator, (1, 1, "one value in single quotes"))
    if len(values) < fewest:
        end = tokens[-1].at if tokens else last_word.at + len(last_word.text)
        raise _WrongError(end, f"'{operator}' takes {takes}")
    if len(values) > most:
        raise _WrongError(values[most].at, f"'{operator}' takes {takes}; this is one too many")
    return values


_ARITY = {
    **dict.fromkeys(SHORTCUTS, (0, 0, "no value")),
    **dict.fromkeys(_RANGE, (2, 2, "two values, joined by '|'")),
    **dict.fromkeys(_LIST, (1, VALUES_MAX, f"from one to {VALUES_MAX} values, joined by '|'")),
}


def _value(field_type: FieldType, token: _Token) -> _Span:
    read, wanted = _READERS[field_type]
    value = read(token.text)
    if value is None:
        raise _WrongError(token.at, f"{_shown(token.text)} is not {wanted}")
    return value if isinstance(value, _Span) else _Span(value, value)


def _string(text: str) -> str | None:
    # PostgreSQL stores no NUL, and half of a surrogate pair is in no UTF-8 text.
    return None if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text) else text


def _integer(text: str) -> int | None:
    # The length comes first: int() raises above some thousand digits.
    if not re.fullmatch(r"[+-]?[0-9]+", text) or len(text.lstrip("+-0")) > 19:
        return None
    number = int(text)
    return number if _INTEGER_MIN <= number <= _INTEGER_MAX else None


def _number(text: str) -> float | None:
    # A whole number stays one, so that it is exact beyond what a float can hold.
    whole = _integer(text)
    if whole is not None or not re.fullmatch(r"[+-]?[0-9]+(?:\.[0-9]+)?", text):
        return whole
    number = float(text)
    return number if math.isfinite(number) else None


def _boolean(text: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.translate(_FOLD))


def _period(text: str) -> int | None:
    # Some organizations count thirteen periods a year.
    return int(text) if re.fullmatch(r"[0-9]{4}(?:0[1-9]|1[0-3])", text) else None


_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_AMERICAN = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


def _moment(text: str) -> _Span | None:
    if american := _AMERICAN.fullmatch(text):
        text = "{2}-{0:0>2}-{1:0>2}".format(*american.groups())
    # fromisoformat() alone takes more shapes than we promise, and not the same in every Python.
    iso = _ISO.fullmatch(text)
    if iso is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        low = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return _Span(low, low if iso[1] else low + (_DAY - _TICK))


_A_DATE = "a date such as 2026-03-30 or 2026-03-30T10:00:00Z"
_READERS: Mapping[FieldType, tuple[Callable[[str], Value | _Span | None], str]] = {
    FieldType.STRING: (_string, "text that a list could hold"),
    FieldType.INTEGER: (_integer, f"a whole number from {_INTEGER_MIN} to {_INTEGER_MAX}"),
    FieldType.NUMBER: (_number, "a number such as 12 or 12.5"),
    FieldType.BOOLEAN: (_boolean, "'true' or 'false'"),
    FieldType.DATETIME: (_moment, _A_DATE),
    FieldType.DATETIME_OFFSET: (_moment, _A_DATE),
    FieldType.ACCOUNT_PERIOD: (_period, "an accounting period such as 202603"),
}


def _condition(expression: _Expression, now: datetime, bind: Callable[[Value], str]) -> str:
    field, operator, values = expression
    column = f"({field.sql})"
    if operator in SHORTCUTS:
        start, end = (bind(moment) for moment in _days(operator, now))
        return f"({column} >= {start} and {column} < {end})"
    positive = operator.removeprefix("not ")
    if field.type is FieldType.STRING:
        sql = _positive(f"lower{column}", positive, values, lambda value: f"lower({bind(value)})")
    else:
        sql = _positive(column, positive, values, bind)
    return sql if positive == operator else f"(not {sql} or {column} is null)"


def _positive(column: str, operator: str, values: list[_Span], bind: Callable[[Value], str]) -> str:
    first, last = values[0], values[-1]
    if operator == "like":
        pattern = f"%{str(first.low).translate(_LIKE_ESCAPES)}%"
        return f"{column} like {bind(pattern)} escape '!'"
    if operator == "one of":
        # PostgreSQL gives a list one type: beside a fraction, a large integer would be rounded.
        kinds = dict.fromkeys(type(value.low) for value in values)
        lists = [", ".join(bind(v.low) for v in values if type(v.low) is kind) for kind in kinds]
        return f"({' or '.join(f'{column} in ({listed})' for listed in lists)})"
    if operator in _SIGNS:
        past_all_of_it = operator in ("less than equal", "greater than")
        return f"{column} {_SIGNS[operator]} {bind(first.high if past_all_of_it else first.low)}"
    if first.low == last.high:
        return f"{column} = {bind(first.low)}"
    return f"({column} >= {bind(first.low)} and {column} <= {bind(last.high)})"


def _days(shortcut: str, now: datetime) -> tuple[datetime, datetime]:
    """Where the shortcut's UTC days begin, and where the day after them begins."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if shortcut in _LAST_DAYS:
        return today + _DAY - timedelta(days=_LAST_DAYS[shortcut]), today + _DAY
    month = today.replace(day=1)
    year = month.replace(month=1)
    return {
        "today": (today, today + _DAY),
        "yesterday": (today - _DAY, today),
        "current month": (month, (month + timedelta(days=31)).replace(day=1)),
        "last month": ((month - _DAY).replace(day=1), month),
        "current year": (year, year.replace(year=year.year + 1)),
        "last year": (year.replace(year=year.year - 1), year),
    }[shortcut]


def _shown(text: str) -> str:
    """A client's text as an error may quote it: at most 40 characters, all of them visible."""
    seen = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_SHOWN_MAX])
    return f"'{seen}{'…' if len(text) > _SHOWN_MAX else ''}'"
