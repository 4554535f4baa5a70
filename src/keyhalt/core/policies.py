"""A policy: which permission each method and path of somebody else's API asks for.

1. The first rule that matches decides; what no rule matches is denied.
2. A rule that an earlier one hides is a mistake, and the policy is refused.
3. A path compares by case or it does not: the policy says which, as the API behind does.
4. HEAD counts as GET.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from keyhalt.core.paths import Segments, fold_segment, segments_of
from keyhalt.core.permissions import NOTHING, Catalogue, CatalogueError, Need, PermissionSet

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
RULES_MAX = 500
PATTERN_MAX = 300
KEPT_MAX, KEPT_PATH_MAX = 4_096, 256
TOLD_MAX = 350
"""Characters that the names of told permissions may take together."""
ANY = "*"
ANY_KEY = "any key"
_METHOD = re.compile(r"[A-Z]{1,20}")
_PARAMETER = re.compile(r"\{\w+\}")
_FIXED = re.compile(r"[\w~!$&'()+,=:@. -]+")
_KEYS = {"name", "case", "preflight", "assertion", "tell", "rule"}
_RULE_KEYS = {"methods", "path", "permission"}


class PolicyError(ValueError):
    """A policy cannot be used; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`path`: fixed segments; None is one segment of any text; `rest`: any path below, too."""

    methods: frozenset[str]
    path: tuple[str | None, ...]
    rest: bool
    need: Need | None
    text: str

    def matches(self, method: str, segments: Segments) -> bool:
        if method not in self.methods and ANY not in self.methods:
            return False
        more = len(segments) - len(self.path)
        if more < 0 or (more > 0 and not self.rest):
            return False
        # Plain loops, here and below: this is asked for every request of somebody's API.
        for fixed, segment in zip(self.path, segments, strict=False):
            if fixed != segment and (fixed is not None or not segment):
                return False
        return True

    def hides(self, later: Rule) -> bool:
        """Whether nothing is left for `later`."""
        if not (ANY in self.methods or later.methods <= self.methods):
            return False
        more = len(later.path) - len(self.path)
        if more < 0 or ((more > 0 or later.rest) and not self.rest):
            return False
        return all(
            mine == theirs or (mine is None and theirs != "")
            for mine, theirs in zip(self.path, later.path, strict=False)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """`permissions` and `topmosts`: what the API behind is told besides who calls."""

    name: str
    fold: bool
    preflight: bool
    bound: bool
    """Whether an assertion vouches for one method, host and path only."""
    permissions: tuple[Need, ...]
    topmosts: tuple[str, ...]
    rules: tuple[Rule, ...]
    version: int = 0

    def rule_for(self, method: str, segments: Segments) -> Rule | None:
        """The first that matches. `segments` are folded already, if this policy folds."""
        method = "GET" if method == "HEAD" else method
        for rule in self.rules:
            if rule.matches(method, segments):
                return rule
        return None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of a method and a path, which are in words here. No rule: it has none."""

    rule: Rule | None
    bits: PermissionSet
    """Those that the rule takes."""
    operation: str
    path: str


