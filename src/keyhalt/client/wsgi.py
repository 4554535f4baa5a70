"""The gate of an app that waits for its requests: what Django's and Flask's layers share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from keyhalt.client.blocking import BlockingVerifier
from keyhalt.client.credentials import origin_of, read, request_id_of
from keyhalt.client.middleware import PRINCIPAL, VERIFIER, count
from keyhalt.client.problems import Problem, problem_of
from keyhalt.client.setting_up import HttpNotice, open_paths_of
from keyhalt.core.audit import Origin
from keyhalt.core.decisions import Denied

Environ = Mapping[str, Any]

_HEADERS = {
    "HTTP_ECI_APIKEY": b"eci-apikey",
    "HTTP_AUTHORIZATION": b"authorization",
    "HTTP_X_REQUEST_ID": b"x-request-id",
    "HTTP_USER_AGENT": b"user-agent",
}


@dataclass(frozen=True, slots=True)
class Entered:
    """A request at the gate. `problem`: what to answer it instead of going on."""

    scope: dict[str, Any]
    origin: Origin
    problem: Problem | None = None


class WaitingGate:
    """Asks every request but those of `open_paths`, which compare exactly."""

    def __init__(self, verifier: BlockingVerifier, open_paths: Collection[str]) -> None:
        self._verifier = verifier
        self._open = open_paths_of(open_paths)
        self._notice = HttpNotice()

    def enter(self, environ: Environ, *, over_https: bool) -> Entered:
        scope = scope_of(environ, over_https=over_https)
        request_id_of(scope)
        origin = origin_of(scope)
        if scope["path"] in self._open:
            return Entered(scope, origin)
        decision = self._verifier.decide(read(scope))
        if isinstance(decision, Denied):
            return Entered(scope, origin, self.deny(decision, origin))
        scope[PRINCIPAL] = decision.principal
        scope[VERIFIER] = self._verifier
        return Entered(scope, origin)

    def leave(self, entered: Entered) -> None:
        """Count a request that is over."""
        principal = entered.scope.get(PRINCIPAL)
        if principal is not None:
            count(self._verifier, principal, entered.scope)

    def deny(self, denied: Denied, origin: Origin) -> Problem:
        """Record a denial; returns its answer."""
        self._notice(denied)
        answer = self._verifier.refused(denied, origin)
        return problem_of(answer, realm=self._verifier.realm, request_id=origin.request_id)

    def close(self) -> None:
        self._verifier.close()


def scope_of(environ: Environ, *, over_https: bool) -> dict[str, Any]:
    """As much of an ASGI scope as reading a credential takes.

    A WSGI server joins equal headers with a comma, and a comma in a key counts as two.
    """
    headers = [
        (name, environ[variable].encode("latin-1"))
        for variable, name in _HEADERS.items()
        if variable in environ
    ]
    return {
        "type": "http",
        "method": environ["REQUEST_METHOD"],
        "path": environ.get("PATH_INFO", ""),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "scheme": "https" if over_https else "http",
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "headers": headers,
    }
