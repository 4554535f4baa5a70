"""Forward-auth as a proxy asks, in every dialect: what is allowed, refused, and told."""

from __future__ import annotations

import base64
import hashlib
import time
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from joserfc import jwk, jws, jwt
from joserfc.errors import SecurityWarning
from starlette.testclient import TestClient

from tests.world import OPERATOR, ORIGIN, World

INTERNAL = 8081
POLICY = """
name = "orders"
case = "exact"
preflight = true
tell = ["orders.view", "orders.create", "projects"]
[[rule]]
methods = ["GET"]
path = "/orders/{id}"
permission = "orders.view"
[[rule]]
methods = ["POST"]
path = "/orders"
permission = "orders.create"
"""
DIALECTS = ["nginx", "traefik", "caddy", "envoy", "generic"]
HEADERS = {
    "keyhalt-user-id",
    "keyhalt-user-code",
    "keyhalt-key-id",
    "keyhalt-datasource",
    "keyhalt-environment",
    "keyhalt-permissions",
    "keyhalt-topmost-projects",
    "keyhalt-assertion",
}


def apply(world: World, text: str = POLICY) -> Any:
    return world.engine.manage_policies.apply(OPERATOR, text, ORIGIN)


class Proxy:
    """Asks as a proxy of one kind does."""

    def __init__(self, http: TestClient, dialect: str) -> None:
        self.http = http
        self.dialect = dialect

    def ask(
        self,
        uri: str = "/orders/17",
        *headers: tuple[str, str],
        method: str = "GET",
        policy: str = "orders",
        proto: str = "https",
        without: str = "",
    ) -> Any:
        said = {"x-forwarded-proto": proto, "x-forwarded-for": "203.0.113.9"}
        path = f"/forward-auth/{self.dialect}/{policy}"
        asking = "GET"
        if self.dialect == "envoy":
            path, asking = path + uri, method
        elif self.dialect == "nginx":
            said |= {"x-original-method": method, "x-original-uri": uri}
        else:
            said |= {"x-forwarded-method": method, "x-forwarded-uri": uri}
        if self.dialect != "envoy":
            said["x-forwarded-host"] = "api.example"
        said.pop(without, None)
        return self.http.request(
            asking, f"http://internal:{INTERNAL}{path}", headers=[*said.items(), *headers]
        )


@pytest.fixture
def http(world: World) -> Iterator[TestClient]:
    with world.client(internal_port=INTERNAL) as client:
        yield client


@pytest.fixture(params=DIALECTS)
def proxy(world: World, http: TestClient, request: pytest.FixtureRequest) -> Proxy:
    apply(world)
    return Proxy(http, request.param)


def key_of(world: World, *grants: str) -> tuple[str, str]:
    _, key = world.key(world.user("jsmith", *grants))
    return ("ECI-ApiKey", key)


def status_of(proxy: Proxy, answer: Any) -> int:
    """What the client would get; nginx gets it in a header."""
    return int(answer.headers.get("keyhalt-status", answer.status_code))


def test_yes_is_200_with_every_header_of_the_policy(world: World, proxy: Proxy) -> None:
    """And nothing else: no body, nothing to be kept."""
    key = key_of(world, "orders.view")
    answer = proxy.ask("/orders/17?x=1", key)
    assert (answer.status_code, answer.content) == (200, b"")
    assert {name for name in answer.headers if name.startswith("keyhalt-")} == HEADERS
    told = {name: answer.headers[name] for name in HEADERS - {"keyhalt-assertion"}}
    assert told == {
        "keyhalt-user-id": "1",
        "keyhalt-user-code": "jsmith",
        "keyhalt-key-id": "1",
        "keyhalt-datasource": "acme",
        "keyhalt-environment": "Lab",
        "keyhalt-permissions": "orders.view",
        "keyhalt-topmost-projects": "1",
    }
    assert answer.headers["cache-control"] == "no-store"
    removed = answer.headers.get("x-envoy-auth-headers-to-remove")
    assert removed == ("eci-apikey" if proxy.dialect == "envoy" else None)


