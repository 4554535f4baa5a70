"""The pages, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keyhalt.web.pages.app import Pages, Site
from keyhalt.web.pages.cookies import Jar
from keyhalt.web.pages.creating import CreatingPages
from keyhalt.web.pages.keys import KeyPages
from keyhalt.web.pages.render import Templates
from keyhalt.web.pages.signing import SigningPages

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.trees import Trees
    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Denied, Here
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.hand_over import HandOver
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.revoke import DeleteKey
    from keyhalt.usecases.sessions import WebSessions
    from keyhalt.usecases.sign_in import SignIn
    from keyhalt.web.lane import Lane


class PageVerbs(Protocol):
    """What the pages do, with the same verbs as the API. The engine has them all."""

    here: Here
    profile: Profile
    trees: Trees

    @property
    def issue(self) -> IssueKey: ...
    @property
    def delete_key(self) -> DeleteKey: ...
    @property
    def look_up(self) -> LookUp: ...
    @property
    def sign_in(self) -> SignIn: ...
    @property
    def sessions(self) -> WebSessions: ...
    @property
    def hand_over(self) -> HandOver: ...


def pages(
    verbs: PageVerbs, lane: Lane, record: Callable[[Denied, Origin], Denied], other: ASGIApp
) -> ASGIApp:
    """`other` answers addresses that are no page."""
    here, profile = verbs.here, verbs.profile
    jar = Jar(here.environment, here.insecure_http)
    site = Site(Templates(here.environment), jar, verbs.sessions, lane, record, here.insecure_http)
    keys = KeyPages(verbs.issue, verbs.delete_key, verbs.look_up, profile.needs, here)
    creating = CreatingPages(verbs.issue, verbs.look_up, verbs.hand_over, profile, verbs.trees, jar)
    signing = SigningPages(verbs.sign_in, verbs.sessions, jar)
    return Pages(site, [*signing.rows(), *creating.rows(), *keys.rows()], other)
