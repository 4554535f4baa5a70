"""Sample data: a university, its campuses, buildings and meters, and what they cost.

Made by code from a seed, the same each time but for the ids. All names are invented. Campuses have
the codes NORTH, RIVER and HILL in the places, FIN-NORTH and so on in the cost centers. Written in
pieces, so that memory does not grow with the bills, and with some hundred bytes for each meter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from keyhalt_energy import schema, tallies
from keyhalt_energy.sample_bills import Accounts, in_pieces, write_bills, write_numbered
from keyhalt_energy.sample_rows import ALWAYS, CAMPUSES, VENDORS, account, building, meter
from keyhalt_energy.scope import COLLECTIONS, COST_CENTERS, PLACES, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from keyhalt_energy.store import Store

METERS, BILLS = 200, 7_200
_METERS_PER_BUILDING = 5
_BUILDINGS_MIN = 8
_MADE_AT = datetime(2023, 8, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Size:
    """200 meters with 7,200 bills are 40 buildings and 36 months or more."""

    meters: int
    bills: int

    @property
    def buildings(self) -> int:
        return max(_BUILDINGS_MIN, self.meters // _METERS_PER_BUILDING)


class NotEmptyError(ValueError):
    """There are places in the datasource already."""


def size_of(sizes: Mapping[str, int]) -> Size:
    """Raises ValueError for what cannot be."""
    size = Size(sizes.get("meters", METERS), sizes.get("bills", BILLS))
    if size.meters < 0 or size.bills < 0:
        raise ValueError("there cannot be fewer than 0 meters or bills")
    if size.bills and not size.meters:
        raise ValueError("sample bills are of meters: with bills there must be meters")
    return size


def load(
    store: Store,
    datasource_id: int,
    user_id: int,
    size: Size,
    progress: Callable[[int, int], None],
) -> Sequence[Mapping[str, int]]:
    """In one transaction: all of it, or nothing. Returns views, as `App.load_sample` does."""
    with store.bulk() as connection:
        places = schema.place.c
        if connection.scalar(select(places.id).where(places.datasource_id == datasource_id)):
            raise NotEmptyError(f"datasource {datasource_id} has places already")
        return _Loader(connection, datasource_id, user_id, size, progress).load()


class _Loader:
    def __init__(
        self,
        connection: Connection,
        datasource_id: int,
        user_id: int,
        size: Size,
        progress: Callable[[int, int], None],
    ) -> None:
        self._connection = connection
        self._datasource_id = datasource_id
        self._size = size
        self._progress = progress
        by = {"by_id": user_id, "by_code": "sample", "by_name": "Sample data", "at": _MADE_AT}
        self._made = {f"{verb}_{k}": v for verb in ("created", "modified") for k, v in by.items()}
        self._above: dict[int, list[int]] = {}

    def load(self) -> Sequence[Mapping[str, int]]:
        root, campuses, buildings = self._places()
        meters = self._meters(buildings)
        center_root, divisions, departments = self._cost_centers(len(campuses), len(buildings))
        accounts = self._accounts(meters, departments)
        common = {"datasource_id": self._datasource_id, **self._made}
        write_bills(self._connection, common, accounts, self._size.bills, self._tell_of_bills)
        tallies.recount(self._connection, self._datasource_id)
        collections = self._nodes(COLLECTIONS, [{"code": "ALL", "info": "All collections"}], [None])
        views = (
            (root, center_root),
            (campuses[1], divisions[1]),
            (buildings[0], departments[0]),
        )
        return [
            {"places": seen, "costCenters": center, "collections": collections[0]}
            for seen, center in views
        ]

    def _tell_of_bills(self, written: int) -> None:
        self._progress(self._size.meters + written, self._size.meters + self._size.bills)

    def _places(self) -> tuple[int, list[int], list[int]]:
        university = {"code": "UNIVERSITY", "info": "Ostermark University", "type_id": 1}
        root = self._nodes(PLACES, [university], [None])[0]
        campuses = self._nodes(
            PLACES,
            [{"code": code, "info": info, "type_id": 3} for code, info, _ in CAMPUSES],
            [root] * len(CAMPUSES),
        )
        rows = [building(index) for index in range(self._size.buildings)]
        parents: list[int | None] = [campuses[index % len(campuses)] for index in range(len(rows))]
        return root, campuses, self._nodes(PLACES, rows, parents)

    def _meters(self, buildings: Sequence[int]) -> list[tuple[int, int, int]]:
        """Each as its id, its building's number and its commodity."""
        made: list[tuple[int, int, int]] = []
        plan = (meter(index, len(buildings)) for index in range(self._size.meters))
        for some in in_pieces(plan):
            ids = self._write(schema.meter, [r | {"place_id": buildings[h]} for r, h in some])
            made += [(n, h, r["commodity_id"]) for n, (r, h) in zip(ids, some, strict=True)]
            self._progress(len(made), self._size.meters + self._size.bills)
        return made

    def _cost_centers(self, campuses: int, buildings: int) -> tuple[int, list[int], list[int]]:
        root = self._nodes(COST_CENTERS, [{"code": "FIN", "info": "University finance"}], [None])[0]
        divisions = self._nodes(
            COST_CENTERS,
            [{"code": f"FIN-{code}", "info": f"{info} budget"} for code, info, _ in CAMPUSES],
            [root] * campuses,
        )
        rows = [
            {"code": f"D{index:05}", "info": f"Department {index:05}"} for index in range(buildings)
        ]
        parents: list[int | None] = [divisions[index % campuses] for index in range(buildings)]
        return root, divisions, self._nodes(COST_CENTERS, rows, parents)

    def _accounts(
        self, meters: Sequence[tuple[int, int, int]], departments: Sequence[int]
    ) -> Accounts:
        """One for each building and commodity, and its links to the meters."""
        sellers = self._write(
            schema.vendor,
            [
                {"code": code, "info": info, "country": "United States", "state": "OH"}
                for code, info, _ in VENDORS
            ],
        )
        sold = {c: s for s, (_, _, sells) in zip(sellers, VENDORS, strict=True) for c in sells}
        served: dict[tuple[int, int], list[int]] = {}
        for number, house, commodity in meters:
            served.setdefault((house, commodity), []).append(number)
        rows = (
            account(house, commodity)
            | {"cost_center_id": departments[house], "vendor_id": sold[commodity]}
            for house, commodity in served
        )
        ids = self._write(schema.account, rows)
        links = (
            {"account_id": number, "meter_id": each, "rate_id": 1} | ALWAYS
            for number, some in zip(ids, served.values(), strict=True)
            for each in some
        )
        self._write(schema.account_meter, links)
        return [
            (number, commodity, some)
            for number, ((_, commodity), some) in zip(ids, served.items(), strict=True)
        ]

    def _nodes(
        self, tree: Tree, rows: Sequence[dict[str, Any]], parents: Sequence[int | None]
    ) -> list[int]:
        ids = self._write(
            tree.nodes, [r | {"parent_id": p} for r, p in zip(rows, parents, strict=True)]
        )
        above = []
        for number, parent in zip(ids, parents, strict=True):
            chain = [number] if parent is None else [number, *self._above[parent]]
            self._above[number] = chain
            above += [
                {"datasource_id": self._datasource_id, "node_id": number, "above_id": over}
                for over in chain
            ]
        self._connection.execute(insert(tree.above), above)
        return ids

    def _write(self, table: Table, rows: Iterable[dict[str, Any]]) -> list[int]:
        common = {"datasource_id": self._datasource_id, **self._made}
        return write_numbered(self._connection, table, (common | row for row in rows))
