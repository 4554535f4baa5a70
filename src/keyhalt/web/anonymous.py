"""Operations that ask for no credential, and so ignore the one they may get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from keyhalt.core.decisions import Denied, Reason
from keyhalt.usecases.ports import StoreUnavailableError
from keyhalt.web.answers import Answers, method_not_allowed

if TYPE_CHECKING:
    from keyhalt.client.middleware import Receive, Scope, Send
    from keyhalt.client.operations import Reply
    from keyhalt.client.problems import Header
    from keyhalt.core.refusals import Refused


class Anonymous:
    """One address with one method. Check 1, HTTPS, holds here too: a password is a secret."""

    def __init__(
        self,
        method: str,
        answer: Callable[[Scope, Receive], Awaitable[Reply | Denied | Refused]],
        answers: Answers,
        *,
        insecure_http: bool,
        more: tuple[Header, ...] = (),
    ) -> None:
        self._method = method
        self._answer = answer
        self._answers = answers
        self._insecure_http = insecure_http
        self._more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method != self._method:
            refused, allow = method_not_allowed([self._method])
            await self._answers.send(scope, send, refused, allow)
            return
        if scope.get("scheme") != "https" and not self._insecure_http:
            await self._answers.send(scope, send, Denied(Reason.HTTPS_REQUIRED), self._more)
            return
        try:
            outcome = await self._answer(scope, receive)
        except StoreUnavailableError:
            outcome = Denied(Reason.UNAVAILABLE, retry_after_seconds=1)
        if isinstance(outcome, Denied):
            # The use case has recorded its denial, with the exact cause.
            recorded = outcome.reason is not Reason.UNAVAILABLE
            await self._answers.send_no(scope, send, outcome, self._more, record=not recorded)
            return
        await self._answers.send(scope, send, outcome, self._more)
