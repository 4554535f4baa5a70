"""`keyhalt init`, `serve` and `db`: from nothing to a running server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click

from keyhalt.cli.context import (
    EXIT_CONFIG,
    EXIT_CONFLICT,
    EXIT_USAGE,
    Failure,
    data_option,
    fail,
    find_datasource,
    folder_option,
    operator,
    origin,
    tools,
)
from keyhalt.cli.output import say
from keyhalt.core.decisions import Denied
from keyhalt.core.passwords import PasswordPolicy
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.new_passwords import refuse_password
from keyhalt.usecases.people import UserDraft


@click.command()
@folder_option
@click.option("--environment", required=True, help="Its name, part of every key, never changed.")
@click.option(
    "--product", default="", help="The first word of every key.  [default: keyhalt, or as set]"
)
@click.option("--datasource", required=True, help="The first datasource.")
@click.option("--admin", required=True, help="User code of the first administrator.")
@click.option("--full-name", default="", help="The administrator's name.  [default: the code]")
@click.option("--email", default="", help="The administrator's address.")
@click.option(
    "--password-file",
    type=click.File("r"),
    help="Read the administrator's password from the first line of a file, or - for stdin.",
)
def init(
    data: Path | None,
    environment: str,
    product: str,
    datasource: str,
    admin: str,
    full_name: str,
    email: str,
    password_file: TextIO | None,
) -> None:
    """Set up the environment, its first datasource and administrator.

    There is no default password: one is asked for, or read from --password-file.
    """
    password = read_password(password_file)
    refused = refuse_password(password, PasswordPolicy(), (admin, full_name, email))
    if refused is not None:
        # Before there is anything to clear away.
        fail(refused)
    if faults := tools().of(environment).upkeep(data=data).unfit():
        raise Failure("; ".join(faults), EXIT_CONFIG)
    row = tools().init(
        environment=environment, product=product, acting=operator(), origin=origin(), data=data
    )
    with tools().of(environment).engine(data=data) as verbs:
        existing = verbs.look_up.datasource(datasource.encode(errors="backslashreplace").decode())
        if existing is None:
            made = verbs.set_up.datasource(operator(), datasource, origin())
            if isinstance(made, Refused):
                fail(made)
        place = find_datasource(verbs, datasource)
        if verbs.look_up.user(place.id, admin.encode(errors="backslashreplace").decode()):
            raise Failure(
                f"{row.name} is set up already, with {place.name} and {admin} in it; further users"
                " come with 'keyhalt user create', a new password with 'keyhalt user set-password'",
                EXIT_CONFLICT,
            )
        role = verbs.profile.administrator_role
        draft = UserDraft(admin, full_name or admin[:32], email, role, password, {})
        user = verbs.manage_users.create(operator(), place.id, draft, origin())
        if isinstance(user, Denied | Refused):
            fail(user)
    say(f"Environment {row.name}, datasource {place.name}, administrator {user.user_code}.")
    if verbs.profile.hierarchies:
        first = verbs.profile.hierarchies[0].name
        say(
            f"{user.user_code} sees no node of any hierarchy yet, and so nothing that lies in one:"
            f" keyhalt user set-topmost {user.user_code} {first}=ID"
        )
    say("Keep a copy of the MAC-key file apart from the database; then run: keyhalt serve")


@click.command()
@data_option
@click.option("--host", help="Address to listen on.  [default: KEYHALT_HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="[default: KEYHALT_PORT or 8080]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.  [default: 1]")
def serve(data: Path | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Run the server. Refuses to start until it knows how transport is protected."""
    tools().serve(data=data, host=host, port=port, workers=workers)


def read_password(file: TextIO | None) -> Secret:
    """The first line of `file`, or what a person types twice without seeing it."""
    if file is not None:
        try:
            line = file.readline()
            line.encode()
        except UnicodeError:
            raise Failure("the file of the password is not text") from None
        return Secret(line.rstrip("\r\n"))
    if not sys.stdin.isatty():
        raise Failure("say where the password is: --password-file FILE, or - for stdin", EXIT_USAGE)
    return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
