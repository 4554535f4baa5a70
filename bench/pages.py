"""What each web page costs in a datasource of 10,000 keys and 10,000 users.

Run it from the checkout: `python -m bench.pages`; then `python -m bench.report`. A row is a whole
request in this process, from its headers to its answer: the median of the server's time, the bytes
of head and body as they go over the wire, the statements in all stores. Every key has been used,
half of them lately; half of the owners never signed in.

The same with 100 keys and 100 users stands beside it: a page whose statements differ asks one for
each row. It fails for a page above 100 ms or 60 kB, and for a page that it does not know.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import event, text

from bench.asking import Answer, Whole, add_boss
from bench.report import RESULTS
from bench.world import fill
from keyhalt.core.permissions import PermissionSet
from keyhalt.embed import Engine
from keyhalt.storage.uses import Used, add_uses
from keyhalt.usecases.uses import LastUse
from keyhalt.web.lane import Lane
from keyhalt.web.pages.building import pages

RUNS = 9
SMALL, LARGE = 100, 10_000
MILLISECONDS_MAX, BYTES_MAX = 100, 60_000
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nothing but this
FORM = (
    (b"sec-fetch-site", b"same-origin"),
    (b"content-type", b"application/x-www-form-urlencoded"),
)
# Of one key, one user, one role and one group; the last page of lists; every order and filter.
ADDRESSES = (
    "/",
    "/sign-in",
    "/sign-in/password",
    "/keys",
    "/keys?page={last}",
    "/keys?order=used",
    "/keys?order=idle&page={last}",
    "/keys?order=owner",
    "/keys?state=unused",
    "/keys?state=resting",
    "/keys?q=key",
    "/keys/advice",
    "/keys/advice?kind=unused",
    "/keys/advice?kind=owner_about_to_matter",
    "/keys/advice?kind=more_rights_than_use",
    "/keys/advice?kind=one_key_several_integrations",
    "/keys/advice?kind=travelled_in_clear",
    "/keys/advice?kind=replaced_key",
    "/keys/advice?kind=legacy_token_in_use",
    "/keys/new",
    "/keys/7",
    "/keys/7/value",
    "/keys/7/delete",
    "/keys/7/changeover",
    "/keys/7/narrow",
    "/webhooks",
    "/me",
    "/users",
    "/users?page={last}",
    "/users?q=owner42",
    "/users?state=inactive",
    "/users/new",
    "/users/7",
    "/users/7/deactivate",
    "/users/9/keys/new",
    "/groups",
    "/groups/1",
    "/groups/1?page={last}",
    "/roles",
    "/roles/new",
    "/roles/1",
    "/roles/2",
    "/activity",
    "/activity?outcome=denied",
)


class Site(Whole):
    """A server with so many keys and users, and the boss, signed in."""

    def __init__(self, folder: Path, size: int) -> None:
        super().__init__(folder, owners=size)
        _fill(self.engine, size)
        add_boss(self.engine, self.tops, PASSWORD)
        self.last = -(-size // 40)
        self._cookie = b""
        form = {"datasource": "acme", "user_code": "boss", "password": PASSWORD}
        answer = self.ask("POST", "/sign-in", urlencode(form).encode())
        self._cookie = dict(answer.head["headers"])[b"set-cookie"].split(b";")[0]

    def unknown(self) -> Sequence[str]:
        """Pages that no address here leads to."""
        lane = Lane(1)
        every = pages(self.engine, lane, lambda denied, _origin: denied, self.app)
        lane.close()
        known = [address.partition("?")[0] for address in ADDRESSES]
        return [
            path
            for method, path in every.addresses
            if method == "GET"
            and not any(re.fullmatch(re.sub(r"{\w+}", "[0-9]+", path), each) for each in known)
        ]

    def ask(self, method: str, url: str, body: bytes = b"") -> Answer:
        return self.asked(method, url, [(b"cookie", self._cookie), *FORM], body)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements in all stores, but for those that begin and end a transaction."""
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        stores = self.engine.stores
        engines = {stores.rights, stores.use, stores.signins}
        for each in engines:
            event.listen(each, "before_cursor_execute", note)
        yield seen
        for each in engines:
            event.remove(each, "before_cursor_execute", note)


