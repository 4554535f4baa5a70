"""`keyhalt doctor`: is what stands around Keyhalt set up as it must be?"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import click

from keyhalt.cli.context import EXIT_DENIED, EXIT_UNAVAILABLE, EXIT_USAGE, Failure, output_option
from keyhalt.cli.key import read_text
from keyhalt.cli.output import say, show
from keyhalt.cli.probes import NOT_CHECKED, PROBES, Client, Probe

PROXIES = ("nginx", "traefik", "caddy", "envoy")
COLUMNS = ("rule", "verdict", "change")


@click.group()
def doctor() -> None:
    """Checks of what stands around Keyhalt."""


@doctor.command()
@click.option("--url", required=True, help="An address behind the proxy that the key may GET.")
@click.option("--key-file", type=click.File("r"), help="Read the key from a file.")
@click.option("--key-stdin", is_flag=True, help="Read the key from stdin.")
@click.option("--proxy", "kind", type=click.Choice(PROXIES), help="[default: as it says itself]")
@click.option("--ca-file", type=click.Path(path_type=Path, exists=True), help="For HTTPS.")
@output_option
def proxy(
    url: str,
    key_file: TextIO | None,
    key_stdin: bool,
    kind: str | None,
    ca_file: Path | None,
    output: str,
) -> None:
    """Send probes through a running proxy; say which rule it breaks, and what to change.

    What the backend was told is checked where the backend answers with the headers that it got,
    as examples/backend does. Exit 3 if a rule is broken.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise Failure("say --url https://host/path", EXIT_USAGE)
    key = read_text(key_file, stdin=key_stdin).reveal()
    tls = ssl.create_default_context(cafile=ca_file) if address.scheme == "https" else None
    client = Client(address, key, tls)
    try:
        kind = kind or _kind(client)
        rows = [_row(probe, client, kind) for probe in PROBES]
    except OSError as error:
        raise Failure(f"cannot ask {address.netloc}: {error}", EXIT_UNAVAILABLE) from None
    show(rows, output, columns=COLUMNS)
    broken = sum(row["verdict"] not in ("ok", NOT_CHECKED) for row in rows)
    if broken:
        say(f"{broken} of {len(rows)} rules are broken; see docs/forward-auth.md.")
        raise click.exceptions.Exit(EXIT_DENIED)


def _kind(client: Client) -> str:
    """As its answers say; Traefik says nothing."""
    told = " ".join(v.lower() for n, v in client.ask().headers if n.lower() in ("server", "via"))
    return next((each for each in PROXIES if each in told), "traefik")


def _row(probe: Probe, client: Client, kind: str) -> dict[str, object]:
    wrong = probe.run(client)
    change = None
    if wrong is not None and wrong != NOT_CHECKED:
        change = probe.fix.get(kind) or probe.fix.get("*")
    return {"rule": probe.rule, "verdict": wrong or "ok", "change": change}
