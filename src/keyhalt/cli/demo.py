"""`keyhalt demo`: a complete server on SQLite with sample data, gone when it stops."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import EXIT_UNAVAILABLE, EXIT_USAGE, Failure, tools
from keyhalt.cli.output import lines_of, say
from keyhalt.cli.sample import DATASOURCE, Ready, prepare
from keyhalt.core.decisions import Denied, Presented

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

ONE = "Demo"
SEVERAL = ("Implementation", "Production", "EU Production")
WORKS = "works"
PORT_MAX = 65535


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, PORT_MAX),
    default=8080,
    show_default=True,
    help="0 takes a free one. A further environment takes the next one.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the data in this folder.  [default: a new one, removed at the end]",
)
@click.option("--meters", type=click.IntRange(0), help="How many sample meters.  [default: 200]")
@click.option("--bills", type=click.IntRange(0), help="How many sample bills.  [default: 7200]")
@click.option(
    "--environments",
    type=click.IntRange(1, len(SEVERAL)),
    default=1,
    show_default=True,
    help="How many, each at a port of its own, with the same datasource.",
)
@click.option("--json", "as_json", is_flag=True, help="Say the same as one line of JSON.")
def demo(
    host: str,
    port: int,
    data: Path | None,
    meters: int | None,
    bills: int | None,
    environments: int,
    as_json: bool,
) -> None:
    """Run a complete server with sample data, over plain HTTP.

    Prints the address, a ready curl line with a fresh key, and names and passwords to sign in.
    """
    given = {"meters": meters, "bills": bills}
    sizes = {name: number for name, number in given.items() if number is not None}
    if port + environments - 1 > PORT_MAX:
        raise Failure(f"there are no {environments} ports from {port} on", EXIT_USAGE)
    with ExitStack() as ended:
        listeners = [
            ended.enter_context(_listen(host, port and port + index))
            for index in range(environments)
        ]
        temporary = tempfile.TemporaryDirectory(prefix="keyhalt-demo-")
        folder = Path(ended.enter_context(nullcontext(str(data)) if data else temporary))
        if environments == 1:
            places = {ONE: folder}
        else:
            places = {name: folder / name for name in SEVERAL[:environments]}
        ready = [prepare(name, place, sizes) for name, place in places.items()]
        urls = [_url(host, listener) for listener in listeners]
        table = _table(ready) if environments > 1 else {}
        text = _as_json(urls, ready, table) if as_json else _as_text(urls, ready, table)
        tools().serve_each(
            dict(zip(listeners, places.values(), strict=True)), lambda: click.echo(text)
        )


def _listen(host: str, port: int) -> socket.socket:
    try:
        return tools().listen(host, port)
    except OSError as error:
        raise Failure(
            f"cannot listen on {host}:{port}: {error.strerror}; try --port 0", EXIT_UNAVAILABLE
        ) from None


def _url(host: str, listener: socket.socket) -> str:
    shown = host if ":" not in host else f"[{host}]"
    return f"http://{shown}:{listener.getsockname()[1]}"


def _table(ready: Sequence[Ready]) -> dict[str, dict[str, str]]:
    """What each environment decides of each key: by where it was made, then where it is used."""
    table: dict[str, dict[str, str]] = {each.environment: {} for each in ready}
    for used in ready:
        with tools().engine(data=used.folder) as verbs:
            for made in ready:
                key = made.key.reveal().encode()
                decision = asyncio.run(verbs.verify.verify(Presented((key,), over_https=True)))
                said = decision.reason.value if isinstance(decision, Denied) else WORKS
                table[made.environment][used.environment] = said
    return table


def _as_json(
    urls: Sequence[str], ready: Sequence[Ready], table: Mapping[str, Mapping[str, str]]
) -> str:
    first, *more = [_described(url, each) for url, each in zip(urls, ready, strict=True)]
    if more:
        first = {**first, "environments": [first, *more], "table": table}
    return json.dumps(first)


def _described(url: str, ready: Ready) -> dict[str, object]:
    users = [
        {"userCode": p.code, "password": ready.passwords[p.code], "role": p.role}
        for p in ready.sample.people
    ]
    return {
        "url": url,
        "environment": ready.environment,
        "datasource": DATASOURCE,
        "apiKey": ready.key.reveal(),
        "userCode": users[0]["userCode"],
        "password": users[0]["password"],
        "users": users,
    }


def _as_text(
    urls: Sequence[str], ready: Sequence[Ready], table: Mapping[str, Mapping[str, str]]
) -> str:
    say("Keyhalt demo. Plain HTTP, for trying things out only. Ctrl+C stops it.\n")
    lines: list[str] = []
    for url, each in zip(urls, ready, strict=True):
        if table:
            lines.append(f"Environment {each.environment}")
        lines += [
            f"Address     {url}",
            f"Datasource  {DATASOURCE}",
            *(f"Sign-in     {code}  {password}" for code, password in each.passwords.items()),
            "",
            f'curl "{url}{each.sample.path}" -H "ECI-ApiKey: {each.key.reveal()}"',
            "",
        ]
    if table:
        rows = [["A key made in", *(f"in {name}" for name in table)]]
        rows += [[made, *used.values()] for made, used in table.items()]
        lines += [*lines_of(rows), ""]
    return "\n".join(lines)