def test_each_refusal_is_carried_as_the_proxy_can(world: World, proxy: Proxy) -> None:
    """Nginx passes 401 and 403 only: the status and the code stand in headers."""
    key = key_of(world, "orders.view")
    refusals = [
        (proxy.ask(), 401, "missing_credential"),
        (proxy.ask("/orders/17", ("ECI-ApiKey", "nonsense")), 401, "malformed_key"),
        (proxy.ask("/orders/17", key, key), 400, "ambiguous_credential"),
        (proxy.ask("/orders/17?apiKey=abc"), 401, "key_in_url"),
        (proxy.ask("/orders/17", key, proto="http"), 400, "https_required"),
        (proxy.ask("/orders", key, method="POST"), 403, "permission_denied"),
        (proxy.ask("/orders/17", key, method="DELETE"), 403, "not_in_policy"),
        (proxy.ask("/other", key), 403, "not_in_policy"),
        (proxy.ask("/orders/a%2fb", key), 400, "ambiguous_path"),
        (proxy.ask("/orders//17", key), 400, "ambiguous_path"),
    ]
    for answer, status, code in refusals:
        assert status_of(proxy, answer) == status, code
        assert answer.json()["code"] == code
        assert HEADERS.isdisjoint(answer.headers)
        if status == 401:
            assert 'ApiKey realm="Lab"' in answer.headers["www-authenticate"]
        if proxy.dialect == "nginx":
            assert answer.status_code in (401, 403)
            assert answer.headers["keyhalt-code"] == code
        else:
            assert answer.status_code == status


def test_what_a_proxy_lacks_is_named(world: World, proxy: Proxy) -> None:
    """A missing header, or one that is there twice, is never guessed at."""
    key = key_of(world, "orders.view")
    needed = {
        "nginx": ["x-original-method", "x-original-uri", "x-forwarded-host", "x-forwarded-proto"],
        "envoy": ["x-forwarded-proto"],
    }.get(
        proxy.dialect,
        ["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-proto"],
    )
    for name in needed:
        missing = proxy.ask("/orders/17", key, without=name)
        twice = proxy.ask("/orders/17", key, (name, "https"))
        for answer in (missing, twice):
            assert status_of(proxy, answer) == 400
            assert answer.json()["code"] == "proxy_misconfigured"
            assert name.title() in answer.json()["detail"]


def test_headers_of_another_dialect_change_nothing(world: World, proxy: Proxy) -> None:
    """A client's own X-Original-URI or X-Forwarded-Uri reaches us through some proxies."""
    key = key_of(world, "orders.view")
    own = {"nginx": "x-original", "envoy": "none"}.get(proxy.dialect, "x-forwarded")
    lies = [
        (name, value)
        for stem in ("x-original", "x-forwarded")
        for name, value in ((f"{stem}-uri", "/orders/17"), (f"{stem}-method", "GET"))
        if not name.startswith(own)
    ]
    assert proxy.ask("/orders/17", key, *lies).status_code == 200
    answer = proxy.ask("/other", key, *lies, method="DELETE")
    assert answer.json()["code"] == "not_in_policy"


def test_a_preflight_passes_with_every_header_empty(world: World, proxy: Proxy) -> None:
    """Only where the policy lets it, only a real one, and it says nobody."""
    asks = (("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"))
    answer = proxy.ask("/orders", *asks, method="OPTIONS")
    assert answer.status_code == 200
    assert {answer.headers[name] for name in HEADERS} == {""}
    assert status_of(proxy, proxy.ask("/orders", *asks[:1], method="OPTIONS")) == 401
    assert status_of(proxy, proxy.ask("/orders", *asks, method="GET")) == 401
    with_key = proxy.ask("/orders", *asks, key_of(world, "orders.view"), method="OPTIONS")
    assert with_key.json()["code"] == "not_in_policy"
    apply(world, POLICY.replace("preflight = true", ""))
    assert status_of(proxy, proxy.ask("/orders", *asks, method="OPTIONS")) == 401


def test_a_denial_is_recorded_with_the_client_and_its_request(world: World, proxy: Proxy) -> None:
    """Under the address that the proxy saw, and the policy."""
    proxy.ask("/orders", key_of(world, "orders.view"), method="POST")
    (event,) = world.denials()
    assert (event.reason, event.actor.name) == ("permission_denied", "jsmith")
    assert event.origin.source == "203.0.113.9"
    assert event.origin.operation == "orders: POST /orders"


