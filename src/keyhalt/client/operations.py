"""Operations: what an app behind the keys offers, as rows of data.

The permission hangs on the row, so no path is matched twice and no operation can forget it. A
handler is a plain function of a `Call`; it runs in a worker thread and returns a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Denied
    from keyhalt.core.permissions import Catalogue, Need
    from keyhalt.core.principals import Principal
    from keyhalt.core.profiles import Profile
    from keyhalt.core.refusals import Refused

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, already authenticated and permitted.

    `ids`: the integers of the path, by name. `query`: each parameter once. `body`: an instance of
    the operation's `body` type, or None.
    """

    principal: Principal
    ids: Mapping[str, int]
    query: Mapping[str, str]
    body: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Reply:
    """A success. `body` is made into JSON; None sends none."""

    body: object = None
    status: int = 200
    headers: Headers = ()


NO_CONTENT = Reply(status=204)


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: `GET /api/v3/meter/{meterId}` needs Meters (View).

    Path parameters are integers, written `{name}`. `need` None: any authenticated caller; `instead`
    is a permission that does as well.
    `also`: further paths of the same operation, such as its dated version. `body`: a pydantic
    model, or a type that pydantic can read, such as `list[Model]`.
    """

    name: str
    method: str
    path: str
    need: Need | None
    handler: Callable[[Call], Reply | Denied | Refused]
    body: Any = None
    also: tuple[str, ...] = ()
    deprecated_paths: Mapping[str, str] = field(default_factory=dict)
    """A replaced path to the version and operation that replaces it (`ECI-Deprecated`)."""
    instead: Need | None = None
    hashes: bool = False
    """Its handler hashes a password: it waits its turn where sign-ins do (web/lane.py)."""


@dataclass(frozen=True, slots=True)
class AppContext:
    """What the installation gives to an app behind the keys.

    `folder`: where an app keeps files of its own. `database_url`: set where the installation is on
    PostgreSQL; an app that wants to be there too makes a schema of its own in that database, and
    may hold `database_pool` connections in this process. With `database_direct_url` the first leads
    to a pooler in transaction mode, and this past it. A statement that takes longer than
    `database_statement_seconds` is to be ended. URLs hold passwords and are not shown.
    """

    profile: Profile
    folder: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    database_direct_url: str | None = field(default=None, repr=False)
    database_pool: int = 10
    database_statement_seconds: float = 5.0

    @property
    def catalogue(self) -> Catalogue:
        return self.profile.catalogue


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a hierarchy, as `me` and a user's topmosts show it."""

    id: int
    code: str
    info: str
    more: Mapping[str, object] = field(default_factory=dict)


class App(Protocol):
    """An app behind the keys: its operations, and what the engine asks about its trees."""

    def operations(self) -> Sequence[Operation]:
        """Its rows."""

    def contains(self, datasource_id: int, hierarchy: str, ancestor: int, node: int) -> bool:
        """Whether `node` is `ancestor` or lies below it, now."""

    def describe(self, datasource_id: int, hierarchy: str, ids: Sequence[int]) -> Sequence[Node]:
        """The nodes that exist, in the order asked for."""

    def load_sample(
        self,
        datasource_id: int,
        user_id: int,
        *,
        sizes: Mapping[str, int],
        progress: Callable[[int, int], None],
    ) -> Sequence[Mapping[str, int]]:
        """Make sample data in an empty datasource. Returns what sample users may see from.

        Only `keyhalt demo` asks, and not an app that has no such method.
        `sizes`: how many of what, such as meters; a name that is missing has the app's default, one
        that the app has not is ignored. `progress` is told how much of how much is written. Each
        view is a node of each hierarchy: first the roots, then parts, the larger before the
        smaller. Raises ValueError, with a sentence for the user, for sizes that cannot be; then
        nothing is written.
        """

    def close(self) -> None:
        """Let go of files and connections."""
