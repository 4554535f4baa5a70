"""What administering many users asks of the store, counted: the same on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.rights.conftest import Wire

PAGE = "/api/v202512/user/paginated?pageSize=5"


@contextmanager
def statements(wire: Wire) -> Iterator[list[str]]:
    """The statements on the store of rights while the block runs."""
    seen: list[str] = []

    def watch(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    engine = wire.world.engine.stores.rights
    event.listen(engine, "before_cursor_execute", watch)
    yield seen
    event.remove(engine, "before_cursor_execute", watch)


def fill(wire: Wire, count: int) -> None:
    """More users of the clerk's role, and as many roles, past the verbs."""
    role = wire.role("clerk only")
    with wire.world.engine.stores.rights.begin() as connection:
        for number in range(count):
            connection.exec_driver_sql(
                "INSERT INTO user (datasource_id, code, code_folded, full_name, email, active,"
                " role_id, sign_in_generation, created_at) SELECT 1, 'u' || ?, 'u' || ?, 'U', '',"
                " 1, ?, 1, created_at FROM user WHERE id = 1",
                (number, number, role),
            )
            connection.exec_driver_sql(
                "INSERT INTO role (datasource_id, name, name_folded, description, permissions,"
                " read_only, hidden) VALUES (1, 'R' || ?, 'r' || ?, '', '4', 0, 0)",
                (number, number),
            )


def test_lists_ask_the_same_however_many_there_are(wire: Wire) -> None:
    """A page, all users, and the roles: as many statements for 7 users as for 307."""
    asked = []
    for more in (0, 300):
        fill(wire, more)
        for path in (PAGE, f"{PAGE}&orderBy=fullName", "/api/v3/user", "/api/v3/userrole"):
            wire.ask("boss", "GET", path)
            with statements(wire) as seen:
                assert wire.ask("boss", "GET", path).status_code == 200
            asked.append((path, len(seen)))
    assert asked[:4] == asked[4:]
    assert max(count for _, count in asked) <= 6


def test_editing_a_role_of_many_users_is_one_statement_and_one_epoch(wire: Wire) -> None:
    """Nothing is written for any of its users."""
    fill(wire, 300)
    body = {"systemUserRoleName": "clerk only", "description": "", "permissions": {}}
    path = f"/api/v202206/userrole/{wire.role('clerk only')}"
    wire.ask("boss", "GET", "/api/v3/me")
    with statements(wire) as seen:
        answer = wire.ask("boss", "PUT", path, body)
    assert answer.json()["usersAssignedCount"] == 301
    writes = [each.split("SET")[0].strip() for each in seen if each.startswith("UPDATE")]
    assert sorted(writes) == ["UPDATE auth_epoch", "UPDATE role"]
    assert sum(each.startswith("INSERT INTO audit_event") for each in seen) == 1
    assert len(seen) < 20


def test_the_orders_of_a_page_are_read_from_an_index(wire: Wire) -> None:
    """No sort of all users for the orders by id, code, name and email."""
    with wire.world.engine.stores.rights.connect() as connection:
        for column in ("id", "code_folded", "full_name", "email"):
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN SELECT id FROM user WHERE datasource_id = 1"
                f" ORDER BY {column}, id LIMIT 100"
            )
            text = " ".join(row[-1] for row in plan)
            assert "USE TEMP B-TREE FOR ORDER BY" not in text, (column, text)
