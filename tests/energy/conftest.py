"""The app on an empty file, and an estate made through its own operations."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import keyhalt_energy
from keyhalt import AppContext, Principal
from tests.energy.estate import PROFILE, Api, Estate, make_pair, principal, sized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """The app on an empty file."""
    app = keyhalt_energy.app(AppContext(PROFILE, tmp_path))
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


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Estate]:
    """An estate made once; each test gets a copy of its file."""
    folder = tmp_path_factory.mktemp("template")
    app = keyhalt_energy.app(AppContext(PROFILE, folder))
    made = _make_estate(Api(app))
    app.close()
    return folder / "energy.db", made


@pytest.fixture
def estate(template: tuple[Path, Estate], tmp_path: Path) -> Iterator[Estate]:
    """Two buildings with all that belongs to them, in a file of the test's own."""
    path, made = template
    shutil.copy(path, tmp_path / "energy.db")
    app = keyhalt_energy.app(AppContext(PROFILE, tmp_path))
    yield replace(made, api=Api(app))
    app.close()
