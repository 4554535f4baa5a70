"""Probes through a proxy in front of somebody's API: which rule of docs/forward-auth.md it breaks.

Each sends a request or two as a client would, and knows what must come back. What a backend was
told can be seen only where the backend answers with the headers that it got.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import SplitResult

from keyhalt.client.credentials import KEY_HEADER_NAME

SECONDS = 40.0
"""Longer than any proxy of ours waits."""
_BODY_MAX = 256 * 1024
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def has(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self.headers)

    def seen(self) -> list[tuple[str, str]] | None:
        """The headers that the backend got, if it says so."""
        try:
            told = json.loads(self.body)["headers"]
            return [(str(name), str(value)) for name, value in told]
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one address. `key` is never printed."""

    address: SplitResult
    key: str
    tls: ssl.SSLContext | None

    def ask(self, headers: Headers = (), *, path: str = "", method: str = "GET") -> Got:
        """One request, with these headers as they are. Raises OSError."""
        host = self.address.hostname or ""
        connection: http.client.HTTPConnection
        if self.tls is None:
            connection = http.client.HTTPConnection(host, self.address.port, timeout=SECONDS)
        else:
            connection = http.client.HTTPSConnection(
                host, self.address.port, timeout=SECONDS, context=self.tls
            )
        try:
            connection.putrequest(method, path or self.path, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Got(answer.status, answer.getheaders(), answer.read(_BODY_MAX))
        except http.client.HTTPException as error:
            raise OSError(f"no answer in HTTP ({type(error).__name__})") from error
        finally:
            connection.close()

    def ask_with_key(self, headers: Headers = (), *, path: str = "", method: str = "GET") -> Got:
        return self.ask([(KEY_HEADER_NAME, self.key), *headers], path=path, method=method)

    @property
    def path(self) -> str:
        query = f"?{self.address.query}" if self.address.query else ""
        return (self.address.path or "/") + query


NOT_CHECKED = "not checked"
Verdict = str | None
"""None: as it must be. Otherwise what is wrong, or NOT_CHECKED."""


@dataclass(frozen=True, slots=True)
class Probe:
    rule: str
    run: Callable[[Client], Verdict]
    fix: Mapping[str, str]
    """Proxy to the line to change; `*` for any other."""


def _passes(client: Client) -> Verdict:
    got = client.ask_with_key()
    if got.status == HTTPStatus.OK:
        return None
    return f"the key gets {got.status} at this address, where it should pass"


def _asks(client: Client) -> Verdict:
    got = client.ask()
    if got.status == HTTPStatus.UNAUTHORIZED:
        return None if got.has("www-authenticate") else "the challenge (WWW-Authenticate) is lost"
    return f"without a key comes {got.status}"


def _statuses(client: Client) -> Verdict:
    got = client.ask_with_key([(KEY_HEADER_NAME, "another")])
    if got.status == HTTPStatus.BAD_REQUEST:
        return None
    return f"two keys get {got.status} instead of {HTTPStatus.BAD_REQUEST.value}"


_ELSEWHERE = "/keyhalt-doctor/no-rule-names-this"


def _own_headers(client: Client) -> Verdict:
    path = client.path
    lies = [
        (f"X-{stem}-{what}", value)
        for stem in ("Forwarded", "Original")
        for what, value in (("Uri", path), ("Method", "GET"))
    ]
    got = client.ask_with_key(lies, path=_ELSEWHERE)
    denied = got.status in (HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST)
    return None if denied else f"a client that says another path itself gets {got.status}"


def _denies(client: Client) -> Verdict:
    got = client.ask_with_key(path=_ELSEWHERE)
    denied = got.status == HTTPStatus.FORBIDDEN
    return None if denied else f"a path that no rule should name gets {got.status}"


def _paths(client: Client) -> Verdict:
    bad = []
    for odd in ("%2e%2e", "..%2f", "a%2fb", "a;b", "%00"):
        path = f"{client.address.path.rstrip('/')}/{odd}"
        got = client.ask_with_key(path=path)
        if got.status < HTTPStatus.BAD_REQUEST:
            bad.append(odd)
    return f"paths with {', '.join(bad)} pass" if bad else None


def _in_clear(client: Client) -> Verdict:
    if client.tls is not None:
        return None
    got = client.ask_with_key([("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https")])
    if got.status < HTTPStatus.BAD_REQUEST:
        return "a key over plain HTTP passes"
    return None


_LIES = (
    ("Keyhalt-User-Id", "999999999"),
    ("Keyhalt-User-Code", "keyhalt-doctor"),
    ("Keyhalt-Permissions", "keyhalt-doctor"),
    ("Keyhalt-Assertion", "keyhalt-doctor"),
    ("Keyhalt_User_Id", "999999999"),
    ("Keyhalt.User.Id", "999999999"),
)


def _identity(client: Client) -> Verdict:
    seen = client.ask_with_key(_LIES).seen()
    if seen is None:
        # Envoy may refuse what it would have to take away.
        seen = client.ask_with_key(_LIES[:4]).seen()
    if seen is None:
        return NOT_CHECKED
    lies = {value for _, value in _LIES}
    passed = sorted({name for name, value in seen if value in lies})
    if passed:
        return f"the client's own {', '.join(passed)} reach the backend"
    told = any(name.lower() == "keyhalt-user-id" and value for name, value in seen)
    return None if told else "the backend is not told Keyhalt-User-Id"


def _credential(client: Client) -> Verdict:
    seen = client.ask_with_key().seen()
    if seen is None:
        return NOT_CHECKED
    leaked = any(client.key in value for _, value in seen)
    return "the backend gets the key" if leaked else None


_LIST_ALL = "proxy_set_header Keyhalt-User-Id $user_id;  and so on for every identity header"
PROBES: Sequence[Probe] = (
    Probe("the key passes", _passes, {"*": "keyhalt policy test POLICY GET PATH"}),
    Probe(
        "without a key nothing passes",
        _asks,
        {
            "nginx": "auth_request /keyhalt;",
            "traefik": "middlewares: [keyhalt, ...] at the router",
            "caddy": "forward_auth ... before reverse_proxy",
            "envoy": "allowed_client_headers: {patterns: [{exact: www-authenticate}, ...]}",
        },
    ),
    Probe(
        "each status reaches the client",
        _statuses,
        {
            "nginx": "error_page ... = @denied;  with $upstream_http_keyhalt_status",
            "envoy": "status_on_error: {code: ServiceUnavailable}",
        },
    ),
    Probe("what no rule names is denied", _denies, {"*": "keyhalt policy show POLICY"}),
    Probe(
        "a client does not say its own path",
        _own_headers,
        {
            "nginx": "proxy_set_header X-Original-URI $request_uri;  and X-Original-Method",
            "*": "the address /forward-auth/DIALECT/POLICY must have this proxy's dialect",
        },
    ),
    Probe(
        "odd paths are refused",
        _paths,
        {
            "envoy": "path_with_escaped_slashes_action: REJECT_REQUEST",
            "*": "the proxy must tell the path as the client sent it",
        },
    ),
    Probe(
        "no key over plain HTTP",
        _in_clear,
        {
            "nginx": "proxy_set_header X-Forwarded-Proto $scheme;",
            "envoy": "use_remote_address: true",
            "*": "unset KEYHALT_INSECURE_HTTP",
        },
    ),
    Probe(
        "identity headers are Keyhalt's",
        _identity,
        {
            "nginx": _LIST_ALL,
            "traefik": 'aliasHeadersStrategy: delete;  authResponseHeadersRegex: "^Keyhalt-"',
            "caddy": "request_header -Keyhalt-*  first in a route block",
            "envoy": "header_mutation with remove_on_match before ext_authz",
        },
    ),
    Probe(
        "the key ends at the proxy",
        _credential,
        {
            "nginx": 'proxy_set_header ECI-ApiKey "";',
            "traefik": 'customRequestHeaders: {ECI-ApiKey: ""} after the forwardAuth',
            "caddy": "reverse_proxy ... { header_up -ECI-ApiKey }",
            "envoy": "/forward-auth/envoy/...: its answer takes the header away",
        },
    ),
)
