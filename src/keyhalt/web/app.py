"""The web application, put together: which layer stands in front of which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from keyhalt.client.forwarded import TrustProxies
from keyhalt.client.legacy import MIGRATION_PATH, LegacyNotice
from keyhalt.client.middleware import Authenticate
from keyhalt.client.questions import VERIFY_PATH
from keyhalt.core.decisions import Denied, Reason
from keyhalt.web import health
from keyhalt.web.anonymous import Anonymous
from keyhalt.web.answers import Answers
from keyhalt.web.api import (
    advice,
    audit,
    exchange,
    groups,
    key_trees,
    key_uses,
    keys,
    me,
    narrowing,
    passwords,
    roles,
    sessions,
    sign_in,
    users,
    verify,
)
from keyhalt.web.forward_auth.assertions import JWKS_PATH, Signer
from keyhalt.web.forward_auth.endpoint import PREFIX, ForwardAuth
from keyhalt.web.forward_auth.vouching import Voucher
from keyhalt.web.front import Front
from keyhalt.web.internal import by_listener, guarded
from keyhalt.web.lane import Lane
from keyhalt.web.pages.building import pages
from keyhalt.web.resources import router_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
    from keyhalt.client.operations import App, Operation
    from keyhalt.client.trees import Trees
    from keyhalt.core.profiles import Profile
    from keyhalt.usecases.advise import Advise
    from keyhalt.usecases.edit_me import EditMe
    from keyhalt.usecases.exchange import ExchangeToken
    from keyhalt.usecases.find_policy import FindPolicy
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
    from keyhalt.usecases.sign_in import SignIn
    from keyhalt.usecases.timing import Asker
    from keyhalt.usecases.verify import Verify
    from keyhalt.web.pages.building import PageVerbs


class People(Protocol):
    """The verbs about users, roles and groups."""

    @property
    def manage_users(self) -> ManageUsers: ...
    @property
    def manage_roles(self) -> ManageRoles: ...
    @property
    def manage_groups(self) -> ManageGroups: ...
    @property
    def look_up_users(self) -> LookUpUsers: ...
    @property
    def reset_password(self) -> ResetPassword: ...
    @property
    def edit_me(self) -> EditMe: ...


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything the web application is made of. The composition root fills it in."""

    verifier: Verify
    issue: IssueKey
    delete_key: DeleteKey
    look_up: LookUp
    look_up_use: LookUpUse
    read_audit: ReadAudit
    advise: Advise
    narrow: NarrowKey
    sign_in: SignIn
    exchange: ExchangeToken
    people: People
    pages: PageVerbs
    profile: Profile
    trees: Trees
    apps: Sequence[App]
    checks: Mapping[str, Callable[[], bool]]
    legacy: LegacyNotice
    insecure_http: bool
    build_date: str
    version: str
    passwords_at_once: int
    """How many passwords this process checks at once."""
    on_stop: Callable[[], None]
    trusted_proxies: Sequence[str]
    signer: Signer
    clock: Clock
    find_policy: FindPolicy
    scrape: Callable[[], tuple[bytes, str]]
    """What is measured, in the format of whoever watches, and its media type."""
    sample: Callable[[Asker], None]
    """Time some of the answers that it gets from memory."""
    internal_port: int | None = None
    """Where the internal listener listens, if there is one."""
    proxy_secret_digest: bytes | None = None


def operations_of(parts: WebParts) -> list[Operation]:
    """Every operation behind the keys: the engine's own and those of the apps."""
    key_handlers = keys.KeyHandlers(parts.issue, parts.delete_key, parts.look_up)
    tree_handlers = key_trees.KeyTreeHandlers(parts.delete_key, parts.look_up)
    use_handlers = key_uses.KeyUseHandlers(parts.profile, parts.look_up, parts.look_up_use)
    people = parts.people
    me_handlers = me.MeHandlers(
        parts.profile,
        parts.trees,
        people.edit_me,
        parts.look_up,
        parts.build_date,
        parts.version,
    )
    password_handlers = passwords.PasswordHandlers(people.reset_password)
    user_handlers = users.UserHandlers(
        parts.profile, parts.trees, people.manage_users, people.look_up_users, parts.issue
    )
    role_handlers = roles.RoleHandlers(parts.profile, people.manage_roles, people.look_up_users)
    group_handlers = groups.GroupHandlers(people.manage_groups, people.look_up_users)
    return [
        *keys.operations(key_handlers, parts.profile.needs),
        *key_trees.operations(tree_handlers, parts.profile.needs),
        *key_uses.operations(use_handlers),
        *advice.operations(
            advice.AdviceHandlers(parts.advise, parts.look_up_use), parts.profile.needs
        ),
        *narrowing.operations(narrowing.NarrowingHandlers(parts.narrow), parts.profile.needs),
        *audit.operations(audit.AuditHandlers(parts.read_audit), parts.profile.needs),
        *me.operations(me_handlers),
        *exchange.operations(exchange.ExchangeHandlers(parts.exchange)),
        *users.operations(user_handlers),
        *passwords.operations(password_handlers, parts.profile.needs),
        *roles.operations(role_handlers),
        *sessions.operations(sessions.SessionHandlers(parts.pages.sessions)),
        *groups.operations(group_handlers, parts.profile.needs),
        *(operation for app in parts.apps for operation in app.operations()),
    ]