def test_a_policy_edit_counts_at_the_next_question_in_every_process(world: World) -> None:
    """What takes access away is in force when the command returns, with a receipt."""
    apply(world)
    key = key_of(world, "orders.view")
    with world.client(world.other(), internal_port=INTERNAL) as http:
        proxy = Proxy(http, "generic")
        assert proxy.ask("/orders/17", key).status_code == 200
        applied = apply(world, POLICY.replace('"/orders/{id}"', '"/orders/{id}/lines"'))
        assert applied.row.version == 2
        assert applied.receipt.form == "guarded"
        assert proxy.ask("/orders/17", key).status_code == 403
        assert apply(world, applied.row.text).receipt is None
    world.others.clear()


@pytest.mark.parametrize(
    "path",
    [
        "/forward-auth", "/forward-auth/", "/forward-auth/nginx", "/forward-auth/nginx/",
        "/forward-auth/iis/orders", "/forward-auth/nginx/orders/more",
        "/forward-auth/generic/none",
    ],
)  # fmt: skip
def test_an_address_that_is_none_says_so(world: World, http: TestClient, path: str) -> None:
    """An unknown dialect, an unknown policy, too little or too much."""
    apply(world)
    headers = {
        "x-forwarded-method": "GET",
        "x-forwarded-uri": "/",
        "x-forwarded-host": "h",
        "x-forwarded-proto": "https",
    }
    answer = http.get(f"http://internal:{INTERNAL}{path}", headers=headers)
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] in ("proxy_misconfigured", "not_found")


def test_the_public_listener_has_no_forward_auth(world: World, http: TestClient) -> None:
    """Whoever holds a key collects no assertions by inventing proxy headers."""
    apply(world)
    said = {"x-forwarded-method": "GET", "x-forwarded-uri": "/orders/17", "x-forwarded-host": "h"}
    name, value = key_of(world, "orders.view")
    answer = http.get("/forward-auth/generic/orders", headers={**said, name: value})
    assert answer.status_code == 404


def test_the_internal_listener_asks_for_its_secret(world: World) -> None:
    """In its header, or as Traefik can: a Basic password. Health and keys are open."""
    apply(world)
    key = key_of(world, "orders.view")
    with world.client(internal_port=INTERNAL, proxy_secret="a secret of sixteen") as http:
        proxy = Proxy(http, "traefik")
        for wrong in ((), (("Keyhalt-Proxy-Secret", "another"),), (("Authorization", "Basic x"),)):
            answer = proxy.ask("/orders/17", key, *wrong)
            assert (answer.status_code, answer.json()["code"]) == (403, "proxy_secret")
        header = ("Keyhalt-Proxy-Secret", "a secret of sixteen")
        assert proxy.ask("/orders/17", key, header).status_code == 200
        basic = ("Authorization", "Basic eDphIHNlY3JldCBvZiBzaXh0ZWVu")
        assert proxy.ask("/orders/17", key, basic).status_code == 200
        for path in ("/livez", "/readyz", "/.well-known/keyhalt/jwks.json"):
            assert http.get(f"http://internal:{INTERNAL}{path}").status_code == 200


# ------------------------------------------------------------------ assertions


def verified(http: TestClient, assertion: str) -> Any:
    """The claims, checked as a backend would, with a library that is not ours."""
    keys = jwk.KeySet.import_key_set(http.get("/.well-known/keyhalt/jwks.json").json())
    with warnings.catch_warnings():
        # RFC 9864 would write Ed25519; what backends have today knows EdDSA.
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(assertion, keys, algorithms=["EdDSA"]).claims


def test_an_assertion_says_the_same_and_can_be_checked(world: World, http: TestClient) -> None:
    """A JWS with EdDSA, for this policy, for a minute, under a key that is published."""
    apply(world)
    answer = Proxy(http, "generic").ask("/orders/17", key_of(world, "orders.view"))
    assertion = answer.headers["keyhalt-assertion"]
    claims = verified(http, assertion)
    assert claims["exp"] - claims["iat"] == 60
    assert {name: claims[name] for name in set(claims) - {"iat", "exp"}} == {
        "iss": "Lab",
        "aud": "orders",
        "sub": "1",
        "code": "jsmith",
        "datasource": "acme",
        "key": "1",
        "permissions": "orders.view",
        "topmosts": {"projects": [1]},
    }
    changed = assertion[:-4] + ("AAAA" if not assertion.endswith("AAAA") else "BBBB")
    with pytest.raises(Exception, match="signature"):
        verified(http, changed)
    as_key = http.get("/api/v3/me", headers={"Authorization": f"Bearer {assertion}"})
    assert as_key.status_code == 401


