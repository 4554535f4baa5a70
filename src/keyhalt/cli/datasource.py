"""`keyhalt datasource`: the tenants of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import (
    EXIT_USAGE,
    Failure,
    data_option,
    fail,
    find_datasource,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import show, show_one, show_receipt, time_text
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused

if TYPE_CHECKING:
    from keyhalt.usecases.rows import DatasourceRow


@click.group()
def datasource() -> None:
    """Datasources: create, list, deactivate, activate, set-policy."""


@datasource.command()
@click.argument("name")
@output_option
@data_option
def create(name: str, output: str, data: Path | None) -> None:
    """Make a datasource with the profile's roles. Its name never changes."""
    with tools().engine(data=data) as verbs:
        made = verbs.set_up.datasource(operator(), name, origin())
    if isinstance(made, Refused):
        fail(made)
    show_one(_row(made), output)


@datasource.command("list")
@output_option
@data_option
def list_datasources(output: str, data: Path | None) -> None:
    """List the datasources of the environment."""
    with tools().engine(data=data) as verbs:
        rows = [_row(each) for each in verbs.look_up.datasources()]
    show(rows, output, columns=("id", "name", "active", "created_at"))


@datasource.command()
@click.argument("name")
@data_option
def deactivate(name: str, data: Path | None) -> None:
    """Stop every credential of a datasource."""
    _set_active(name, data, active=False)


@datasource.command()
@click.argument("name")
@data_option
def activate(name: str, data: Path | None) -> None:
    """Let the credentials of a datasource count again."""
    _set_active(name, data, active=True)


@datasource.command("set-policy")
@click.argument("name")
@click.option(
    "--keys-create-keys", type=click.Choice(["allow", "deny"]), help="Whether a key may make keys."
)
@click.option("--password-length-min", type=int, metavar="N", help="8 to 64; 15 at first.")
@data_option
def set_policy(
    name: str, keys_create_keys: str | None, password_length_min: int | None, data: Path | None
) -> None:
    """Say what the users of a datasource may do. What is not said stays."""
    if keys_create_keys is None and password_length_min is None:
        raise Failure("say --keys-create-keys or --password-length-min", EXIT_USAGE)
    with tools().engine(data=data) as verbs:
        row = find_datasource(verbs, name)
        receipt = verbs.set_up.set_policy(
            operator(),
            row.name,
            origin(),
            password_length_min=password_length_min,
            keys_create_keys=None if keys_create_keys is None else keys_create_keys == "allow",
        )
    if isinstance(receipt, Denied | Refused):
        fail(receipt)
    show_receipt(f"Set the policy of {row.name}", receipt)


def _set_active(name: str, data: Path | None, *, active: bool) -> None:
    with tools().engine(data=data) as verbs:
        row = find_datasource(verbs, name)
        receipt = verbs.set_up.set_datasource_active(operator(), row.name, origin(), active=active)
    if isinstance(receipt, Denied):
        fail(receipt)
    show_receipt(f"{'Activated' if active else 'Deactivated'} {row.name}", receipt)


def _row(row: DatasourceRow) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "active": row.active,
        "created_at": time_text(row.created_at),
        "password_length_min": row.policy.password_length_min,
        "keys_create_keys": "allow" if row.policy.keys_create_keys else "deny",
    }
