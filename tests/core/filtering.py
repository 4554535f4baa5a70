"""What the tests of filters share: a table, values in their spellings, an oracle."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from keyhalt.core.filters import (
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
            db.execute(f"insert into t values ({', '.join('?' * len(cells))})", cells)
        statement = f"select place from t where {sql} order by place"
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