def test_a_signature_is_used_again_only_while_its_principal_is_remembered(
    world: World, http: TestClient
) -> None:
    """Any change of rights ends both."""
    apply(world)
    key = key_of(world, "orders.view")
    proxy = Proxy(http, "generic")
    first, second = (proxy.ask(f"/orders/{n}", key).headers["keyhalt-assertion"] for n in (1, 2))
    assert first == second
    world.grant("jsmith", "orders.view", "orders.create")
    third = proxy.ask("/orders/3", key)
    assert third.headers["keyhalt-permissions"] == "orders.view,orders.create"
    assert verified(http, third.headers["keyhalt-assertion"])["permissions"].count(",") == 1


def test_an_assertion_can_be_bound_to_its_request(world: World, http: TestClient) -> None:
    """Then it vouches for one method, host and path with its query."""
    apply(world, POLICY.replace("preflight = true", 'assertion = "request"'))
    key = key_of(world, "orders.view")
    proxy = Proxy(http, "generic")
    uris = ("/orders/1", "/orders/1?a=b")
    for uri in uris:
        claims = verified(http, proxy.ask(uri, key).headers["keyhalt-assertion"])
        digest = hashlib.sha256(f"GET\napi.example\n{uri}".encode()).digest()
        assert claims["request"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_keys_rotate_with_the_mac_keys(world: World, http: TestClient) -> None:
    """A new generation is published before it signs; the old stays as long as it is accepted."""
    apply(world)
    key = key_of(world, "orders.view")

    def kid() -> str:
        answer = Proxy(http, "generic").ask("/orders/17", key)
        return jws.extract_compact(answer.headers["keyhalt-assertion"].encode()).headers()["kid"]

    def published() -> list[str]:
        keys = http.get("/.well-known/keyhalt/jwks.json").json()["keys"]
        return [each["kid"] for each in keys]

    old = kid()
    assert published() == [old]
    world.engine.manage_mac_keys.add(OPERATOR, ORIGIN)
    reread(world)
    assert (published()[0], len(published()), kid()) == (old, 2, old)
    world.engine.manage_mac_keys.mint(OPERATOR, 1, ORIGIN)
    reread(world)
    world.grant("jsmith", "orders.view", "projects.view")
    assert published()[1] == old
    assert kid() == published()[0] != old


def reread(world: World) -> None:
    """The file of the MAC keys is looked at once a second; here it is looked at now."""
    before = world.engine.here.mac_keys()
    while world.engine.here.mac_keys() is before:
        time.sleep(0.05)


@pytest.mark.parametrize("code", ["jürgen", "a b,c;%d", "日本" * 29, "x" * 59])
def test_names_of_any_letters_arrive_and_all_headers_fit(
    world: World, http: TestClient, code: str
) -> None:
    """Percent-encoded UTF-8; all answer headers together have at most 2 kB, or it is refused."""
    apply(world)
    _, key = world.key(world.user(code, "*", full_name="X"))
    answer = Proxy(http, "generic").ask("/orders/17", ("ECI-ApiKey", key))
    if answer.status_code == 200:
        told = answer.headers["keyhalt-user-code"]
        assert told.isascii()
        assert unquote(told) == code
        size = sum(len(n) + len(v) + 4 for n, v in answer.headers.raw)
        assert size <= 2048 - len("HTTP/1.1 200 OK\r\n\r\n") - len("date: ") - 31
    else:
        assert answer.json()["code"] == "identity_too_large"


def test_a_user_with_many_topmosts_is_refused_not_cut(world: World, http: TestClient) -> None:
    """Half of what a user sees would be another answer than the true one."""
    apply(world)
    user = world.user("jsmith", "orders.view")
    world.engine.manage_users.set_topmosts(
        OPERATOR, world.datasource_id, "jsmith", {"projects": tuple(range(1, 900))}, ORIGIN
    )
    _, key = world.key(user)
    answer = Proxy(http, "generic").ask("/orders/17", ("ECI-ApiKey", key))
    assert (answer.status_code, answer.json()["code"]) == (403, "identity_too_large")
