"""A whole installation in a folder, for tests: real stores, real verbs, the real application.

The app behind the keys is a tiny one of our own, `Orders`, with a tree of projects, under either
catalogue: so the engine is shown to know no energy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from keyhalt import AppContext, Call, Denied, Node, Operation, Reason, Reply
from keyhalt.config import load_profile, load_settings
from keyhalt.core.audit import AuditEvent, Origin
from keyhalt.core.principals import Operator, UserFacts
from keyhalt.core.secrets import Secret
from keyhalt.embed import Engine, EngineOptions, open_engine
from keyhalt.main import MainTools
from keyhalt.running import application
from keyhalt.storage.postgres import Database
from keyhalt.storage.schema import RIGHTS, SIGN_INS, USE
from keyhalt.usecases.people import UserDraft

OPERATOR = Operator("operator:test")
ORIGIN = Origin(request_id="", source="test", operation="test")
PASSWORD = "correct horse battery staple"
ORDERS = Path(__file__).parent / "orders.toml"


class OrderBody(BaseModel):
    title: str = Field(max_length=60)
    count: int = Field(1, ge=1)


@dataclass
class Orders:
    """Orders lie in projects; project 1 is the root, 2 and 3 lie below it, 4 below 2."""

    context: AppContext
    parents: dict[int, int] = field(default_factory=lambda: {2: 1, 3: 1, 4: 2})
    orders: dict[int, int] = field(default_factory=lambda: {10: 2, 11: 3, 12: 4})
    made: list[Mapping[str, Any]] = field(default_factory=list)

    def operations(self) -> Sequence[Operation]:
        names = self.context.catalogue.by_name
        stem = "orders" if "orders" in names else "meters"
        need = self.context.catalogue.need
        return [
            Operation("List", "GET", "/api/v3/order", need(stem, "view"), self.list),
            Operation("Get", "GET", "/api/v3/order/{orderId}", need(stem, "view"), self.get),
            Operation("Make", "POST", "/api/v3/order", need(stem, "create"), self.make, OrderBody),
            Operation("Fail", "GET", "/api/v3/order/fail", None, self.fail),
            Operation("Slow", "GET", "/api/v3/order/slow", None, self.slow),
        ]

    def list(self, call: Call) -> Reply:
        return Reply([{"orderId": order} for order in self.orders if self._seen(call, order)])

    def get(self, call: Call) -> Reply | Denied:
        order = call.ids["orderId"]
        if order not in self.orders or not self._seen(call, order):
            return Denied(Reason.NOT_FOUND)
        return Reply({"orderId": order})

    def make(self, call: Call) -> Reply:
        by = call.principal
        made = {"title": call.body.title, "createdBy": by.user_code, "count": call.body.count}
        self.made.append(made)
        return Reply(made)

    def fail(self, call: Call) -> Reply:
        raise RuntimeError(f"a bug, at {call.principal.user_code}")

    def slow(self, call: Call) -> Reply:
        time.sleep(0.3)
        return Reply({"by": call.principal.user_code})

    def contains(self, datasource_id: int, hierarchy: str, ancestor: int, node: int) -> bool:
        del datasource_id, hierarchy
        while node != ancestor:
            if node not in self.parents:
                return False
            node = self.parents[node]
        return True

    def describe(self, datasource_id: int, hierarchy: str, ids: Sequence[int]) -> Sequence[Node]:
        del datasource_id, hierarchy
        return [Node(each, f"P{each}", f"Project {each}") for each in ids]

    def load_sample(
        self, datasource_id: int, user_id: int, **how: object
    ) -> Sequence[Mapping[str, int]]:
        del datasource_id, user_id, how
        return [{"projects": 1}]

    def close(self) -> None:
        self.made.clear()

    def _seen(self, call: Call, order: int) -> bool:
        hierarchy = self.context.profile.hierarchies[0].name
        return any(
            self.contains(0, hierarchy, top, self.orders[order])
            for top in call.principal.topmost_ids(hierarchy)
        )


@dataclass
class World:
    """One environment. `engine` is the process under test; `other()` is a second one."""

    folder: Path
    engine: Engine
    options: EngineOptions
    datasource_id: int
    settings: Mapping[str, object]
    orders: Orders
    others: list[Engine] = field(default_factory=list)

    @property
    def form(self) -> str:
        """How changes take effect here: guarded (SQLite) or barrier (PostgreSQL)."""
        return "barrier" if self.options.database else "guarded"

    @property
    def first_hierarchy(self) -> str:
        return self.engine.profile.hierarchies[0].name

    def user(self, code: str, *grants: str, top: int | None = 1, **changes: Any) -> UserFacts:
        """A user with a role of exactly `grants`, seeing the first hierarchy from `top`."""
        role = self.engine.manage_roles.create(
            OPERATOR,
            self.datasource_id,
            name=f"{code} only",
            description="",
            grants=grants,
            origin=ORIGIN,
        )
        assert not isinstance(role, Denied), role
        draft = UserDraft(
            code=code,
            full_name=changes.get("full_name", code.title()),
            email=f"{code}@example.org",
            role=f"{code} only",
            password=None if changes.get("service") else Secret(PASSWORD),
            topmosts={self.first_hierarchy: (top,)} if top else {},
            service=changes.get("service", False),
        )
        user = self.engine.manage_users.create(OPERATOR, self.datasource_id, draft, ORIGIN)
        assert isinstance(user, UserFacts), user
        return user

    def key(self, user: UserFacts, name: str = "a key") -> tuple[int, str]:
        """Id and text of a new key of `user`."""
        issued = self.engine.issue.create(
            OPERATOR,
            datasource_id=user.datasource_id,
            owner_id=user.user_id,
            name=name,
            description="",
            origin=ORIGIN,
        )
        return issued.row.id, issued.text.reveal()

    def grant(self, code: str, *grants: str) -> None:
        """Replace what the role of `user(code)` grants."""
        self.engine.manage_roles.set_permissions(
            OPERATOR, self.datasource_id, f"{code} only", grants, ORIGIN
        )

    def deactivate(self, code: str) -> None:
        self._set_active(code, active=False)

    def activate(self, code: str) -> None:
        self._set_active(code, active=True)

    def _set_active(self, code: str, *, active: bool) -> None:
        verb = self.engine.manage_users.set_active
        verb(OPERATOR, self.datasource_id, code, ORIGIN, active=active)

    @contextmanager
    def client(self, engine: Engine | None = None, **said: object) -> Iterator[TestClient]:
        """The application of one process, spoken to over HTTPS."""
        settings = load_settings(**{**self.settings, **said})
        app = application(settings, engine or self.engine, [self.orders])
        with TestClient(app, base_url="https://testserver", raise_server_exceptions=False) as http:
            http.headers.pop("user-agent", None)
            yield http

    def other(self, **changes: Any) -> Engine:
        """A second process of the same environment: its own guard, memory and settings."""
        engine = open_engine(EngineOptions(**{**_fields(self.options), **changes}))
        self.others.append(engine)
        until(engine.ready)
        return engine

    def close(self) -> None:
        for engine in (*self.others, self.engine):
            engine.close()

    def denials(self) -> list[AuditEvent]:
        """The denials recorded so far, oldest first."""
        return [event for event in self.events() if event.outcome == "denied"]

    def dump(self) -> str:
        """Everything that the stores hold, as text."""
        stores = self.engine.stores
        rows: list[str] = []
        for metadata, engine in zip(
            (RIGHTS, USE, SIGN_INS), (stores.rights, stores.use, stores.signins), strict=True
        ):
            with engine.connect() as connection:
                for table in metadata.sorted_tables:
                    rows.extend(map(str, connection.execute(table.select())))
        return "\n".join(rows)

    def events(self) -> list[AuditEvent]:
        """Everything in the audit log, oldest first."""
        self.engine.recorder.flush()
        rows = self.engine.look_up.audit(datasource_id=None, limit=10_000)
        return [row.event for row in reversed(rows)]


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait for what happens soon, and fail if it has not after so many seconds."""
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {seconds} s"
        time.sleep(0.005)


