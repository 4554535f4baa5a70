"""The pages, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from keyhalt.web.pages.account import AccountPages
from keyhalt.web.pages.activity import ActivityPages
from keyhalt.web.pages.advising import AdvicePages
from keyhalt.web.pages.app import Pages, Site
from keyhalt.web.pages.changing_over import ChangingOverPages
from keyhalt.web.pages.cookies import Jar
from keyhalt.web.pages.creating import CreatingPages
from keyhalt.web.pages.groups import GroupPages
from keyhalt.web.pages.keys import KeyPages
from keyhalt.web.pages.narrowing import NarrowingPages
from keyhalt.web.pages.render import Templates
from keyhalt.web.pages.roles import RolePages
from keyhalt.web.pages.signing import SigningPages
from keyhalt.web.pages.standing import StandingPages
from keyhalt.web.pages.users import UserPages
from keyhalt.web.pages.uses import Uses

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.middleware import ASGIApp
    from keyhalt.client.trees import Trees
    from keyhalt.core.audit import Origin
    from keyhalt.core.decisions import Denied, Here
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.advise import Advise
    from keyhalt.usecases.edit_me import EditMe
    from keyhalt.usecases.hand_over import HandOver
    from keyhalt.usecases.issue import IssueKey
    from keyhalt.usecases.look_up import LookUp
    from keyhalt.usecases.look_up_use import LookUpUse
    from keyhalt.usecases.look_up_users import LookUpUsers
    from keyhalt.usecases.manage_groups import ManageGroups
    from keyhalt.usecases.manage_roles import ManageRoles
    from keyhalt.usecases.manage_users import ManageUsers
    from keyhalt.usecases.narrow import NarrowKey
    from keyhalt.usecases.ports import Clock
    from keyhalt.usecases.read_audit import ReadAudit
    from keyhalt.usecases.reset_password import ResetPassword
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
    def clock(self) -> Clock: ...
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
    def look_up_use(self) -> LookUpUse: ...
    @property
    def advise(self) -> Advise: ...
    @property
    def narrow(self) -> NarrowKey: ...
    @property
    def read_audit(self) -> ReadAudit: ...
    @property
    def hand_over(self) -> HandOver: ...
    @property
    def manage_users(self) -> ManageUsers: ...
    @property
    def manage_groups(self) -> ManageGroups: ...
    @property
    def manage_roles(self) -> ManageRoles: ...
    @property
    def look_up_users(self) -> LookUpUsers: ...
    @property
    def reset_password(self) -> ResetPassword: ...
    @property
    def edit_me(self) -> EditMe: ...


def pages(
    verbs: PageVerbs, lane: Lane, record: Callable[[Denied, Origin], Denied], other: ASGIApp
) -> Pages:
    """`other` answers addresses that are no page."""
    here, profile = verbs.here, verbs.profile
    jar = Jar(here.environment, here.insecure_http)
    templates = Templates(here.environment, profile.needs)
    site = Site(templates, jar, verbs.sessions, lane, record, here.insecure_http)
    uses = Uses(verbs.look_up_use, verbs.clock)
    advice = AdvicePages(verbs.advise, verbs.look_up_use, profile.needs)
    keys = KeyPages(verbs.issue, verbs.delete_key, verbs.look_up, profile, here, uses, advice)
    creating = CreatingPages(
        verbs.issue,
        verbs.look_up,
        verbs.look_up_users,
        verbs.hand_over,
        verbs.sessions,
        profile,
        verbs.trees,
        jar,
    )
    narrowing = NarrowingPages(verbs.narrow, verbs.look_up, creating, profile.needs)
    signing = SigningPages(verbs.sign_in, verbs.sessions, jar)
    users = UserPages(verbs.manage_users, verbs.look_up_users, profile, verbs.trees)
    standing = StandingPages(
        users,
        verbs.look_up,
        verbs.look_up_users,
        verbs.reset_password,
        verbs.delete_key,
        profile.needs,
        uses,
    )
    changing_over = ChangingOverPages(verbs.look_up, uses, profile.needs)
    roles = RolePages(verbs.manage_roles, verbs.look_up_users, profile)
    groups = GroupPages(verbs.manage_groups, verbs.look_up, verbs.look_up_users, profile.needs)
    account = AccountPages(verbs.edit_me, verbs.look_up, verbs.sessions, profile, verbs.trees)
    activity = ActivityPages(verbs.read_audit, verbs.look_up, profile.needs)
    parts = (
        activity,
        signing,
        creating,
        keys,
        advice,
        narrowing,
        changing_over,
        users,
        standing,
        roles,
        groups,
        account,
    )
    return Pages(site, [row for part in parts for row in part.rows()], other)
