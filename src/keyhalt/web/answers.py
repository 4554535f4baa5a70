"""Sending what a handler returned."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhalt.client.credentials import origin_of
from keyhalt.client.middleware import DENIED, USED
from keyhalt.client.operations import Reply
from keyhalt.client.problems import Header, Problem, problem_of
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyhalt.client.middleware import Scope, Send
    from keyhalt.core.audit import Origin


@dataclass(frozen=True, slots=True)
class Answers:
    """How this environment answers. `record`: puts a denial into the audit log."""

    realm: str
    record: Callable[[Denied, Origin], Denied]

    async def send(
        self,
        scope: Scope,
        send: Send,
        outcome: Reply | Denied | Refused,
        more: tuple[Header, ...] = (),
    ) -> None:
        """Send a reply, or the problem that a denial or refusal is."""
        if isinstance(outcome, Reply):
            await send_reply(send, outcome, more)
            return
        await self.send_no(scope, send, outcome, more, record=True)

    async def send_no(
        self,
        scope: Scope,
        send: Send,
        no: Denied | Refused,
        more: tuple[Header, ...] = (),
        *,
        record: bool,
    ) -> None:
        """`record` False: whoever denied has recorded it."""
        origin = origin_of(scope)
        if isinstance(no, Denied):
            scope[USED] = None
            scope[DENIED] = no
        if record and isinstance(no, Denied):
            no = self.record(no, origin)
        problem = problem_of(no, realm=self.realm, request_id=origin.request_id, more=more)
        await send_problem(send, problem)


async def send_problem(send: Send, problem: Problem) -> None:
    headers = list(problem.headers)
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body})


async def send_reply(send: Send, reply: Reply, more: tuple[Header, ...] = ()) -> None:
    """JSON that is nobody else's business: never to be kept by a cache."""
    headers: list[Header] = [(b"cache-control", b"no-store"), *more]
    headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    body = b""
    if reply.body is not None:
        body = json.dumps(reply.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers.append((b"content-type", b"application/json; charset=utf-8"))
    if reply.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def method_not_allowed(methods: list[str]) -> tuple[Refused, tuple[Header, ...]]:
    allow = ", ".join(methods)
    refused = Refused(Fault.METHOD_NOT_ALLOWED, f"This address takes {allow}.")
    return refused, ((b"allow", allow.encode()),)