class Rulebook:
    """A policy, and what it said lately, so that nothing is taken apart twice. For one thread."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._kept: dict[tuple[bytes, bytes], Ruling] = {}

    def ruling(self, method: bytes, path: bytes) -> Ruling | None:
        """For a path as it was sent, without its query. None: it can be read in two ways."""
        return self._kept.get((method, path)) or self._find(method, path)

    def _find(self, method: bytes, path: bytes) -> Ruling | None:
        text, name = path.decode("latin-1"), method.decode("latin-1")
        segments = segments_of(text, fold=self.policy.fold)
        if segments is None:
            return None
        rule = self.policy.rule_for(name, segments)
        bits = NOTHING if rule is None or rule.need is None else rule.need.bits
        found = Ruling(rule, bits, f"{self.policy.name}: {name}", text)
        if len(path) <= KEPT_PATH_MAX:
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept[method, path] = found
        return found


def policy_from(
    data: Mapping[str, object], catalogue: Catalogue, hierarchies: Iterable[str]
) -> Policy:
    """Build a policy from its parsed file. Raises PolicyError with what is wrong."""
    _known(data, _KEYS, "the policy")
    name, case = data.get("name"), data.get("case")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PolicyError("'name' is 1 to 64 of a-z, 0-9 and '-', and begins with no '-'")
    if case not in ("exact", "fold"):
        raise PolicyError('say \'case\': "exact" or "fold", as the API behind compares its paths')
    assertion = data.get("assertion", "caller")
    if assertion not in ("caller", "request"):
        raise PolicyError('\'assertion\' vouches for the "caller" or for the "request"')
    preflight = data.get("preflight", False)
    if not isinstance(preflight, bool):
        raise PolicyError("'preflight' is true or false")
    permissions, topmosts = _told(data.get("tell", ()), catalogue, set(hierarchies))
    rows = data.get("rule", ())
    if not isinstance(rows, Sequence) or isinstance(rows, str) or len(rows) > RULES_MAX:
        raise PolicyError(f"[[rule]] is a list of at most {RULES_MAX} tables")
    fold = case == "fold"
    rules = tuple(_rule(row, catalogue, fold=fold) for row in rows)
    for number, rule in enumerate(rules):
        hidden = next((earlier for earlier in rules[:number] if earlier.hides(rule)), None)
        if hidden is not None:
            raise PolicyError(
                f"the rule {rule.text!r} is never reached: {hidden.text!r} is before it"
            )
    return Policy(
        name=name,
        fold=fold,
        preflight=preflight,
        bound=assertion == "request",
        permissions=permissions,
        topmosts=topmosts,
        rules=rules,
    )


def _rule(row: object, catalogue: Catalogue, *, fold: bool) -> Rule:
    if not isinstance(row, Mapping):
        raise PolicyError("each [[rule]] is a table")
    _known(row, _RULE_KEYS, "a rule")
    path, methods, permission = (row.get(name) for name in ("path", "methods", "permission"))
    if not isinstance(path, str) or not path.startswith("/") or len(path) > PATTERN_MAX:
        raise PolicyError(f"'path' begins with '/' and has at most {PATTERN_MAX} characters")
    if not isinstance(methods, list) or not methods:
        raise PolicyError(f'the rule for {path!r} needs a list of methods, or ["*"]')
    for method in methods:
        if method != ANY and not (isinstance(method, str) and _METHOD.fullmatch(method)):
            raise PolicyError(f'the rule for {path!r}: {method!r} is no method, such as "GET"')
    if not isinstance(permission, str):
        raise PolicyError(f"the rule for {path!r} needs a permission, or {ANY_KEY!r}")
    need = None if permission == ANY_KEY else _need(permission, catalogue, f"the rule for {path!r}")
    fixed, rest = _pattern(path, fold=fold)
    names = frozenset(cast("list[str]", methods))
    # HEAD is asked as GET, so a rule for it alone would never be reached.
    names = names - {"HEAD"} | ({"GET"} if "HEAD" in names else set())
    return Rule(names, fixed, rest, need, f"{' '.join(methods)} {path}")


def _pattern(path: str, *, fold: bool) -> tuple[tuple[str | None, ...], bool]:
    """`/orders/{id}/lines/**` as its segments; `**` only at the end: any path from there on."""
    segments = path[1:].split("/")
    rest = segments[-1] == "**"
    if rest:
        segments.pop()
    found: list[str | None] = []
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1 and not rest
        if _PARAMETER.fullmatch(segment):
            found.append(None)
        elif _FIXED.fullmatch(segment) and segment not in (".", ".."):
            found.append(fold_segment(segment) if fold else segment)
        elif not segment and last:
            found.append("")
        else:
            raise PolicyError(
                f"{path!r}: a segment is plain text, a whole {{parameter}}, or '**' at the end"
            )
    return tuple(found), rest


def _told(
    names: object, catalogue: Catalogue, hierarchies: set[str]
) -> tuple[tuple[Need, ...], tuple[str, ...]]:
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise PolicyError("'tell' is a list of permissions, and of hierarchies for their topmosts")
    topmosts = tuple(str(name) for name in names if name in hierarchies)
    needs = tuple(_need(str(n), catalogue, "'tell'") for n in names if n not in hierarchies)
    if sum(len(str(need)) + 1 for need in needs) > TOLD_MAX:
        raise PolicyError(f"'tell': permissions of more than {TOLD_MAX} characters do not fit")
    return needs, topmosts


def _need(name: str, catalogue: Catalogue, where: str) -> Need:
    try:
        return catalogue.need(*name.split(".", 1))
    except CatalogueError as error:
        raise PolicyError(f"{where}: {error}") from None


def _known(data: Mapping[str, object], known: set[str], where: str) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise PolicyError(
            f"{where} does not have {unknown[0]!r}; it has {', '.join(sorted(known))}"
        )
