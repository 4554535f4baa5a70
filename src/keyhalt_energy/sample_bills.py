"""The bills of the sample data: month by month, one for each account, a line for each meter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import func, insert, select

from keyhalt_energy.catalog import COST_UNIT_DEFAULT
from keyhalt_energy.sample_rows import noise
from keyhalt_energy.schema import batch, bill, bill_line

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_T = TypeVar("_T")
Accounts: TypeAlias = Sequence[tuple[int, int, Sequence[int]]]
"""Each account as its id, its commodity and its meters."""

_LAST = 2026 * 12 + 7  # August 2026, in months
_MONTHS_MAX = 1500  # before that, a billing period would be in a year that none may have
_AT_ONCE = 5_000
_PRICES = {1: 0.14, 2: 1.1, 3: 9.5, 4: 11.0, 5: 24.0, 6: 0.3, 7: 3.6, 8: 0.0}
_TYPICAL_USE = {1: 42_000, 2: 2_300, 3: 120, 4: 115, 5: 480, 6: 9_000, 7: 900, 8: 3_800}


def write_bills(
    connection: Connection,
    common: Mapping[str, Any],
    accounts: Accounts,
    count: int,
    progress: Callable[[int], None],
) -> None:
    """`count` bills, the latest months first in need, the oldest first in order.

    `common`: the columns that all have alike. `progress` is told how many are written. Raises
    ValueError for more than can be.
    """
    if not count:
        return
    months = -(-count // len(accounts))
    if months > _MONTHS_MAX:
        most = _MONTHS_MAX * len(accounts)
        raise ValueError(f"so few meters have at most {most} sample bills, one for each month")
    codes = [{**common, "code": f"SAMPLE-{_period(m)}", "open": False} for m in range(months)]
    batches = write_numbered(connection, batch, codes)
    done = 0
    for some in in_pieces(islice(_plan(common, accounts, batches), count)):
        ids = write_numbered(connection, bill, (row for row, _ in some))
        lines = [
            {**_NO_LINE, "datasource_id": common["datasource_id"], "bill_id": number, **line}
            for number, (_, own) in zip(ids, some, strict=True)
            for line in own
        ]
        connection.execute(insert(bill_line), lines)
        done += len(some)
        progress(done)


def in_pieces(rows: Iterable[_T]) -> Iterator[list[_T]]:
    """Some thousand at a time, so that never all are in memory."""
    rest = iter(rows)
    while some := list(islice(rest, _AT_ONCE)):
        yield some


def write_numbered(
    connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]
) -> list[int]:
    """Write many rows; the database numbers the first, the others follow. Under the write lock."""
    ids: list[int] = []
    for some in in_pieces(rows):
        one = insert(table).values(some[0]).returning(table.c.id)
        first = int(connection.execute(one).scalar_one())
        numbers = range(first, first + len(some))
        ids += numbers
        rest = [{**row, "id": number} for row, number in zip(some[1:], numbers[1:], strict=True)]
        if rest:
            connection.execute(insert(table), rest)
        if connection.dialect.name == "postgresql":
            # A sequence does not see what was numbered without it.
            move = func.setval(func.pg_get_serial_sequence(table.name, "id"), ids[-1])
            connection.execute(select(move))
    return ids


_Bill = tuple[dict[str, Any], list[dict[str, Any]]]
_NO_LINE = {
    "meter_id": None,
    "value": None,
    "value_unit_id": None,
    "cost": None,
    "cost_unit_id": COST_UNIT_DEFAULT,
    "special_charge_id": None,
}


def _plan(common: Mapping[str, Any], accounts: Accounts, batches: Sequence[int]) -> Iterator[_Bill]:
    for back in range(len(batches) - 1, -1, -1):
        for account_id, commodity, meters in accounts:
            lines = [line for each in meters for line in _lines(each, commodity, back)]
            net = sum(line.get("cost", 0.0) for line in lines)
            tax = {"observation_type_id": 20, "caption": "State tax", "cost": round(net * 0.06, 2)}
            row = _row(common, account_id, batches[back], back)
            row["total_cost"] = round(net + tax["cost"], 2)
            yield row, [*lines, tax]


def _row(common: Mapping[str, Any], account_id: int, batch_id: int, back: int) -> dict[str, Any]:
    """A bill of the month `back` months before the last. Old ones are approved and exported."""
    begin, end = _month(back), _month(back - 1) - timedelta(days=1)
    written = end + timedelta(days=6, minutes=account_id % 600)
    row = {
        **common,
        "account_id": account_id,
        "batch_id": batch_id,
        "begin_at": begin,
        "end_at": end,
        "billing_period": _period(back),
        "account_period": _period(back),
        "estimated": noise("estimated", account_id, back) < 0.03,
        "manual_entry": False,
        "statement_at": end + timedelta(days=3),
        "due_at": end + timedelta(days=24),
        "invoice_number": f"{_period(back)}-{account_id}",
        "void": noise("void", account_id, back) < 0.005,
        "created_at": written,
        "modified_at": written,
    }
    for verb, after in (("approved", 3), ("exported", 6)):
        done = back >= after
        row |= {
            verb: done,
            f"{verb}_by_id": common["created_by_id"] if done else None,
            f"{verb}_by_code": common["created_by_code"] if done else None,
            f"{verb}_by_name": common["created_by_name"] if done else None,
            f"{verb}_at": written + timedelta(days=2) if done else None,
        }
    return row


def _lines(meter_id: int, commodity: int, back: int) -> list[dict[str, Any]]:
    season = 1 + 0.35 * noise("season", commodity, (_LAST - back) % 12)
    use = round(_TYPICAL_USE[commodity] * season * (0.4 + noise("use", meter_id, back)), 1)
    unit = {1: 1, 2: 4, 3: 7, 4: 7, 5: 9, 6: 10, 7: 8, 8: 1}[commodity]
    return [
        {
            "meter_id": meter_id,
            "observation_type_id": 1,
            "caption": "Use",
            "value": use,
            "value_unit_id": unit,
            "cost": round(use * _PRICES[commodity], 2),
        }
    ]


def _month(back: int) -> datetime:
    year, month = divmod(_LAST - back, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _period(back: int) -> int:
    year, month = divmod(_LAST - back, 12)
    return year * 100 + month + 1
