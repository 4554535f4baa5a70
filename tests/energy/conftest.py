"""The app on an empty store, and an estate made through its own operations.

All that uses these fixtures runs on each store: one contract for both.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
import pytest

import keyhalt_energy
from keyhalt import AppContext, Principal
from tests.energy.estate import PROFILE, Api, Estate, make_pair, principal, sized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Shelf:
    """Stores of one session, each made once, and copied for each test that changes it."""

    folder: Path
    postgres: Server | str
    made: dict[str, Estate] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    def empty(self, store: str) -> AppContext:
        """Where a template of this store lies, with nothing in it."""
        if store == "sqlite":
            return AppContext(PROFILE, self.folder)
        if isinstance(self.postgres, str):
            pytest.skip(self.postgres)
        url = self.urls[store] = self.postgres.create()
        return AppContext(PROFILE, None, url)

    def estate(self, store: str) -> Estate:
        if store not in self.made:
            app = keyhalt_energy.app(self.empty(store))
            self.made[store] = _make_estate(Api(app))
            app.close()
        return self.made[store]

    @contextmanager
    def copied(self, store: str, folder: Path) -> Iterator[AppContext]:
        self.estate(store)
        if store == "sqlite":
            shutil.copy(self.folder / "energy.db", folder / "energy.db")
            yield AppContext(PROFILE, folder)
            return
        assert not isinstance(self.postgres, str)
        template = psycopg.conninfo.conninfo_to_dict(self.urls[store])["dbname"]
        url = self.postgres.create(str(template))
        yield AppContext(PROFILE, folder, url)
        self.postgres.drop(url)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, any_postgres: Server | str) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("template"), any_postgres)
    yield shelf
    if not isinstance(any_postgres, str):
        for url in shelf.urls.values():
            any_postgres.drop(url)


@pytest.fixture
def empty(store: str, tmp_path: Path, request: pytest.FixtureRequest) -> AppContext:
    """Where an app finds nothing yet: a folder, or a database."""
    if store == "sqlite":
        return AppContext(PROFILE, tmp_path)
    return AppContext(PROFILE, tmp_path, request.getfixturevalue("database_url"))


@pytest.fixture
def api(empty: AppContext) -> Iterator[Api]:
    """The app on an empty store."""
    app = keyhalt_energy.app(empty)
    yield Api(app)
    app.close()


@pytest.fixture
def portfolio(api: Api) -> tuple[Api, Principal]:
    """The sample data, with a caller who sees all of it."""
    roots = api.app.load_sample(1, 1, **sized(meters=60, bills=200))[0]
    return api, principal(places=(roots["places"],), centers=(roots["costCenters"],))


def _make_estate(api: Api) -> Estate:
    roots = api.app.load_sample(1, 1, **sized(meters=0, bills=0))[0]
    root, center_root = roots["places"], roots["costCenters"]
    admin = principal(user_id=1, code="admin", places=(root,), centers=(center_root,))
    vendor = api(
        admin, "POST", "/api/v3/vendor", {"vendorCode": "V1", "vendorInfo": "Vendor"}
    ).body["vendorId"]
    pairs = [make_pair(api, admin, (root, center_root), vendor, n) for n in (1, 2)]
    first, second = pairs
    columns = [(a, b) for a, b in zip(first, second, strict=True)]
    return Estate(
        api=api,
        admin=admin,
        here=principal(places=(first[0],), centers=(first[2],)),
        there=principal(user_id=8, code="other", places=(second[0],), centers=(second[2],)),
        root=root,
        center_root=center_root,
        buildings=columns[0],
        meters=columns[1],
        centers=columns[2],
        vendor=vendor,
        accounts=columns[3],
        bills=columns[4],
    )


@pytest.fixture
def where(shelf: Shelf, store: str, tmp_path: Path) -> Iterator[AppContext]:
    """Where the estate of this test lies."""
    with shelf.copied(store, tmp_path) as context:
        yield context


@pytest.fixture
def estate(shelf: Shelf, store: str, where: AppContext) -> Iterator[Estate]:
    """Two buildings with all that belongs to them, in a store of the test's own."""
    app = keyhalt_energy.app(where)
    yield replace(shelf.estate(store), api=Api(app))
    app.close()
