"""`keyhalt demo`: a complete server on SQLite with sample data, gone when it stops."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import EXIT_UNAVAILABLE, Failure, fail, operator, origin, tools
from keyhalt.cli.output import say
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.people import UserDraft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyhalt.cli.context import Verbs
    from keyhalt.usecases.ports import DatasourceRow

ENVIRONMENT, PRODUCT, DATASOURCE = "Demo", "ecap", "acme"
INTEGRATION = "Integration"
INTEGRATION_GRANTS = (
    "applicationSettings.*",
    "*.view",
    "meters.*",
    "billsAndBatches.*",
    "accounts.*",
    "buildingsAndOrganizations.*",
    "costCenters.*",
    "vendors.*",
)


@dataclass(frozen=True, slots=True)
class Person:
    """A sample user. The first one signs in and owns the printed key."""

    code: str
    full_name: str
    role: str


@dataclass(frozen=True, slots=True)
class Ready:
    datasource: DatasourceRow
    key: Secret
    passwords: Mapping[str, str]


def people(administrator_role: str) -> tuple[Person, ...]:
    return (
        Person("jsmith", "Jo Smith", INTEGRATION),
        Person("admin", "Ada Minister", administrator_role),
        Person("reader", "Rita Reader", "Default"),
        Person("facilities", "Fay Silitis", "Administrator: Facilities"),
    )


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data in this folder.  [default: a new one, removed at the end]",
)
@click.option("--json", "as_json", is_flag=True, help="Say the same as one line of JSON.")
def demo(host: str, port: int, data: Path | None, as_json: bool) -> None:
    """Run a complete server with sample data, over plain HTTP.

    Prints the address, a ready curl line with a fresh key, and a name and password to sign in.
    """
    try:
        listener = tools().listen(host, port)
    except OSError as error:
        raise Failure(
            f"cannot listen on {host}:{port}: {error.strerror}; try --port 0", EXIT_UNAVAILABLE
        ) from None
    shown = host if ":" not in host else f"[{host}]"
    url = f"http://{shown}:{listener.getsockname()[1]}"
    folder = nullcontext(str(data)) if data else tempfile.TemporaryDirectory(prefix="keyhalt-demo-")
    with listener, folder as name:
        ready = _prepare(Path(name))
        text = _as_json(url, ready) if as_json else _as_text(url, ready)
        tools().serve(
            listener=listener,
            on_listening=lambda: click.echo(text),
            data=Path(name),
            insecure_http=True,
        )


def _prepare(folder: Path) -> Ready:
    tools().init(
        environment=ENVIRONMENT, product=PRODUCT, acting=operator(), origin=origin(), data=folder
    )
    with tools().engine(data=folder) as verbs:
        datasource = verbs.look_up.datasource(DATASOURCE) or _fill(verbs, folder)
        passwords = {}
        for person in people(verbs.profile.administrator_role):
            passwords[person.code] = password = _password()
            verbs.manage_users.set_password(
                operator(), datasource.id, person.code, Secret(password), origin()
            )
        owner = verbs.look_up.user(datasource.id, "jsmith")
        assert owner is not None  # noqa: S101 - made by _fill
        issued = verbs.issue.create(
            operator(),
            datasource_id=datasource.id,
            owner_id=owner.user_id,
            name="demo",
            description="Made when the demo started.",
            origin=origin(),
        )
        if isinstance(issued, Denied | Refused):
            fail(issued)
        return Ready(datasource, issued.text, passwords)


def _fill(verbs: Verbs, folder: Path) -> DatasourceRow:
    datasource = verbs.set_up.datasource(operator(), DATASOURCE, origin())
    if isinstance(datasource, Refused):
        fail(datasource)
    role = verbs.manage_roles.create(
        operator(),
        datasource.id,
        name=INTEGRATION,
        description="What a program needs that reads and writes meters and bills.",
        grants=INTEGRATION_GRANTS,
        origin=origin(),
    )
    if isinstance(role, Denied | Refused):
        fail(role)
    roots: Mapping[str, int] = {}
    for person in people(verbs.profile.administrator_role):
        draft = UserDraft(
            code=person.code,
            full_name=person.full_name,
            email=f"{person.code}@acme.example",
            role=person.role,
            password=None,
            topmosts={},
        )
        user = verbs.manage_users.create(operator(), datasource.id, draft, origin())
        if isinstance(user, Denied | Refused):
            fail(user)
        roots = roots or tools().load_sample(datasource.id, user.user_id, data=folder)
        topmosts = {hierarchy: (root,) for hierarchy, root in roots.items()}
        verbs.manage_users.set_topmosts(operator(), datasource.id, person.code, topmosts, origin())
    return datasource


def _password() -> str:
    return base64.b32encode(os.urandom(15)).decode().lower()


def _as_json(url: str, ready: Ready) -> str:
    everyone = people("Administrator: Full Access")
    users = [
        {"userCode": p.code, "password": ready.passwords[p.code], "role": p.role} for p in everyone
    ]
    return json.dumps(
        {
            "url": url,
            "environment": ENVIRONMENT,
            "datasource": DATASOURCE,
            "apiKey": ready.key.reveal(),
            "userCode": everyone[0].code,
            "password": ready.passwords[everyone[0].code],
            "users": users,
        }
    )


def _as_text(url: str, ready: Ready) -> str:
    say("Keyhalt demo. Plain HTTP, for trying things out only. Ctrl+C stops it.\n")
    lines = [
        f"Address     {url}",
        f"Datasource  {DATASOURCE}",
        *(f"Sign-in     {code}  {password}" for code, password in ready.passwords.items()),
        "",
        f'curl "{url}/api/v3/meter" -H "ECI-ApiKey: {ready.key.reveal()}"',
        "",
    ]
    return "\n".join(lines)
