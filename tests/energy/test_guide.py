"""The app in docs/energy.md, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from keyhalt import AppContext
from tests.energy.estate import PROFILE, Api, principal, sized

GUIDE = Path(__file__).parents[2] / "docs" / "energy.md"


@pytest.fixture
def desks(tmp_path: Path) -> Any:  # the guide's own class
    """The guide's app with a room in a house, and another house beside it."""
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(source, "guide", "exec"), names)  # noqa: S102 - a text of this repository
    app = names["Desks"](AppContext(PROFILE, tmp_path))
    house, other = (app.load_sample(1, 1, **sized())[0]["places"] for _ in range(2))
    app._ask(lambda db: db.execute("insert into room values (9, 1, ?, 'ROOM')", (house,)))
    assert (house, other) == (1, 2)
    return app


def test_the_guide_s_app_lists_and_makes_within_reach_only(desks: Any) -> None:
    """Below the topmost: made, attributed, listed with a total, filtered. Beyond it: 404."""
    api, path = Api(desks), "/api/v1/desk"
    here, there = principal(places=(1,)), principal(user_id=8, places=(2,))
    assert api(here, "POST", path, {"roomId": 9, "name": "By the window"}).status == 200
    assert api(here, "POST", path, {"roomId": 2, "name": "X"}).why == "not_found"
    assert api(there, "POST", path, {"roomId": 9, "name": "X"}).why == "not_found"
    listed = api(here, "GET", path)
    assert listed.body == [{"deskId": 1, "name": "By the window", "createdBy": "jsmith"}]
    assert listed.headers is not None
    assert listed.headers["TotalNumberOfRecords"] == "1"
    assert api(here, "GET", path, filter="name like 'WINDOW'").ids == [1]
    assert api(here, "GET", path, filter="name like 'door'").body == []
    assert api(there, "GET", path).body == []
    assert api(principal(places=(1,), datasource_id=2), "GET", path).body == []
    assert api(here, "GET", path, pageSize="0").status == 400
    assert api(principal("meters.view", places=(1,)), "POST", path, {}).why == "meters.create"


def test_the_guide_s_app_answers_what_the_engine_asks(desks: Any) -> None:
    """About its tree, and about its nodes in the order asked for."""
    assert desks.contains(1, "places", 1, 9)
    assert not desks.contains(1, "places", 2, 9)
    assert [node.code for node in desks.describe(1, "places", [9, 77, 1])] == ["ROOM", "HOUSE"]