def build(parts: WebParts) -> ASGIApp:
    answers = Answers(parts.verifier.realm, parts.verifier.refused)
    public: ASGIApp = TrustProxies(_public(parts, answers), parts.trusted_proxies)
    if parts.internal_port is None:
        return public
    return by_listener(public, _internal(parts, answers), parts.internal_port)


def _internal(parts: WebParts, answers: Answers) -> Callable[[Scope], ASGIApp]:
    handler = verify.VerifyHandler(parts.verifier, parts.profile.catalogue)
    voucher = Voucher(parts.signer, parts.verifier.realm, parts.clock)
    forward_auth = ForwardAuth(parts.verifier, parts.find_policy, voucher)
    parts.sample(handler)
    parts.sample(forward_auth)
    # Nothing that is asked here travels further than the request that it is about.
    verifying = Anonymous("POST", handler.answer, answers, insecure_http=True)
    front = Front(
        exact={
            VERIFY_PATH: guarded(verifying, parts.proxy_secret_digest, answers),
            "/metrics": guarded(health.metrics(parts.scrape), parts.proxy_secret_digest, answers),
            **_health(parts),
        },
        behind=_not_found(answers),
        other=_not_found(answers),
        realm=parts.verifier.realm,
        on_stop=lambda: None,
    )
    asked_by_proxies = guarded(forward_auth, parts.proxy_secret_digest, answers)

    def choose(scope: Scope) -> ASGIApp:
        asked = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        return asked_by_proxies if asked else front

    return choose


def _health(parts: WebParts) -> dict[str, ASGIApp]:
    return {
        "/livez": health.livez(),
        "/readyz": health.readyz(parts.checks),
        JWKS_PATH: health.jwks(parts.signer),
    }


def _public(parts: WebParts, answers: Answers) -> ASGIApp:
    lane = Lane(parts.passwords_at_once)
    routed = router_of(operations_of(parts), answers, lane)

    def stop() -> None:
        lane.close()
        parts.on_stop()

    authenticate = Authenticate(routed, parts.verifier, legacy=parts.legacy)
    parts.sample(authenticate)
    return Front(
        exact={
            **_anonymous(parts, answers, lane),
            **_health(parts),
            MIGRATION_PATH: _migration_page,
        },
        behind=authenticate,
        other=pages(parts.pages, lane, parts.verifier.refused, _not_found(answers)),
        realm=parts.verifier.realm,
        on_stop=stop,
    )


def _anonymous(parts: WebParts, answers: Answers, lane: Lane) -> dict[str, ASGIApp]:
    handlers = sign_in.SignInHandlers(parts.sign_in, lane, parts.build_date, parts.version)
    notice = parts.legacy.headers()
    rows = (
        (sign_in.LOGIN, "POST", handlers.login, notice),
        (sign_in.LOGOUT, "POST", handlers.logout, notice),
        (sign_in.ENVIRONMENT, "GET", handlers.environment, ()),
        (sign_in.PASSWORD, "POST", handlers.change_password, ()),
    )
    return {
        path: Anonymous(method, answer, answers, insecure_http=parts.insecure_http, more=more)
        for path, method, answer, more in rows
    }


def _not_found(answers: Answers) -> ASGIApp:
    async def not_found(scope: Scope, _receive: Receive, send: Send) -> None:
        await answers.send_no(scope, send, Denied(Reason.NOT_FOUND), record=False)

    return not_found


_MIGRATION_TEXT = b"""Bearer tokens are deprecated

POST /api/v3/login still gives a bearer token, and a request may still carry it in the header
Authorization. Both will be removed: on the date in the header Sunset, where there is one.

What to do: create an API key for each integration and send it in the header ECI-ApiKey. It needs
no sign-in, does not expire, acts as its owner, and ends at once when it is deleted. When a
request has both, the key counts.
"""


async def _migration_page(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_MIGRATION_TEXT)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _MIGRATION_TEXT})
