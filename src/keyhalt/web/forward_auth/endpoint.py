"""`/forward-auth/{dialect}/{policy}`: a proxy asks; yes is always exactly 200."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from keyhalt.client.credentials import origin_of, read, shown_path
from keyhalt.client.problems import problem_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Denied, Presented, Reason, permit
from keyhalt.core.paths import segments_of
from keyhalt.core.principals import CredentialKind
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import send_problem
from keyhalt.web.forward_auth.dialects import DIALECTS, Asked, Dialect, read_asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from keyhalt.client.middleware import Receive, Scope, Send, Verifier
    from keyhalt.client.problems import Header, Problem
    from keyhalt.core.policies import Policy
    from keyhalt.core.principals import Principal
    from keyhalt.web.forward_auth.vouching import Voucher

PREFIX = "/forward-auth/"
STATUS, CODE = b"keyhalt-status", b"keyhalt-code"
_PREFLIGHT = (b"origin", b"access-control-request-method")
_REMOVED = (b"x-envoy-auth-headers-to-remove", b"eci-apikey")
_REMOVED_TOKEN = (b"x-envoy-auth-headers-to-remove", b"eci-apikey,authorization")


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """An ASGI app, for the internal listener only."""

    verifier: Verifier
    find_policy: Callable[[str], Awaitable[Policy | None]]
    voucher: Voucher

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        dialect, policy_name, rest = _address(scope)
        if dialect is None:
            known = ", ".join(DIALECTS)
            detail = f"The address is {PREFIX}DIALECT/POLICY, with a dialect of {known}."
            await self._refuse(Refused(Fault.PROXY_MISCONFIGURED, detail), None, scope, send)
            return
        asked = read_asked(dialect, scope, rest)
        if isinstance(asked, Refused):
            await self._refuse(asked, dialect, scope, send)
            return
        try:
            policy = await self.find_policy(policy_name)
        except StoreUnavailableError:
            denied = Denied(Reason.UNAVAILABLE, retry_after_seconds=1)
            await self._refuse(denied, dialect, scope, send)
            return
        if policy is None:
            detail = "There is no policy of this name; apply one with 'keyhalt policy apply'."
            await self._refuse(Refused(Fault.PROXY_MISCONFIGURED, detail), dialect, scope, send)
            return
        outcome = await self._decide(asked, policy, scope)
        if isinstance(outcome, Denied):
            outcome = self.verifier.refused(outcome, _origin(scope, asked, policy))
        if isinstance(outcome, Denied | Refused):
            await self._refuse(outcome, dialect, scope, send)
            return
        await _allow(send, outcome, dialect)

    async def _decide(
        self, asked: Asked, policy: Policy, scope: Scope
    ) -> tuple[Header, ...] | Denied | Refused:
        """The credential first: nobody without one learns what a policy names."""
        presented = replace(
            read(scope), over_https=asked.over_https, query=asked.query, source=asked.source
        )
        if policy.preflight and _is_preflight(asked, presented, scope):
            return self.voucher.nobody(policy)
        principal = self.verifier.remembered(presented)
        if principal is None:
            decision = await self.verifier.verify(presented)
            if isinstance(decision, Denied):
                return decision
            principal = decision.principal
        segments = segments_of(asked.path, fold=policy.fold)
        if segments is None:
            detail = "The path can be read in more than one way."
            return Refused(Fault.AMBIGUOUS_PATH, detail)
        rule = policy.rule_for(asked.method, segments)
        denied = _not_named(principal) if rule is None else permit(principal, rule.need)
        return denied or self.voucher.headers(principal, policy, asked)

    async def _refuse(
        self, no: Denied | Refused, dialect: Dialect | None, scope: Scope, send: Send
    ) -> None:
        origin = origin_of(scope)
        problem = problem_of(no, realm=self.verifier.realm, request_id=origin.request_id)
        if dialect is not None and dialect.two_statuses:
            problem = _in_two_statuses(no, problem)
        await send_problem(send, problem)


async def _allow(send: Send, identity: tuple[Header, ...], dialect: Dialect) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store"), *identity]
    if dialect.removes:
        by_key = dict(identity).get(b"keyhalt-key-id")
        headers.append(_REMOVED if by_key else _REMOVED_TOKEN)
    await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _address(scope: Scope) -> tuple[Dialect | None, str, str]:
    """Dialect, policy, and what follows: undecoded, because that may be the client's path."""
    raw = scope["raw_path"].decode("latin-1").removeprefix(PREFIX)
    name, _, after = raw.partition("/")
    policy, slash, rest = after.partition("/")
    dialect = DIALECTS.get(name)
    if dialect is None or not policy or (rest and dialect.uri is not None):
        return None, "", ""
    return dialect, policy, slash + rest


def _is_preflight(asked: Asked, presented: Presented, scope: Scope) -> bool:
    """WHATWG Fetch 4.8: asked by browsers before a request, always without a credential."""
    if asked.method != "OPTIONS" or presented.keys or presented.authorizations:
        return False
    names = {name for name, _ in scope["headers"]}
    return all(name in names for name in _PREFLIGHT)


def _not_named(principal: Principal) -> Denied:
    return Denied(
        Reason.NOT_IN_POLICY,
        user_id=principal.user_id,
        user_code=principal.user_code,
        datasource_id=principal.datasource_id,
        credential=principal.credential,
        by_bearer=principal.credential.kind is CredentialKind.TOKEN,
    )


def _origin(scope: Scope, asked: Asked, policy: Policy) -> Origin:
    operation = f"{policy.name}: {asked.method} {shown_path(asked.path)}"
    return replace(origin_of(scope), source=asked.source, operation=operation[:300])


def _in_two_statuses(no: Denied | Refused, problem: Problem) -> Problem:
    """Nginx makes 500 of every status but 401 and 403: the others travel in a header of 403."""
    code = no.reason if isinstance(no, Denied) else no.fault
    headers = (
        *problem.headers,
        (STATUS, str(problem.status).encode()),
        (CODE, code.value.encode()),
    )
    passes = problem.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    status = problem.status if passes else HTTPStatus.FORBIDDEN.value
    return replace(problem, status=status, headers=headers)
