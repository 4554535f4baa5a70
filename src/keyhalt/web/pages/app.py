"""The pages as one ASGI app: find the row, check who asks and from where, answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool

from keyhalt.client.credentials import origin_of
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Refused
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import method_not_allowed
from keyhalt.web.bodies import parse_query, receive_body
from keyhalt.web.pages.asking import Ask, Data, Moved
from keyhalt.web.pages.cookies import cookies_in
from keyhalt.web.pages.guarding import HEADERS, HTTPS_ONLY, refuse_other_sites
from keyhalt.web.pages.render import FOLDER, problem_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyhalt.client.middleware import ASGIApp, Receive, Scope, Send
    from keyhalt.client.problems import Header
    from keyhalt.core.audit import Origin
    from keyhalt.core.principals import Principal
    from keyhalt.usecases.sessions import WebSessions
    from keyhalt.web.lane import Lane
    from keyhalt.web.pages.asking import Answer, Row
    from keyhalt.web.pages.cookies import Jar
    from keyhalt.web.pages.render import Templates

SIGN_IN = "/sign-in"
_JSON = (b"content-type", b"application/json; charset=utf-8")
# A role's form has one for each level of each permission.
_FIELDS_MAX = 2_000
_ASSETS = {"pages.css": b"text/css; charset=utf-8", "pages.js": b"text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Site:
    """What every page needs. `record`: puts a denial into the audit log."""

    templates: Templates
    jar: Jar
    sessions: WebSessions
    lane: Lane
    record: Callable[[Denied, Origin], Denied]
    insecure_http: bool


class Pages:
    """`rows` by address; `other` answers what is none of them."""

    def __init__(self, site: Site, rows: Sequence[Row], other: ASGIApp) -> None:
        self._site = site
        self._other = other
        self.addresses = [(row.method, row.path) for row in rows]
        self._rows: dict[re.Pattern[str], dict[str, Row]] = {}
        by_path: dict[str, dict[str, Row]] = {}
        for row in rows:
            by_path.setdefault(row.path, {})[row.method] = row
        for path, methods in by_path.items():
            self._rows[re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[1-9][0-9]{0,9})", path))] = methods
        self._assets = {
            f"/assets/{name}": (kind, (FOLDER / "assets" / name).read_bytes())
            for name, kind in _ASSETS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in self._assets:
            await self._asset(scope, send, *self._assets[path])
            return
        for pattern, methods in self._rows.items():
            if found := pattern.fullmatch(path):
                ids = {name: int(text) for name, text in found.groupdict().items()}
                await self._found(scope, receive, send, methods, ids)
                return
        await self._other(scope, receive, send)

    async def _found(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        methods: dict[str, Row],
        ids: dict[str, int],
    ) -> None:
        row = methods.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if row is None:
            refused, allow = method_not_allowed(list(methods))
            await self._send(scope, send, refused, None, allow)
            return
        principal: Principal | None = None
        answer: Answer | None = self._refuse(scope, row)
        if answer is None:
            asked = await self._asked(scope, receive, row, ids)
            if isinstance(asked, Ask):
                principal = asked._principal  # noqa: SLF001 - None where nobody is signed in
                answer = await self._ask(row, asked)
            else:
                answer = asked
        await self._send(scope, send, answer, principal)

    def _refuse(self, scope: Scope, row: Row) -> Denied | None:
        if scope.get("scheme") != "https" and not self._site.insecure_http:
            return Denied(Reason.HTTPS_REQUIRED)
        return None if row.method == "GET" else refuse_other_sites(scope)

    async def _asked(
        self, scope: Scope, receive: Receive, row: Row, ids: dict[str, int]
    ) -> Ask | Answer:
        """Who asks, and for what. A key or a token in the request is not looked at."""
        site, cookies = self._site, cookies_in(scope["headers"])
        session = cookies.get(site.jar.session, "").encode("latin-1")
        principal: Principal | None = None
        fresh = False
        if session:
            resumed = await site.sessions.resume(session)
            if isinstance(resumed, Denied):
                if row.signed_in:
                    return self._away(scope, row, resumed)
                session = b""
            else:
                principal, fresh = resumed.principal, resumed.fresh
                if resumed.stale:
                    await run_in_threadpool(site.sessions.note_use, principal)
        elif row.signed_in:
            return _to_sign_in(scope, row)
        query = parse_query(scope["query_string"])
        if isinstance(query, Refused):
            return query
        form = await _form(receive) if row.method == "POST" else {}
        if isinstance(form, Refused):
            return form
        return Ask(origin_of(scope), ids, query, form, cookies, session, fresh, principal)

    def _away(self, scope: Scope, row: Row, denied: Denied) -> Answer:
        if denied.reason is not Reason.INVALID_SESSION:
            return denied
        answered = self._site.record(denied, origin_of(scope))
        if answered.reason is not Reason.INVALID_SESSION:
            return answered
        return _to_sign_in(scope, row, self._site.jar.end_session())

    async def _ask(self, row: Row, ask: Ask) -> Answer:
        try:
            if row.hashes:
                return await self._site.lane.run(ask.origin.source, row.handler, ask)
            return await run_in_threadpool(row.handler, ask)
        except StoreUnavailableError:
            return Denied(Reason.UNAVAILABLE, retry_after_seconds=1)

    async def _send(
        self,
        scope: Scope,
        send: Send,
        answer: Answer,
        principal: Principal | None,
        more: tuple[Header, ...] = (),
    ) -> None:
        headers = [*HEADERS, *more] + ([] if self._site.insecure_http else [HTTPS_ONLY])
        body = b""
        if isinstance(answer, Denied) and answer.reason is not Reason.UNAVAILABLE:
            answer = self._site.record(answer, origin_of(scope))
        if isinstance(answer, Denied) and answer.reason is Reason.INVALID_SESSION:
            # The owner was deactivated between the first look and the verb's own.
            answer = Moved(SIGN_IN, (self._site.jar.end_session(),))
        if isinstance(answer, Denied | Refused):
            answer = problem_page(answer, origin_of(scope).request_id)
        if isinstance(answer, Moved):
            status = 303
            headers += [(b"location", answer.to.encode()), (b"content-length", b"0")]
            headers += answer.headers
        elif isinstance(answer, Data):
            status, body = 200, json.dumps(answer.body, indent=2).encode()
            headers += [_JSON, (b"content-length", str(len(body)).encode())]
        else:
            status = answer.status
            body, own = self._site.templates.page(answer, principal)
            headers += own
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})

    async def _asset(self, scope: Scope, send: Send, kind: bytes, body: bytes) -> None:
        own = (
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-cache"),
        )
        rest = [header for header in HEADERS if header[0] != b"cache-control"]
        await send({"type": "http.response.start", "status": 200, "headers": [*own, *rest]})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})


def _to_sign_in(scope: Scope, row: Row, *headers: Header) -> Moved:
    # Where a form was sent to is no page to come back to.
    back = f"?next={quote(scope['path'], safe='/')}" if row.method == "GET" else ""
    return Moved(SIGN_IN + back, headers)


async def _form(receive: Receive) -> dict[str, str] | Refused:
    """A form as browsers send it: application/x-www-form-urlencoded, each name once."""
    body = await receive_body(receive)
    return body if isinstance(body, Refused) else parse_query(body, _FIELDS_MAX)
