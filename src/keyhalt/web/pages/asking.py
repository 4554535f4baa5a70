"""What a page's handler gets, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyhalt.client.problems import Header
    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Principal


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a page. `session`: the text of its cookie, where a session was resumed.

    `fresh`: the password was given minutes ago.
    """

    origin: Origin
    ids: Mapping[str, int]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    session: bytes = field(default=b"", repr=False)
    fresh: bool = False
    _principal: Principal | None = None

    @property
    def principal(self) -> Principal:
        """Who is signed in. Only rows that ask for it are reached with one."""
        assert self._principal is not None  # noqa: S101 - the row said `signed_in`
        return self._principal


@dataclass(frozen=True, slots=True)
class Shown:
    """A page. `values`: what its template needs, all of it."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    status: int = 200
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """To another page of this site, with GET."""

    to: str
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """The same as a page said, for a program: JSON."""

    body: object = field(repr=False)


Answer = Shown | Moved | Data | Denied | Refused


@dataclass(frozen=True, slots=True)
class Row:
    """One address with one method. Parts of `path` in braces are ids.

    `hashes`: it checks a password, and waits its turn where sign-ins do (web/lane.py).
    """

    method: str
    path: str
    handler: Callable[[Ask], Answer]
    signed_in: bool = True
    hashes: bool = False
