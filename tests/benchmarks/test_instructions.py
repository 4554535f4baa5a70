"""The guard that counts instructions: what it lets pass and what it does not."""

from __future__ import annotations

from bench.instructions import compared


def test_five_per_cent_more_fails_and_less_does_not() -> None:
    """At the limit it holds; what was never recorded is said and fails nobody."""
    recorded = {"one": 1000.0, "two": 1000.0, "three": 1000.0}
    lines, slower = compared(recorded, {"one": 1051.0, "two": 1050.0, "three": 400.0, "new": 5.0})
    assert slower == ["one"]
    assert "+5.1%" in lines[0]
    assert "never recorded" in lines[3]
