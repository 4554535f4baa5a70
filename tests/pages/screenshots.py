"""Pictures of every page, light, dark and as on a phone: `make screenshots`.

The pages of a sample environment, as its application answers them, taken with Chromium (Debian's
package `chromium`). Not a test: somebody looks at them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from starlette.testclient import TestClient

from keyhalt.core.principals import UserFacts
from keyhalt.storage.schema_use import key_day
from tests.pages.browsing import age, create, send, sign_in, used
from tests.world import World, make_world

SIZES = {"light": (1280, 900), "dark": (1280, 900), "phone": (390, 844)}


def pages_of(world: World, http: TestClient) -> Iterator[tuple[str, str]]:
    """Name and HTML of each page, on the way of somebody who uses them all."""
    world.user("jsmith", "*", full_name="Jane Smith")
    yield "sign-in", http.get("/sign-in").text
    form = {"datasource": "acme", "user_code": "jsmith", "password": "wrong"}
    yield "sign-in-refused", send(http, "/sign-in", **form).text
    yield "password", http.get("/sign-in/password").text
    sign_in(http, "jsmith")
    yield "keys-empty", http.get("/keys").text
    yield "new", http.get("/keys/new").text
    yield "new-refused", create(http, "").text
    made = create(http, "Billing export", "Nightly, on host b7. Ask Jane.").headers["location"]
    yield "value", http.get(made).text
    yield "value-gone", http.get(made).text
    gone = world.user("gone", "*", full_name="Former Colleague")
    for number in range(8):
        world.key(gone, f"meter reader {number}")
    world.deactivate("gone")
    _use(world, http)
    one = made.removesuffix("/value")
    yield "keys", http.get("/keys").text
    yield "keys-none-fits", http.get("/keys?q=zzz").text
    yield "key", http.get(one).text
    yield "advice", http.get("/keys/advice").text
    yield "narrow", http.get(f"{one}/narrow").text
    yield "changeover", http.get(f"{one}/changeover").text
    yield "delete", http.get(f"{one}/delete").text
    yield "deleted", send(http, f"{one}/delete", name="Billing export").text
    yield "not-found", http.get("/keys/999").text
    yield "webhooks", http.get("/webhooks").text
    denied = http.get("/api/v3/order", headers={"ECI-ApiKey": "nonsense"})
    assert denied.status_code == 401
    _, text = world.key(world.user("clerk", "orders.view"), "order import")
    refused = http.post("/api/v3/order", headers={"ECI-ApiKey": text}, json={"title": "x"})
    world.engine.recorder.flush()
    yield "activity", http.get("/activity").text
    yield "why", http.get(f"/activity?request={refused.json()['requestId']}").text
    yield from _people(world, http, gone)


def _people(world: World, http: TestClient, gone: UserFacts) -> Iterator[tuple[str, str]]:
    yield "me", http.get("/me").text
    yield "users", http.get("/users").text
    user = f"/users/{gone.user_id}"
    yield "user", http.get(user).text
    yield "user-new", http.get("/users/new").text
    world.activate("gone")
    world.key(gone, "made today")
    yield "reset", send(http, f"{user}/password", password="given by somebody else").text
    yield "deactivate", http.get(f"{user}/deactivate").text
    yield "deactivated", send(http, f"{user}/deactivate").text
    members = {"name": "Auditors", "description": "Read only", "add": gone.user_code}
    made = send(http, "/groups", name="Auditors").headers["location"].partition("?")[0]
    send(http, made, **members)
    yield "groups", http.get("/groups").text
    yield "group", http.get(made).text
    yield "roles", http.get("/roles").text
    role = f"/roles/{gone.role_id}"
    yield "role", http.get(role).text
    yield "role-new", http.get("/roles/new").text
    changed = {"name": "Readers", "description": "", "orders.view": "on"}
    yield "role-difference", send(http, role, **changed).text
    yield "role-built-in", http.get("/roles/1").text
    world.grant("jsmith", "settings.view")
    yield "keys-only-looking", http.get("/keys").text


def _use(world: World, http: TestClient) -> None:
    """A month of use for every key, each its own."""
    from datetime import timedelta

    from sqlalchemy import insert

    today = world.engine.clock.now().date()
    rows = [
        {
            "datasource_id": world.datasource_id,
            "key_id": key.id,
            "day": today - timedelta(days=back),
            "outcome": outcome,
            "requests": (back * key.id * 37) % 900 + 5,
        }
        for key in world.engine.look_up.keys(world.datasource_id)
        for back in range(30)
        for outcome in ("allowed", *(("permission_denied",) if back % 7 == 0 else ()))
        if key.id % 3
    ]
    with world.engine.stores.use.begin() as connection:
        connection.execute(insert(key_day), rows)
    for number, key in enumerate(world.engine.look_up.keys(world.datasource_id)):
        age(world, key.id, 300)
        used(world, key.id, 0.1 if key.id % 3 else 100 + number, "orders.view")
    http.get("/keys")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Nothing."""


def main() -> None:
    chromium = shutil.which("chromium") or sys.exit("this needs Debian's package chromium")
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "site"
        (folder / "assets").mkdir(parents=True)
        world = make_world(Path(temporary) / "data")
        with world.client() as http:
            for name in ("pages.css", "pages.js"):
                (folder / "assets" / name).write_bytes(http.get(f"/assets/{name}").content)
            names = []
            for name, page in pages_of(world, http):
                (folder / f"{name}.html").write_text(page)
                # A window has a least width; a frame is as narrow as a phone.
                frame = f'<body style="margin:0"><iframe src="{name}.html" style="border:0"'
                frame += ' width="390" height="844"></iframe>'
                (folder / f"{name}.phone.html").write_text(frame)
                names.append(name)
        world.close()
        with served(folder) as address:
            for name in names:
                for look, (width, height) in SIZES.items():
                    page = f"{name}.phone.html" if look == "phone" else f"{name}.html"
                    _take(chromium, f"{address}/{page}", target / f"{name}-{look}.png", look)
                    print(target / f"{name}-{look}.png", f"{width}x{height}")  # noqa: T201


def _take(chromium: str, address: str, target: Path, look: str) -> None:
    width, height = SIZES[look]
    scheme = "0" if look == "dark" else "1"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--blink-settings=preferredColorScheme={scheme}",
                f"--screenshot={target}",
                address,
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


if __name__ == "__main__":
    main()
