"""`keyhalt user`: users, their roles, topmosts and passwords."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from keyhalt.cli.context import (
    EXIT_NOT_FOUND,
    EXIT_USAGE,
    Failure,
    Verbs,
    datasource_option,
    fail,
    opened,
    operator,
    origin,
    output_option,
    tools,
)
from keyhalt.cli.output import say, show, show_one, show_receipt, time_text
from keyhalt.cli.role import find_role
from keyhalt.cli.serving import read_password
from keyhalt.core.decisions import Denied
from keyhalt.core.keytext import ID_MAX
from keyhalt.core.names import has_unseen, near
from keyhalt.core.refusals import Refused
from keyhalt.usecases.manage_users import Changed
from keyhalt.usecases.people import UserDraft, UserEdit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.principals import UserFacts
    from keyhalt.usecases.rows import DatasourceRow

COLUMNS = ("id", "code", "full_name", "role", "active", "service", "topmosts")


@click.group()
def user() -> None:
    """Users: create, list, show, edit, deactivate, activate, and what they have."""


@user.command()
@click.argument("code")
@click.option("--full-name", default="", help="[default: the code]")
@click.option("--role", help="Name of the role.  [default: the profile's]")
@click.option("--email", default="")
@click.option("--topmost", multiple=True, metavar="HIERARCHY=ID,ID", help="May be repeated.")
@click.option("--password-file", type=click.File("r"), help="First line of a file, or - for stdin.")
@click.option("--no-password", is_flag=True, help="A person who cannot sign in yet.")
@click.option("--service", is_flag=True, help="A service account: it owns keys, never signs in.")
@output_option
@datasource_option
def create(
    code: str,
    full_name: str,
    role: str | None,
    email: str,
    topmost: tuple[str, ...],
    password_file: TextIO | None,
    no_password: bool,
    service: bool,
    output: str,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Make a user."""
    if no_password + service + (password_file is not None) > 1:
        raise Failure("say one of --password-file, --no-password and --service", EXIT_USAGE)
    with opened(data, datasource) as (verbs, place):
        topmosts = _topmosts(verbs, topmost)
        _check_nodes(place, topmosts, data)
        role_name = find_role(
            verbs, place, verbs.profile.default_role if role is None else role
        ).name
        password = None if no_password or service else read_password(password_file)
        draft = UserDraft(
            code, full_name or code[:32], email, role_name, password, topmosts, service=service
        )
        made = verbs.manage_users.create(operator(), place.id, draft, origin())
        if isinstance(made, Denied | Refused):
            fail(made)
    show_one(_row(made), output)


@user.command("list")
@output_option
@datasource_option
def list_users(output: str, data: Path | None, datasource: str | None) -> None:
    """List the users of a datasource."""
    with opened(data, datasource) as (verbs, place):
        rows = [_row(each) for each in verbs.look_up.users(place.id)]
    show(rows, output, columns=COLUMNS)


@user.command("show")
@click.argument("code")
@output_option
@datasource_option
def show_user(code: str, output: str, data: Path | None, datasource: str | None) -> None:
    """Show a user with everything that a key of theirs may do."""
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        names = list(verbs.profile.catalogue.names(found.permissions))
        row = verbs.look_up_users.user(place.id, found.user_id)
    if isinstance(row, Denied):
        fail(row)
    more = {
        "groups": [name for _, name in row.groups],
        "max_approval_amount": row.details.max_approval_amount,
        "permissions": names,
    }
    show_one({**_row(found), **more}, output)


