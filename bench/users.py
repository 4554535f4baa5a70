"""What administering users costs with 100 and with 10,000 of them, as ratios.

Run it from the checkout: `python -m bench.users`; then `python -m bench.report`. Each row is
a whole request in this process, from its headers to its answer, with 200 roles, for a caller who
sees all. A filter reads every user, and is not held to the limit. The page of the default size
shows 250 users where the small installation has 100.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench.asking import Answer, Whole, add_boss, key_of
from bench.report import RESULTS
from bench.world import OPERATOR, ORIGIN
from keyhalt.embed import Engine
from keyhalt.storage.sqlite import open_file

RUNS = 31
RATIO_MAX = 2.0
SMALL, LARGE, ROLES = 100, 10_000, 200
PAGE = "/api/v202512/user/paginated"
LISTS = {
    "first page of 100": f"{PAGE}?pageSize=100",
    "last page of 100": f"{PAGE}?pageSize=100&pageNumber={{last}}",
    "page of 100 by name": f"{PAGE}?pageSize=100&orderBy=fullName",
    "page of 100 by role": f"{PAGE}?pageSize=100&orderBy=systemUserRoleName",
    "page of the default size": PAGE,
    "one by code, a scan": f"{PAGE}?filter=systemUserCode%20equals%20'user42'",
    "roles": "/api/v3/userrole",
}


class Installation(Whole):
    """A server with this many users, all of one role, and a caller with every right."""

    def __init__(self, folder: Path, users: int) -> None:
        super().__init__(folder, owners=1)
        self.role_id = _fill(self.engine, users - 2)
        self._key = key_of(self.engine, add_boss(self.engine, self.tops))

    def ask(self, method: str, url: str, body: object = None) -> Answer:
        sent = b"" if body is None else json.dumps(body).encode()
        headers = [(b"eci-apikey", self._key), (b"content-type", b"application/json")]
        return self.asked(method, url, headers, sent)


def _fill(engine: Engine, users: int) -> int:
    """Users of one role, each at place 1, and roles up to 200. Returns the role's id."""
    role: Any = None
    for number in range(ROLES - len(engine.profile.roles)):
        role = engine.manage_roles.create(
            OPERATOR,
            1,
            name=f"Role {number}",
            description="",
            grants=("meters.view",),
            origin=ORIGIN,
        )
    connection = open_file(engine.stores.rights_path)
    connection.execute("BEGIN IMMEDIATE")
    for number in range(users):
        connection.execute(
            "INSERT INTO user (datasource_id, code, code_folded, full_name, email, active, role_id,"
            " sign_in_generation, created_at) SELECT 1, 'user' || ?1, 'user' || ?1, 'User ' || ?1,"
            " 'user' || ?1 || '@example.org', 1, ?2, 1, created_at FROM user WHERE id = 1",
            (number, role.id),
        )
        connection.execute("INSERT INTO user_topmost SELECT 1, max(id), 'places', 1 FROM user", ())
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.close()
    return int(role.id)


def milliseconds(
    both: Sequence[tuple[Installation, str]], method: str, body: object
) -> list[float]:
    """The medians of the same request to each, asked in turn so that both see the same machine."""
    times: list[list[float]] = [[] for _ in both]
    for _ in range(RUNS):
        for (one, url), own in zip(both, times, strict=True):
            start = perf_counter()
            answer = one.ask(method, url, body)
            own.append((perf_counter() - start) * 1000)
            assert answer.status == 200, answer.body[:300]
    return [median(own) for own in times]


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = (SMALL, LARGE)
        both = [Installation(Path(folder) / str(users), users) for users in sizes]
        print(f"{'milliseconds':28}{SMALL:>10,}{LARGE:>10,}{'ratio':>8}")
        edit = {
            "systemUserRoleName": "Everybody",
            "description": "",
            "permissions": {"meters": {"view": True, "edit": True}},
        }
        rows: list[tuple[str, str, str, object]] = [
            (name, "GET", url, None) for name, url in LISTS.items()
        ]
        rows.append(("edit the role of all", "PUT", "/api/v202206/userrole/{role}", edit))
        told = []
        for name, method, url, body in rows:
            urls = [
                (one, url.format(last=-(-users // 100), role=one.role_id))
                for one, users in zip(both, sizes, strict=True)
            ]
            small, large = milliseconds(urls, method, body)
            print(f"{name:28}{small:10.2f}{large:10.2f}{large / small:8.2f}")
            told.append({"what": name, "small_ms": small, "large_ms": large})
            failed += [name] if large / small > RATIO_MAX and "scan" not in name else []
        for one in both:
            one.close()
    (RESULTS / "users.json").write_text(json.dumps({"rows": told}, indent=1) + "\n")
    print(f"above {RATIO_MAX}: {', '.join(failed) or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
