"""The rule's own modules, loaded afresh from their source so that a scheduler can step in.

What runs is the product's code: before every statement, and after every read of an attribute, a
call is woven in where another actor may run. A fault is woven in the same way, as an exact
replacement in the source.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FRESHNESS = "keyhalt.core.freshness"
LEASES = "keyhalt.core.leases"
KEEP_LEASE = "keyhalt.usecases.keep_lease"
VERIFY = "keyhalt.usecases.verify"
# Each imports only from those before it; whatever else they import is the product's as it is.
MODULES = (FRESHNESS, LEASES, KEEP_LEASE, VERIFY)
WHOLE = {"Page", "KeepLease"}
PARTS = {"recall", "_remembering", "_fill_once", "_fill", "wait", "_living", "_fence"}
SHARED = {"deadline", "current", "_seen"}
"""What a page's keeper writes while its verifiers read."""
STEP, STEPPED = "__step__", "__stepped__"


class NotExactlyOnceError(Exception):
    """What a fault replaces does not stand in the module exactly once."""


@dataclass(frozen=True, slots=True)
class Change:
    """`old` becomes `new` in the source of `module`."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Rule:
    """The loaded modules."""

    freshness: Any
    leases: Any
    keep_lease: Any
    verify: Any
    sites: tuple[range, ...]
    """The places where another actor may run, of each module in the order of MODULES."""

    def step_with(self, step: Callable[[int], None]) -> None:
        """Let `step` be called at each of them, with its number."""
        for module in (self.freshness, self.leases, self.keep_lease, self.verify):
            setattr(module, STEP, step)
            setattr(module, STEPPED, _stepped(step))


def load(changes: tuple[Change, ...] = ()) -> Rule:
    before = {name: sys.modules.get(name) for name in MODULES}
    try:
        weaver = _Weaver()
        modules, sites = [], []
        for name in MODULES:
            first = weaver.sites
            modules.append(_fresh(name, [c for c in changes if c.module == name], weaver))
            sites.append(range(first, weaver.sites))
        return Rule(*modules, sites=tuple(sites))
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def _fresh(name: str, changes: list[Change], weaver: _Weaver) -> ModuleType:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text("utf-8")
    for change in changes:
        if source.count(change.old) != 1:
            raise NotExactlyOnceError(f"{name}: {source.count(change.old)} of {change.old!r}")
        source = source.replace(change.old, change.new)
    tree = ast.fix_missing_locations(weaver.visit(ast.parse(source)))
    module = ModuleType(name)
    setattr(module, STEP, lambda _: None)
    module.__dict__[STEPPED] = lambda _, value: value
    # The others, and dataclasses, find it by its name while it is made.
    sys.modules[name] = module
    exec(compile(tree, f"{spec.origin} (woven)", "exec"), module.__dict__)  # noqa: S102
    return module


def _stepped(step: Callable[[int], None]) -> Callable[[int, object], object]:
    def stepped(site: int, value: object) -> object:
        step(site)
        return value

    return stepped


class _Weaver(ast.NodeTransformer):
    """Steps in the classes and functions that verifiers, keepers and changes run."""

    def __init__(self) -> None:
        self.sites = 0

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        for part in node.body:
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and (
                node.name in WHOLE or part.name in PARTS
            ):
                self.generic_visit(part)
                part.body = self._with_steps(part.body)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`self.current` becomes `__stepped__(n, self.current)`: read, then anything may happen."""
        self.generic_visit(node)
        page = isinstance(node.value, ast.Name) and node.value.id in {"self", "freshness"}
        if page and node.attr in SHARED and isinstance(node.ctx, ast.Load):
            return ast.Call(ast.Name(STEPPED, ast.Load()), [self._site(), node], [])
        return node

    def _with_steps(self, body: list[ast.stmt]) -> list[ast.stmt]:
        woven: list[ast.stmt] = []
        for statement in body:
            for block in ("body", "orelse", "finalbody"):
                inner = getattr(statement, block, None)
                if inner:
                    setattr(statement, block, self._with_steps(inner))
            for handler in getattr(statement, "handlers", []):
                handler.body = self._with_steps(handler.body)
            call = ast.Call(ast.Name(STEP, ast.Load()), [self._site()], [])
            woven += [ast.Expr(call), statement]
        return woven

    def _site(self) -> ast.Constant:
        self.sites += 1
        return ast.Constant(self.sites - 1)