@user.command()
@click.argument("code")
@click.option("--code", "new_code", help="Another code to sign in with.")
@click.option("--full-name")
@click.option("--email")
@click.option("--max-approval", metavar="DOLLARS", help="Whole dollars, or none for no limit.")
@datasource_option
def edit(
    code: str,
    new_code: str | None,
    full_name: str | None,
    email: str | None,
    max_approval: str | None,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Change what is said about a user. Their keys stay theirs."""
    said = {"code": new_code, "full_name": full_name, "email": email}
    details: dict[str, object] = {name: text for name, text in said.items() if text is not None}
    if max_approval is not None:
        if max_approval != "none" and not (max_approval.isascii() and max_approval.isdigit()):
            raise Failure("say --max-approval in whole dollars, or none", EXIT_USAGE)
        details["max_approval_amount"] = None if max_approval == "none" else int(max_approval)
    if not details:
        raise Failure("say what to change: see keyhalt user edit --help", EXIT_USAGE)
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        change = UserEdit(details=details)
        changed = verbs.manage_users.edit(operator(), place.id, found.user_id, change, origin())
    _tell(f"Changed {found.user_code}", changed)


@user.command()
@click.argument("code")
@datasource_option
def deactivate(code: str, data: Path | None, datasource: str | None) -> None:
    """End a user's tokens; their keys rest until the user is activated again."""
    _set_active(code, data, datasource, active=False)


@user.command()
@click.argument("code")
@datasource_option
def activate(code: str, data: Path | None, datasource: str | None) -> None:
    """Let a user sign in and their keys count again."""
    _set_active(code, data, datasource, active=True)


def _set_active(code: str, data: Path | None, datasource: str | None, *, active: bool) -> None:
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        changed = verbs.manage_users.set_active(
            operator(), place.id, found.user_code, origin(), active=active
        )
    _tell(f"{'Activated' if active else 'Deactivated'} {found.user_code}", changed)


@user.command("set-role")
@click.argument("code")
@click.argument("role")
@datasource_option
def set_role(code: str, role: str, data: Path | None, datasource: str | None) -> None:
    """Give a user another role."""
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        name = find_role(verbs, place, role).name
        changed = verbs.manage_users.set_role(operator(), place.id, code, name, origin())
    _tell(f"{found.user_code} is {name} now", changed)


@user.command("set-topmost")
@click.argument("code")
@click.argument("topmost", nargs=-1, required=True, metavar="HIERARCHY=ID,ID...")
@datasource_option
def set_topmost(
    code: str, topmost: tuple[str, ...], data: Path | None, datasource: str | None
) -> None:
    """Say from which nodes a user sees. `places=` means none; hierarchies not named stay."""
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        wanted = _topmosts(verbs, topmost)
        _check_nodes(place, wanted, data)
        changed = verbs.manage_users.set_topmosts(operator(), place.id, code, wanted, origin())
    _tell(f"Set the topmosts of {found.user_code}", changed)


@user.command("set-password")
@click.argument("code")
@click.option("--password-file", type=click.File("r"), help="First line of a file, or - for stdin.")
@click.option("--must-change", is_flag=True, help="It is good for choosing another one only.")
@datasource_option
def set_password(
    code: str,
    password_file: TextIO | None,
    must_change: bool,
    data: Path | None,
    datasource: str | None,
) -> None:
    """Set a password. Ends the user's tokens; keys are not touched."""
    with opened(data, datasource) as (verbs, place):
        found = find_user(verbs, place, code)
        reset = verbs.reset_password(
            operator(),
            datasource_id=place.id,
            user_id=found.user_id,
            password=read_password(password_file),
            must_change=must_change,
            origin=origin(),
        )
    if isinstance(reset, Denied | Refused):
        fail(reset)
    show_receipt(f"Set the password of {found.user_code}", reset.receipt)
    if reset.keys:
        since = time_text(reset.since)
        say(
            f"{found.user_code} made {reset.keys} keys since the password of before. If somebody"
            f" else knew it: keyhalt user end-keys {found.user_code} --made-since {since}"
        )


def _tell(what: str, changed: Changed | Denied | Refused) -> None:
    if isinstance(changed, Denied | Refused):
        fail(changed)
    show_receipt(what, changed.receipt)


def find_user(verbs: Verbs, place: DatasourceRow, code: str) -> UserFacts:
    user = None if has_unseen(code) else verbs.look_up.user(place.id, code)
    if user is None:
        codes = [each.user_code for each in verbs.look_up.users(place.id)]
        raise Failure(
            f"there is no user {code!r} in {place.name}{near(code, codes)}", EXIT_NOT_FOUND
        )
    return user


def _topmosts(verbs: Verbs, said: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    known = [hierarchy.name for hierarchy in verbs.profile.hierarchies]
    topmosts: dict[str, set[int]] = {}
    for each in said:
        name, equals, ids = each.partition("=")
        parts = [part.strip() for part in ids.split(",") if part.strip()]
        if not equals or not all(part.isascii() and part.isdigit() for part in parts):
            raise Failure(f"say a topmost as HIERARCHY=ID,ID, not {each!r}", EXIT_USAGE)
        if not all(len(part) <= len(str(ID_MAX)) and 0 < int(part) <= ID_MAX for part in parts):
            raise Failure(f"an id is from 1 to {ID_MAX}, not as in {each!r}", EXIT_USAGE)
        if name not in known:
            hint = near(name, known) or f"; there is: {', '.join(known) or 'none in this profile'}"
            raise Failure(f"there is no hierarchy {name!r}{hint}", EXIT_USAGE)
        topmosts.setdefault(name, set()).update(int(part) for part in parts)
    return {name: tuple(sorted(ids)) for name, ids in topmosts.items()}


def _check_nodes(
    place: DatasourceRow, topmosts: Mapping[str, tuple[int, ...]], data: Path | None
) -> None:
    """Refuse a node that the app has not; say so where no app can be asked."""
    for hierarchy, ids in topmosts.items():
        missing = tools().missing(place.id, hierarchy, ids, data=data) if ids else ()
        if missing is None:
            say(f"{hierarchy}: whether these nodes exist was not checked; KEYHALT_APPS has no app")
        elif missing:
            raise Failure(f"there is no node {missing[0]} in {hierarchy}", EXIT_NOT_FOUND)


def _row(facts: UserFacts) -> dict[str, object]:
    return {
        "id": facts.user_id,
        "code": facts.user_code,
        "full_name": facts.full_name,
        "email": facts.email,
        "role": facts.role_name,
        "active": facts.active,
        "service": facts.service,
        "topmosts": [
            f"{hierarchy}={','.join(str(node) for node in nodes)}"
            for hierarchy, nodes in sorted(facts.topmosts.items())
        ],
    }