def _fill(engine: Engine, size: int) -> None:
    """Keys of as many owners, used by what programs use."""
    fill(engine, size)
    now = engine.clock.now()
    used = []
    for key_id in range(1, size + 1):
        at = now - timedelta(days=key_id % 180)
        network, agent = f"10.0.{key_id % 200}.0/24", "python-requests"
        bits = PermissionSet((1 << 20) - 1)
        counts = {"allowed": key_id, "deleted_key": 1}
        last = LastUse(at, network, agent, "GET /api/v3/meter")
        callers = {(network, agent): bits, ("10.9.9.0/24", "curl"): bits}
        used.append(Used(1, key_id, at, last, counts, bits, callers))
    for days in (3, 2, 1, 0):
        back = timedelta(days=days)
        rows = [replace(each, at=each.at - back) for each in used]
        add_uses(engine.stores.use, rows, tokens=rows[: size // 100])
    with engine.stores.rights.begin() as connection:
        connection.execute(text("UPDATE api_key SET owner_id = (id - 1) % :n + 1"), {"n": size})
        connection.execute(text('UPDATE "user" SET active = false WHERE id % 50 = 3'))
        connection.execute(text("UPDATE \"user\" SET kind = 'service' WHERE id % 50 = 9"))
        connection.execute(
            text("UPDATE \"user\" SET full_name = 'Owner ' || id, email = code || '@example.org'")
        )
        connection.execute(
            text(
                "INSERT INTO user_group (id, datasource_id, name, name_folded, description,"
                " created_at) SELECT 1, 1, 'all', 'all', '', created_at FROM \"user\" WHERE id = 1"
            )
        )
        connection.execute(
            text(
                "INSERT INTO user_group_member (datasource_id, group_id, user_id)"
                ' SELECT 1, 1, id FROM "user"'
            )
        )
        connection.execute(text("UPDATE api_key SET in_place_of = id - 1 WHERE id % 100 = 0"))


def cost(site: Site, address: str) -> dict[str, Any]:
    url = address.format(last=site.last)
    times = []
    for _ in range(RUNS):
        start = perf_counter()
        answer = site.ask("GET", url)
        times.append((perf_counter() - start) * 1000)
    assert answer.status in {200, 303}, (url, answer.status, answer.body[:300])
    with site.counted() as seen:
        site.ask("GET", url)
    told = answer.head["headers"]
    wire = len(answer.body) + sum(len(name) + len(value) + 4 for name, value in told)
    return {"ms": median(times), "ms_max": max(times), "bytes": wire, "statements": len(seen)}


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, dict[str, Any]] = {}
        sites = [Site(Path(folder) / str(size), size) for size in (SMALL, LARGE)]
        unknown = sites[0].unknown()
        for address in ADDRESSES:
            small, large = (cost(site, address) for site in sites)
            found[address] = {**large, "small_ms": small["ms"]}
            found[address]["small_statements"] = small["statements"]
            print(
                f"{address:52} {large['ms']:8.1f} ms (most {large['ms_max']:.1f})"
                f" {large['bytes']:8,} bytes {large['statements']:3} statements,"
                f" small {small['ms']:.1f} ms {small['statements']}"
            )
        for site in sites:
            site.close()
    (RESULTS / "pages.json").write_text(json.dumps(found, indent=1) + "\n")
    beyond = [
        address
        for address, each in found.items()
        if each["ms"] > MILLISECONDS_MAX or each["bytes"] > BYTES_MAX
    ]
    print(f"beyond: {', '.join(beyond) or 'none'}; not measured: {', '.join(unknown) or 'none'}")
    return bool(beyond or unknown)


if __name__ == "__main__":
    sys.exit(main())
