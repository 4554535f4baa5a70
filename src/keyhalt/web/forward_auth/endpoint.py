"""`/forward-auth/{dialect}/{policy}`: a proxy asks; yes is always exactly 200."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from keyhalt.client.credentials import origin_of, request_id_of, shown_path
from keyhalt.client.middleware import DENIED
from keyhalt.client.observed import ROUTE
from keyhalt.client.problems import problem_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Denied, Presented, Reason, permit, taken
from keyhalt.core.paths import segments_of
from keyhalt.core.principals import CredentialKind
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import send_problem
from keyhalt.web.forward_auth.dialects import DIALECTS, Asked, Dialect, read_asked
from keyhalt.web.forward_auth.vouching import Vouched

if TYPE_CHECKING:
    from keyhalt.client.middleware import Receive, Scope, Send
    from keyhalt.client.problems import Header, Problem
    from keyhalt.core.freshness import Tag
    from keyhalt.core.policies import Policy
    from keyhalt.core.principals import Principal
    from keyhalt.usecases.find_policy import FindPolicy
    from keyhalt.usecases.verify import Verify
    from keyhalt.web.forward_auth.vouching import Voucher

PREFIX = "/forward-auth/"
STATUS, CODE = b"keyhalt-status", b"keyhalt-code"
_PREFLIGHT = (b"origin", b"access-control-request-method")
_OK = HTTPStatus.OK.value
_ROUTE = f"{PREFIX}{{dialect}}/{{policy}}"
_log = logging.getLogger("keyhalt.web")


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """An ASGI app, for the internal listener only. Yes is the short way: it makes no request id."""

    verifier: Verify
    policies: FindPolicy
    voucher: Voucher

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope[ROUTE] = _ROUTE
        dialect, policy_name, rest = _address(scope["raw_path"])
        try:
            outcome = await self._answer(dialect, policy_name, rest, scope)
        except StoreUnavailableError:
            outcome = Denied(Reason.UNAVAILABLE, retry_after_seconds=1)
        except Exception:  # noqa: BLE001 - whatever it is, nothing passes
            request_id = request_id_of(scope)
            told = {"keyhalt": {"request_id": request_id}}
            _log.exception("request %s failed", request_id, extra=told)
            detail = "Something went wrong here. The request id finds it in the log."
            outcome = Refused(Fault.INTERNAL_ERROR, detail)
        if isinstance(outcome, Denied):
            scope[DENIED] = outcome
        if isinstance(outcome, list):
            await send({"type": "http.response.start", "status": _OK, "headers": outcome})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._refuse(outcome, dialect, scope, send)

    async def _answer(
        self, dialect: Dialect | None, policy_name: str, rest: str, scope: Scope
    ) -> list[Header] | Denied | Refused:
        if dialect is None:
            known = ", ".join(DIALECTS)
            detail = f"The address is {PREFIX}DIALECT/POLICY, with a dialect of {known}."
            return Refused(Fault.PROXY_MISCONFIGURED, detail)
        asked = read_asked(dialect, scope, rest)
        if isinstance(asked, Refused):
            return asked
        # One look at the store's state is for both, policy and credential. It was made after the
        # request arrived, and nothing is awaited between it and what it is compared with.
        tag: Tag | None = self.policies.tag()
        policies = self.policies.remembered(tag)
        if policies is None:
            policies, tag = await self.policies.read(tag), None
        policy = policies.get(policy_name)
        if policy is None:
            detail = "There is no policy of this name; apply one with 'keyhalt policy apply'."
            return Refused(Fault.PROXY_MISCONFIGURED, detail)
        outcome = await self._decide(asked, policy, tag, scope)
        if isinstance(outcome, Denied):
            return self.verifier.refused(outcome, _origin(scope, asked, policy))
        if isinstance(outcome, Refused):
            return outcome
        return [*outcome.headers, outcome.removes] if dialect.removes else outcome.headers

    async def _decide(
        self, asked: Asked, policy: Policy, tag: Tag | None, scope: Scope
    ) -> Vouched | Denied | Refused:
        """The credential first: nobody without one learns what a policy names."""
        presented = asked.presented
        if policy.preflight and asked.method == "OPTIONS" and _is_preflight(presented, scope):
            return self.voucher.nobody(policy)
        principal = self.verifier.remembered(presented, tag)
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
        if rule is None:
            return _not_named(principal)
        denied = permit(principal, rule.need)
        if denied is not None:
            return denied
        vouched = self.voucher.vouch(principal, policy, asked)
        if isinstance(vouched, Vouched):
            self.verifier.used(
                principal,
                taken(principal, rule.need),
                f"{policy.name}: {asked.method}",
                asked.path,
                (asked.source,),
                scope["headers"],
            )
        return vouched

    async def _refuse(
        self, no: Denied | Refused, dialect: Dialect | None, scope: Scope, send: Send
    ) -> None:
        request_id = request_id_of(scope)
        more = ((b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"))
        realm = self.verifier.realm
        problem = problem_of(no, realm=realm, request_id=request_id, more=more)
        if dialect is not None and dialect.two_statuses:
            problem = _in_two_statuses(no, problem)
        await send_problem(send, problem)


def _address(raw_path: bytes) -> tuple[Dialect | None, str, str]:
    """Dialect, policy, and what follows: undecoded, because that may be the client's path."""
    raw = raw_path.decode("latin-1").removeprefix(PREFIX)
    name, _, after = raw.partition("/")
    policy, slash, rest = after.partition("/")
    dialect = DIALECTS.get(name)
    if dialect is None or not policy or (slash and dialect.uri is not None):
        return None, "", ""
    return dialect, policy, slash + rest


def _is_preflight(presented: Presented, scope: Scope) -> bool:
    """WHATWG Fetch 4.8: asked by browsers before a request, always without a credential."""
    if presented.keys or presented.authorizations:
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
    request_id_of(scope)
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
