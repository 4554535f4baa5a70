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

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from keyhalt.core.filter_text import (
    DAY,
    EXPRESSIONS_MAX,
    LAST_DAYS,
    SHORTCUTS,
    TEXT_LENGTH_MAX,
    VALUES_MAX,
    Expression,
    Field,
    FieldType,
    Span,
    Value,
    WrongError,
    expressions_of,
)
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "EXPRESSIONS_MAX",
    "SHORTCUTS",
    "TEXT_LENGTH_MAX",
    "VALUES_MAX",
    "Condition",
    "Field",
    "FieldType",
    "Value",
    "compile_filter",
]

_SIGNS = {
    "less than": "<",
    "less than equal": "<=",
    "greater than": ">",
    "greater than equal": ">=",
}
# Not a backslash: whether one is itself an escape in a literal depends on PostgreSQL's settings.
_LIKE_ESCAPES = str.maketrans({c: f"!{c}" for c in "!%_"})


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
        expressions = expressions_of(text, fields)
    except WrongError as wrong:
        return Refused(Fault.INVALID_FILTER, str(wrong), field="filter")
    conditions = [_condition(expression, now, bind) for expression in expressions]
    return Condition(" and ".join(conditions) or "1 = 1", params)


def _condition(expression: Expression, now: datetime, bind: Callable[[Value], str]) -> str:
    field, operator, values = expression
    column = f"({field.sql})"
    if operator in SHORTCUTS:
        start, end = (bind(moment) for moment in _days(operator, now))
        return field.among.format(f"({column} >= {start} and {column} < {end})")
    positive = operator.removeprefix("not ")
    if field.type is FieldType.STRING:
        sql = _positive(f"lower{column}", positive, values, lambda value: f"lower({bind(value)})")
    else:
        sql = _positive(column, positive, values, bind)
    if field.among != "{}":
        sql = field.among.format(sql)
        return sql if positive == operator else f"(not {sql})"
    return sql if positive == operator else f"(not {sql} or {column} is null)"


def _positive(column: str, operator: str, values: list[Span], bind: Callable[[Value], str]) -> str:
    first, last = values[0], values[-1]
    if operator == "like":
        pattern = f"%{str(first.low).translate(_LIKE_ESCAPES)}%"
        # All texts are at least the empty one. Said so, a database reads an index, not the rows.
        return f"({column} >= '' and {column} like {bind(pattern)} escape '!')"
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
    if shortcut in LAST_DAYS:
        return today + DAY - timedelta(days=LAST_DAYS[shortcut]), today + DAY
    month = today.replace(day=1)
    year = month.replace(month=1)
    return {
        "today": (today, today + DAY),
        "yesterday": (today - DAY, today),
        "current month": (month, (month + timedelta(days=31)).replace(day=1)),
        "last month": ((month - DAY).replace(day=1), month),
        "current year": (year, year.replace(year=year.year + 1)),
        "last year": (year.replace(year=year.year - 1), year),
    }[shortcut]
