"""What a filter's text says: fields, operators and values, or what is wrong with it and where.

docs/filters.md is the reference. Reading a text is linear in its length.
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
LAST_DAYS = {f"last {days} days": days for days in (7, 14, 30, 60, 90)}
_MONTHS = ("current month", "last month", "current year", "last year")
SHORTCUTS = ("today", "yesterday", *LAST_DAYS, *_MONTHS)

DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1
_SHOWN_MAX = 40
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


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

    Never build `sql` from a request. Columns of the two date types hold UTC. `among`: for values in
    other rows, a condition with `{}` for the comparison, such as `id in (select … where {})`. It
    passes if one of the values does; negated, if none does.
    """

    type: FieldType
    sql: str
    among: str = "{}"


class WrongError(Exception):
    """What a client got wrong, and where."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(f"at character {at}: {why}")


class _Token(NamedTuple):
    """`text`: what it means, a value's without its quotes. `at`: its place, counted from 1."""

    kind: Literal["word", "value", "bar"]
    text: str
    at: int


class Span(NamedTuple):
    """A value. `low` and `high` differ for a date without time: its first and last microsecond."""

    low: Value
    high: Value


class Expression(NamedTuple):
    """`operator` is in small letters, and one that the field's type offers."""

    field: Field
    operator: str
    values: list[Span]


def expressions_of(text: str, fields: Mapping[str, Field]) -> list[Expression]:
    """What a client's filter says. Raises WrongError, and nothing else."""
    return [_expression(tokens, fields) for tokens in _split(text)]


def _split(text: str) -> Iterator[list[_Token]]:
    """The tokens of each expression, never none. `and` is neither a field nor in an operator."""
    if len(text) > TEXT_LENGTH_MAX:
        raise WrongError(TEXT_LENGTH_MAX + 1, f"a filter has at most {TEXT_LENGTH_MAX} characters")
    tokens: list[_Token] = []
    joins = 0
    for token in _scan(text):
        if token.kind != "word" or token.text.translate(_FOLD) != "and":
            tokens.append(token)
            continue
        joins += 1
        if not tokens:
            raise WrongError(token.at, "a field is expected before 'and'")
        if joins == EXPRESSIONS_MAX:
            raise WrongError(token.at, f"a filter has at most {EXPRESSIONS_MAX} expressions")
        yield tokens
        tokens = []
    if joins and not tokens:
        raise WrongError(len(text.rstrip()) + 1, "a field is expected after 'and'")
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
        raise WrongError(start + 1, "this quote is not closed; one inside a value is doubled")
    return end + 1


def _expression(tokens: list[_Token], fields: Mapping[str, Field]) -> Expression:
    start = tokens[0]
    name = next((n for n in fields if n.translate(_FOLD) == start.text.translate(_FOLD)), None)
    if name is None or start.kind != "word":
        has = f"there are {', '.join(fields)}" if fields else "there is none"
        raise WrongError(start.at, f"{_shown(start.text)} is not a field of this list; {has}")
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
        raise WrongError(at, f"{why}; {name} has {', '.join(offered)}")
    values = _values(operator, words[-1], quoted)
    return Expression(fields[name], operator, [_value(fields[name].type, v) for v in values])


def _refuse_bare_value(words: list[_Token], offered: Sequence[str]) -> None:
    """Name the likelier mistake when an operator is followed by more words: missing quotes."""
    for count in (3, 2, 1):
        known = " ".join(word.text for word in words[:count]).translate(_FOLD)
        if known in offered and known not in SHORTCUTS:
            bare = words[count]
            raise WrongError(bare.at, f"{_shown(bare.text)} should stand in single quotes")


def _values(operator: str, last_word: _Token, tokens: Sequence[_Token]) -> Sequence[_Token]:
    """The values of one expression, as many as its operator takes."""
    for index, token in enumerate(tokens):
        if index % 2 == 0 and token.kind != "value":
            raise WrongError(token.at, "a value in single quotes is expected here")
        if index % 2 and token.kind != "bar":
            raise WrongError(token.at, f"'|' or 'and' is expected before {_shown(token.text)}")
    if tokens and tokens[-1].kind == "bar":
        raise WrongError(tokens[-1].at + 1, "a value in single quotes is expected after '|'")
    values = tokens[::2]
    fewest, most, takes = _ARITY.get(operator, (1, 1, "one value in single quotes"))
    if len(values) < fewest:
        end = tokens[-1].at if tokens else last_word.at + len(last_word.text)
        raise WrongError(end, f"'{operator}' takes {takes}")
    if len(values) > most:
        raise WrongError(values[most].at, f"'{operator}' takes {takes}; this is one too many")
    return values


_ARITY = {
    **dict.fromkeys(SHORTCUTS, (0, 0, "no value")),
    **dict.fromkeys(_RANGE, (2, 2, "two values, joined by '|'")),
    **dict.fromkeys(_LIST, (1, VALUES_MAX, f"from one to {VALUES_MAX} values, joined by '|'")),
}


def _value(field_type: FieldType, token: _Token) -> Span:
    read, wanted = _READERS[field_type]
    value = read(token.text)
    if value is None:
        raise WrongError(token.at, f"{_shown(token.text)} is not {wanted}")
    return value if isinstance(value, Span) else Span(value, value)


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


def _moment(text: str) -> Span | None:
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
    return Span(low, low if iso[1] else low + (DAY - _TICK))


_A_DATE = "a date such as 2026-03-30 or 2026-03-30T10:00:00Z"
_READERS: Mapping[FieldType, tuple[Callable[[str], Value | Span | None], str]] = {
    FieldType.STRING: (_string, "text that a list could hold"),
    FieldType.INTEGER: (_integer, f"a whole number from {_INTEGER_MIN} to {_INTEGER_MAX}"),
    FieldType.NUMBER: (_number, "a number such as 12 or 12.5"),
    FieldType.BOOLEAN: (_boolean, "'true' or 'false'"),
    FieldType.DATETIME: (_moment, _A_DATE),
    FieldType.DATETIME_OFFSET: (_moment, _A_DATE),
    FieldType.ACCOUNT_PERIOD: (_period, "an accounting period such as 202603"),
}


def _shown(text: str) -> str:
    """A client's text as an error may quote it: at most 40 characters, all of them visible."""
    seen = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_SHOWN_MAX])
    return f"'{seen}{'…' if len(text) > _SHOWN_MAX else ''}'"
