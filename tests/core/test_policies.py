"""Policies: the first rule that matches decides, what no rule names is denied."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keyhalt.core.paths import segments_of
from keyhalt.core.policies import Policy, PolicyError, policy_from
from keyhalt.core.profiles import profile_from

PROFILE = profile_from(tomllib.loads((Path(__file__).parents[1] / "orders.toml").read_text()))

ORDERS = """
name = "orders"
case = "exact"
[[rule]]
methods = ["GET"]
path = "/orders/open"
permission = "projects.view"
[[rule]]
methods = ["GET"]
path = "/orders/{id}"
permission = "orders.view"
[[rule]]
methods = ["POST", "PUT"]
path = "/orders/**"
permission = "orders.create"
[[rule]]
methods = ["*"]
path = "/me"
permission = "any key"
"""


def policy(text: str = ORDERS) -> Policy:
    return policy_from(tomllib.loads(text), PROFILE.catalogue, ["projects"])


def needs(method: str, path: str, said: Policy | None = None) -> str:
    """What a request asks for; `denied`, or `ambiguous`."""
    said = said or policy()
    segments = segments_of(path, fold=said.fold)
    if segments is None:
        return "ambiguous"
    rule = said.rule_for(method, segments)
    return "denied" if rule is None else str(rule.need)


@pytest.mark.parametrize(
    ("request_line", "needed"),
    [
        ("GET /orders/17", "orders.view"),
        ("HEAD /orders/17", "orders.view"),
        ("GET /orders/open", "projects.view"),
        ("GET /orders/a%20b", "orders.view"),
        ("GET /orders/%C3%BC", "orders.view"),
        ("POST /orders", "orders.create"),
        ("PUT /orders/17/lines/2", "orders.create"),
        ("DELETE /me", "None"),
        ("GET /", "denied"),
        ("GET /orders", "denied"),
        ("GET /orders/", "denied"),
        ("GET /orders/17/", "denied"),
        ("GET /orders/17/lines", "denied"),
        ("DELETE /orders/17", "denied"),
        ("get /orders/17", "denied"),
        ("GET /Orders/17", "denied"),
        ("GET /ME", "denied"),
        ("GET /%6De", "None"),
    ],
)
def test_the_first_rule_that_matches_decides(request_line: str, needed: str) -> None:
    """By method and path; HEAD counts as GET; what is not named is denied."""
    method, path = request_line.split(" ")
    assert needs(method, path) == needed


@pytest.mark.parametrize(
    "path",
    [
        "", "orders", "*", "http://x/orders", "//orders", "/orders//17", "/orders/..",
        "/orders/./17",
        "/../orders", "/orders/%2e%2e/x", "/orders/%2E", "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b",
        "/a;x=1", "/a%3Bx", "/a%00", "/a%0a", "/a%7f", "/a%252f", "/a%23b", "/a%3fb", "/a#b", "/a%",
        "/a%zz", "/a%ff", "/a%c0%af", "/ü", "/a b", "/a\x00", '/a"', "/a%25",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fold", [True, False])
def test_a_path_that_can_be_read_in_two_ways_is_not_decided_on(path: str, fold: bool) -> None:
    """Another server might read another path in it."""
    assert segments_of(path, fold=fold) is None


def test_paths_compare_by_case_or_not_as_the_policy_says() -> None:
    """Only A-Z fold; a letter that others fold to one of them is ambiguous."""
    folding = policy(ORDERS.replace('"exact"', '"fold"').replace("/orders/open", "/Orders/OPEN"))
    assert needs("GET", "/ORDERS/Open", folding) == "projects.view"
    assert needs("GET", "/orders/\u212a".encode().decode("latin-1"), folding) == "ambiguous"
    assert needs("GET", "/orders/%E2%84%AA", folding) == "ambiguous"
    assert needs("GET", "/orders/%C3%BC", folding) == "orders.view"
    assert needs("GET", "/orders/%E2%84%AA") == "orders.view"


PLAIN = st.characters(exclude_characters="/\\;?#%", exclude_categories=["Cc", "Cs"])
SEGMENT = st.text(PLAIN, min_size=1, max_size=8)


@given(segments=st.lists(SEGMENT, min_size=1, max_size=4))
def test_an_encoded_path_is_read_as_what_was_encoded(segments: list[str]) -> None:
    """Encoding and reading give back the segments, unless one is `.` or `..`."""
    assume(not {".", ".."} & set(segments))
    path = "/" + "/".join(quote(segment, safe="~!$&'()*+,=:@") for segment in segments)
    assert segments_of(path, fold=False) == tuple(segments)


@given(path=st.text(max_size=40))
def test_no_path_reads_into_a_separator(path: str) -> None:
    """Whatever is read has no slash, dots, or control characters in a segment."""
    for fold in (False, True):
        segments = segments_of("/" + path, fold=fold)
        if segments is not None:
            assert not any(c in segment for segment in segments for c in "/\\;?#%\0")
            assert not {".", ".."} & set(segments)


WRONG: dict[str, tuple[str, str]] = {
    "no name": ('case = "exact"', "'name'"),
    "name": ('name = "My Policy"\ncase = "exact"', "'name'"),
    "no case": ('name = "a"', "'case'"),
    "unknown": ('name = "a"\ncase = "exact"\nallow = true', "'allow'"),
    "preflight": ('name = "a"\ncase = "exact"\npreflight = 1', "'preflight'"),
    "assertion": ('name = "a"\ncase = "exact"\nassertion = "all"', "'assertion'"),
    "tell": ('name = "a"\ncase = "exact"\ntell = ["orders.fly"]', "orders.fly"),
    "tell text": ('name = "a"\ncase = "exact"\ntell = "orders.view"', "'tell'"),
    "rules": ('name = "a"\ncase = "exact"\nrule = 7', "[[rule]]"),
}
WRONG_RULES: dict[str, tuple[str, str]] = {
    "methods": ('path = "/a"\npermission = "orders.view"', "methods"),
    "method": ('path = "/a"\nmethods = ["get"]\npermission = "orders.view"', "'get'"),
    "permission": ('path = "/a"\nmethods = ["GET"]\npermission = "orders"', "orders"),
    "no permission": ('path = "/a"\nmethods = ["GET"]', "permission"),
    "path": ('path = "a"\nmethods = ["GET"]\npermission = "orders.view"', "'path'"),
    "empty": ('path = "/a//b"\nmethods = ["GET"]\npermission = "orders.view"', "segment"),
    "dots": ('path = "/a/.."\nmethods = ["GET"]\npermission = "orders.view"', "segment"),
    "stars": ('path = "/**/a"\nmethods = ["GET"]\npermission = "orders.view"', "segment"),
    "half": ('path = "/a{id}"\nmethods = ["GET"]\npermission = "orders.view"', "segment"),
    "encoded": ('path = "/a%20b"\nmethods = ["GET"]\npermission = "orders.view"', "segment"),
}


@pytest.mark.parametrize("name", WRONG | WRONG_RULES)
def test_a_mistake_in_a_policy_is_named(name: str) -> None:
    """Where it is, in the words of the file."""
    head = 'name = "a"\ncase = "exact"\n[[rule]]\n'
    text, about = WRONG.get(name) or (head + WRONG_RULES[name][0], WRONG_RULES[name][1])
    with pytest.raises(PolicyError, match=about.replace("[", r"\[")):
        policy(text)


PIECES = st.sampled_from(["a", "b", "{x}"])
RULES = st.fixed_dictionaries(
    {
        "methods": st.lists(st.sampled_from(["GET", "POST", "*"]), min_size=1, max_size=2),
        "path": st.tuples(st.lists(PIECES, min_size=1, max_size=3), st.booleans()).map(
            lambda said: "/" + "/".join(said[0]) + ("/**" if said[1] else "")
        ),
        "permission": st.just("any key"),
    }
)
PATHS = ["/" + "/".join(p) for n in (1, 2, 3, 4) for p in itertools.product("abc", repeat=n)]


@given(rules=st.lists(RULES, min_size=2, max_size=3))
def test_a_rule_that_is_hidden_is_refused_and_no_other(rules: list[dict[str, Any]]) -> None:
    """A policy is taken exactly when each of two rules can be reached by some request."""
    data = {"name": "a", "case": "exact", "rule": rules}
    try:
        policy_from(data, PROFILE.catalogue, [])
        taken = True
    except PolicyError:
        taken = False
    alone = [policy_from({**data, "rule": [r]}, PROFILE.catalogue, []).rules[0] for r in rules]
    hidden = [
        (early, late)
        for number, late in enumerate(alone)
        for early in alone[:number]
        if not any(
            late.matches(method, segments) and not early.matches(method, segments)
            for method in ("GET", "POST", "DELETE")
            for segments in (segments_of(path, fold=False) or () for path in PATHS)
        )
    ]
    assert taken is not bool(hidden)


def test_what_is_told_has_a_limit() -> None:
    """So that what the backend gets fits into its headers."""
    told = ", ".join(['"orders.view"'] * 40)
    with pytest.raises(PolicyError, match="do not fit"):
        policy(f'name = "a"\ncase = "exact"\ntell = [{told}]')
