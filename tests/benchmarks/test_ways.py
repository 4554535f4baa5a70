"""The ways of a request that the finer measurements are made of."""

from __future__ import annotations

import asyncio

from bench.flame import drawn, sampled, tree_of
from bench.ways import ways


def test_each_way_is_answered_as_its_name_says() -> None:
    """Otherwise it would measure something else. The second time it is answered from memory."""
    with ways() as found:
        assert len(found) == 17
        for way in found.values():
            asyncio.run(way.check())
            asyncio.run(way.check())


def test_a_flame_graph_shows_what_a_request_passes() -> None:
    picture = drawn(tree_of(sampled("middleware, barrier, good", 0.05), "a <way>"))
    assert picture.startswith("<svg")
    assert "middleware.Authenticate.__call__" in picture
    assert "a &lt;way&gt;" in picture
