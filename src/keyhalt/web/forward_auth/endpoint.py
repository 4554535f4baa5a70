"""`/forward-auth/{dialect}/{policy}`: a proxy asks; yes is always exactly 200."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from keyhalt.client.credentials import request_id_of, shown_path
from keyhalt.client.middleware import DENIED
from keyhalt.client.observed import ROUTE
from keyhalt.client.problems import problem_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Allowed, Denied, Reason, permit
from keyhalt.core.principals import CredentialKind
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import send_problem
from keyhalt.web.forward_auth.dialects import DIALECTS, Dialect, read_asked

if TYPE_CHECKING:
    from keyhalt.client.middleware import Receive, Scope, Send
    from keyhalt.client.problems import Header, Problem
    from keyhalt.core.decisions import Presented
    from keyhalt.core.policies import Policy, Rulebook
    from keyhalt.core.principals import Principal
    from keyhalt.usecases.find_policy import FindPolicy
    from keyhalt.usecases.verify import Verify
    from keyhalt.web.forward_auth.dialects import Asked
    from keyhalt.web.forward_auth.vouching import Voucher

PREFIX = "/forward-auth/"
_PREFIX = PREFIX.encode()
ADDRESSES_MAX = 1_000
_NO_ADDRESS = Refused(
    Fault.PROXY_MISCONFIGURED,
    f"The address is {PREFIX}DIALECT/POLICY, with a dialect of {', '.join(DIALECTS)}.",
)
_Address = tuple[Dialect, str, bytes]
STATUS, CODE = b"keyhalt-status", b"keyhalt-code"
_PREFLIGHT = (b"origin", b"access-control-request-method")
_OK = HTTPStatus.OK.value
_ROUTE = f"{PREFIX}{{dialect}}/{{policy}}"
_log = logging.getLogger("keyhalt.web")


class ForwardAuth:
    """An ASGI app, for the internal listener only. Yes is the short way: it makes no request id."""

    def __init__(self, verifier: Verify, policies: FindPolicy, voucher: Voucher) -> None:
        self._verifier = verifier
        # Public, so that who times answers can put another in its place (usecases/timing.py).
        self.remembered, self._used = verifier.remembered, verifier.used
        self._monotonic = verifier.monotonic
        self._policies = policies
        self._voucher = voucher
        self._addresses: dict[bytes, _Address] = {}

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope[ROUTE] = _ROUTE
        address = self._addresses.get(scope["raw_path"]) or self._address(scope["raw_path"])
        outcome: list[Header] | Denied | Refused
        try:
            if isinstance(address, Refused):
                outcome = address
            else:
                dialect, policy_name, rest = address
                asked = read_asked(dialect, scope, rest)
                outcome = (
                    asked
                    if isinstance(asked, Refused)
                    else self._at_once(asked, policy_name)
                    or await self._at_length(asked, policy_name)
                )
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
        await self._refuse(
            outcome, None if isinstance(address, Refused) else address[0], scope, send
        )

    def _at_once(self, asked: Asked, policy_name: str) -> list[Header] | Denied | Refused | None:
        """The answer, where policy and principal are remembered. None: ask at length.

        One look at the store's state is for both, policy and credential. It was made after the
        request arrived, and nothing is awaited between it and what it is compared with.
        """
        now = self._monotonic()
        asked.tag = tag = self._policies.tag(now)
        books = self._policies.remembered(tag)
        book = None if books is None else books.get(policy_name)
        if book is None:
            return None
        principal = self.remembered(asked.key, asked.over_https, now, tag)
        return None if principal is None else self._of(principal, book, asked)

    async def _at_length(self, asked: Asked, policy_name: str) -> list[Header] | Denied | Refused:
        """The credential first: nobody without one learns what a policy names."""
        presented = asked.presented
        principal: Principal | Denied | None = None
        books = self._policies.remembered(asked.tag)
        if books is None:
            books = await self._policies.read(asked.tag)
            # What was looked at before is old by now.
            principal = self.remembered(asked.key, asked.over_https)
        book = books.get(policy_name)
        if book is None:
            detail = "There is no policy of this name; apply one with 'keyhalt policy apply'."
            return Refused(Fault.PROXY_MISCONFIGURED, detail)
        if book.policy.preflight and _is_preflight(asked, presented):
            nobody = self._voucher.nobody(book.policy)
            return nobody.stripping if asked.dialect.removes else nobody.headers
        if principal is None:
            decision = await self._verifier.verify(presented)
            principal = decision.principal if isinstance(decision, Allowed) else decision
        return self._of(principal, book, asked)

    def _of(
        self, principal: Principal | Denied, book: Rulebook, asked: Asked
    ) -> list[Header] | Denied | Refused:
        if isinstance(principal, Denied):
            return self._denied(principal, book.policy, asked)
        ruling = book.ruling(asked.method, asked.path)
        if ruling is None:
            detail = "The path can be read in more than one way."
            return Refused(Fault.AMBIGUOUS_PATH, detail)
        rule = ruling.rule
        # As `permit`, without its call, where it says yes.
        if rule is None or principal.user.permissions & ruling.bits != ruling.bits:
            denied = _not_named(principal) if rule is None else permit(principal, rule.need)
            if denied is not None:
                return self._denied(denied, book.policy, asked)
        vouched = self._voucher.vouch(principal, book.policy, asked)
        if isinstance(vouched, Refused):
            return vouched
        self._used(
            principal,
            ruling.bits,
            ruling.operation,
            ruling.path,
            asked.client,
            asked.scope["headers"],
        )
        return vouched.stripping if asked.dialect.removes else vouched.headers

    def _denied(self, denied: Denied, policy: Policy, asked: Asked) -> Denied:
        """Record it. Returns what to answer."""
        method, path = asked.method.decode("latin-1"), asked.path.decode("latin-1")
        operation = f"{policy.name}: {method} {shown_path(path)}"
        origin = Origin(request_id_of(asked.scope), asked.client[0], operation[:300])
        return self._verifier.refused(denied, origin)

    async def _refuse(
        self, no: Denied | Refused, dialect: Dialect | None, scope: Scope, send: Send
    ) -> None:
        request_id = request_id_of(scope)
        more = ((b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff"))
        realm = self._verifier.realm
        problem = problem_of(no, realm=realm, request_id=request_id, more=more)
        if dialect is not None and dialect.two_statuses:
            problem = _in_two_statuses(no, problem)
        await send_problem(send, problem)

    def _address(self, raw_path: bytes) -> _Address | Refused:
        """Dialect, policy, and what follows: undecoded, because that may be the client's path."""
        name, _, after = raw_path.removeprefix(_PREFIX).partition(b"/")
        policy, slash, rest = after.partition(b"/")
        dialect = DIALECTS.get(name.decode("latin-1"))
        if dialect is None or not policy or (slash and dialect.uri is not None):
            return _NO_ADDRESS
        found = (dialect, policy.decode("latin-1"), slash + rest)
        if not slash and len(self._addresses) < ADDRESSES_MAX:
            self._addresses[raw_path] = found
        return found


def _is_preflight(asked: Asked, presented: Presented) -> bool:
    """WHATWG Fetch 4.8: asked by browsers before a request, always without a credential."""
    if asked.method != b"OPTIONS" or presented.keys or presented.authorizations:
        return False
    return all(name in asked.said for name in _PREFLIGHT)


def _not_named(principal: Principal) -> Denied:
    return Denied(
        Reason.NOT_IN_POLICY,
        user_id=principal.user_id,
        user_code=principal.user_code,
        datasource_id=principal.datasource_id,
        credential=principal.credential,
        by_bearer=principal.credential.kind is CredentialKind.TOKEN,
    )


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
    return problem._replace(status=status, headers=headers)
