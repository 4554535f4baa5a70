"""The sample of `keyhalt demo`: an environment with users, a key, and an app's data."""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from keyhalt.cli.context import (
    EXIT_CONFLICT,
    Failure,
    fail,
    operator,
    origin,
    tools,
)
from keyhalt.cli.user import find_user
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.core.secrets import Secret
from keyhalt.usecases.people import UserDraft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.cli.context import Verbs
    from keyhalt.core.principals import UserFacts
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.rows import DatasourceRow

    Topmosts: TypeAlias = Mapping[str, tuple[int, ...]]

PRODUCT, DATASOURCE = "ecap", "acme"
ENERGY = "energycap"
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
    """A sample user. The first one signs in and owns the printed key.

    `view`: which of the sample's views they see from, the last one if there are not so many.
    """

    code: str
    full_name: str
    role: str
    view: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Who is made, the grants of a role for programs (none: no such role), and what a key asks."""

    people: tuple[Person, ...]
    grants: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared environment in its folder. `passwords` by user code, the owner of `key` first."""

    environment: str
    sample: Sample
    folder: Path
    key: Secret
    passwords: Mapping[str, str]


def sample_of(profile: Profile) -> Sample:
    """One for the energy API, and one for an app of somebody's own, of which nothing is known."""
    administrator = profile.administrator_role
    admin = Person("admin", "Ada Minister", administrator)
    if profile.name != ENERGY:
        first = Person("jsmith", "Jo Smith", administrator)
        reader = Person("reader", "Rita Reader", profile.default_role, view=1)
        return Sample((first, admin, reader), (), "/api/v3/me")
    people = (
        Person("jsmith", "Jo Smith", INTEGRATION),
        admin,
        Person("facilities", "Fay Silitis", "Administrator: Facilities", view=1),
        Person("reader", "Rita Reader", "Default", view=2),
    )
    return Sample(people, INTEGRATION_GRANTS, "/api/v3/meter")


def prepare(environment: str, folder: Path, sizes: Mapping[str, int]) -> Ready:
    """What is missing is made; passwords and the key are new each time."""
    tools().init(
        environment=environment, product=PRODUCT, acting=operator(), origin=origin(), data=folder
    )
    with tools().engine(data=folder) as verbs:
        sample = sample_of(verbs.profile)
        datasource = _fill(verbs, sample, folder, sizes)
        passwords = {}
        for person in sample.people:
            passwords[person.code] = password = _password()
            verbs.reset_password(
                operator(),
                datasource_id=datasource.id,
                user_id=find_user(verbs, datasource, person.code).user_id,
                password=Secret(password),
                must_change=False,
                origin=origin(),
            )
        owner = verbs.look_up.user(datasource.id, sample.people[0].code)
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
        return Ready(environment, sample, folder, issued.text, passwords)


def _fill(verbs: Verbs, sample: Sample, folder: Path, sizes: Mapping[str, int]) -> DatasourceRow:
    """The datasource with all that is in it. Goes on where an earlier start was interrupted."""
    datasource = verbs.look_up.datasource(DATASOURCE) or verbs.set_up.datasource(
        operator(), DATASOURCE, origin()
    )
    if isinstance(datasource, Refused):
        fail(datasource)
    first, *others = sample.people
    if verbs.look_up.user(datasource.id, others[-1].code) is not None:
        if sizes:
            raise Failure(
                f"there is a demo in {folder} already; --meters and --bills are for a new one",
                EXIT_CONFLICT,
            )
        return datasource
    if sample.grants:
        _make_role(verbs, datasource.id, sample.grants)
    owner = _make(verbs, datasource.id, first, {})
    views = _load_sample(datasource.id, owner.user_id, folder, sizes)
    topmosts = _topmosts(views, first)
    verbs.manage_users.set_topmosts(operator(), datasource.id, first.code, topmosts, origin())
    for person in others:
        _make(verbs, datasource.id, person, _topmosts(views, person))
    return datasource


def _make_role(verbs: Verbs, datasource_id: int, grants: Sequence[str]) -> None:
    role = verbs.look_up.role(datasource_id, INTEGRATION) or verbs.manage_roles.create(
        operator(),
        datasource_id,
        name=INTEGRATION,
        description="What a program needs that reads and writes meters and bills.",
        grants=grants,
        origin=origin(),
    )
    if isinstance(role, Denied | Refused):
        fail(role)


def _make(verbs: Verbs, datasource_id: int, person: Person, topmosts: Topmosts) -> UserFacts:
    draft = UserDraft(
        code=person.code,
        full_name=person.full_name,
        email=f"{person.code}@acme.example",
        role=person.role,
        password=None,
        topmosts=topmosts,
    )
    user = verbs.look_up.user(datasource_id, person.code) or verbs.manage_users.create(
        operator(), datasource_id, draft, origin()
    )
    if isinstance(user, Denied | Refused):
        fail(user)
    return user


def _topmosts(views: Sequence[Mapping[str, int]], person: Person) -> Topmosts:
    view = views[min(person.view, len(views) - 1)] if views else {}
    return {hierarchy: (node,) for hierarchy, node in view.items()}


def _load_sample(
    datasource_id: int, user_id: int, folder: Path, sizes: Mapping[str, int]
) -> Sequence[Mapping[str, int]]:
    """On a terminal with a bar that shows how far it is."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1, label="Sample data", file=sys.stderr, hidden=hidden) as bar:

        def show(done: int, whole: int) -> None:
            bar.length = whole
            bar.update(done - bar.pos)

        return tools().load_sample(datasource_id, user_id, sizes=sizes, progress=show, data=folder)


def _password() -> str:
    return base64.b32encode(os.urandom(15)).decode().lower()