def _fields(options: EngineOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in EngineOptions.__dataclass_fields__}


def make_world(
    folder: Path,
    *,
    environment: str = "Lab",
    product: str = "keyhalt",
    profile: str = str(ORDERS),
    database: Database | None = None,
    **changes: Any,
) -> World:
    """Set up an environment with the datasource `acme`, as `keyhalt init` does.

    `changes`: further options of its engines.
    """
    MainTools().init(
        environment=environment,
        product=product,
        acting=OPERATOR,
        origin=ORIGIN,
        **_said(folder, profile, database),
    )
    world = open_world(folder, profile=profile, database=database, **changes)
    datasource = world.engine.set_up.datasource(OPERATOR, "acme", ORIGIN)
    assert datasource.id == world.datasource_id
    return world


def open_world(
    folder: Path, *, profile: str = str(ORDERS), database: Database | None = None, **changes: Any
) -> World:
    """What `make_world` made in this folder, or in the one that it is a copy of."""
    loaded = load_profile(profile)
    options = EngineOptions(
        folder=folder,
        profile=loaded,
        mac_keys_path=folder / "mac-keys.toml",
        mark_path=folder / "mac-keys.mark",
        database=database,
        **changes,
    )
    engine = open_engine(options)
    until(engine.ready)
    orders = Orders(AppContext(profile=loaded, folder=folder))
    engine.trees.apps = (orders,)
    return World(folder, engine, options, 1, _said(folder, profile, database), orders)


def _said(folder: Path, profile: str, database: Database | None) -> dict[str, Any]:
    said: dict[str, Any] = {"data": folder, "profile": profile, "apps": ""}
    if database is not None:
        said |= {"database_url": database.url, "listen_url": database.listen_url or None}
    return said
