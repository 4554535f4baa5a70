"""What a remote verifier asks and is told: `POST /api/keyhalt/v1/verify`. docs/wire.md.

Both ends are here, so that they cannot drift apart. The credential travels in the body, never in
an address; the answer names permissions, so that the asker needs no catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from keyhalt.client.credentials import KEY_HEADER_NAME, key_in_query
from keyhalt.core.decisions import Allowed, Decision, Denied, Presented, Reason
from keyhalt.core.permissions import PermissionSet
from keyhalt.core.principals import Credential, CredentialKind, Principal, UserFacts

VERIFY_PATH = "/api/keyhalt/v1/verify"
SECRET_HEADER = "Keyhalt-Proxy-Secret"  # noqa: S105 - the name of a header


def question_of(presented: Presented) -> dict[str, object]:
    """The body that asks. Several keys are joined as a proxy would join them: a comma is two."""
    question: dict[str, object] = {"overHttps": presented.over_https, "source": presented.source}
    if presented.keys:
        question["apiKey"] = b",".join(presented.keys).decode("latin-1")
    elif presented.authorizations > 1:
        question["authorizations"] = presented.authorizations
    elif presented.bearer is not None:
        question["bearer"] = presented.bearer.decode("latin-1")
    elif presented.query and (text := key_in_query(presented.query)) is not None:
        question["keyInUrl"] = text.decode("latin-1")
    return question


def presented_in(question: Mapping[str, Any]) -> Presented:
    """The other way round. Raises UnicodeError for a text that no header can hold."""
    key, bearer, in_url = (question.get(name) for name in ("apiKey", "bearer", "keyInUrl"))
    pasted = f"{KEY_HEADER_NAME}={in_url}".encode("latin-1") if in_url is not None else b""
    return Presented(
        keys=() if key is None else (key.encode("latin-1"),),
        bearer=None if bearer is None else bearer.encode("latin-1"),
        authorizations=question.get("authorizations") or (0 if bearer is None else 1),
        over_https=question["overHttps"],
        query=pasted.replace(b"+", b"%2B"),
        source=question.get("source") or "",
    )


def answer_of(
    decision: Decision, names: Callable[[PermissionSet], Iterable[str]]
) -> dict[str, object]:
    """What the asker is told; of a denial what its client may know, and no more."""
    if isinstance(decision, Denied):
        answer: dict[str, object] = {
            "allowed": False,
            "reason": decision.reason.value,
            "byBearer": decision.by_bearer,
        }
        if decision.retry_after_seconds is not None:
            answer["retryAfterSeconds"] = decision.retry_after_seconds
        if decision.need is not None:
            answer["permission"] = decision.need
        return answer
    principal = decision.principal
    credential = principal.credential
    return {
        "allowed": True,
        "principal": {
            "environment": principal.environment,
            "datasourceId": principal.datasource_id,
            "datasource": principal.datasource,
            "userId": principal.user_id,
            "userCode": principal.user_code,
            "fullName": principal.full_name,
            "email": principal.email,
            "roleId": principal.role_id,
            "roleName": principal.role_name,
            "permissions": list(names(principal.permissions)),
            "topmosts": {name: list(ids) for name, ids in principal.topmosts.items()},
            "credential": {"kind": credential.kind.value, "id": credential.id},
        },
    }


def decision_in(
    answer: Mapping[str, Any], bits: Callable[[Iterable[str]], PermissionSet]
) -> Decision:
    """The other way round. Raises KeyError, TypeError or ValueError for any other answer."""
    if answer["allowed"] is not True:
        return Denied(
            Reason(answer["reason"]),
            need=answer.get("permission"),
            retry_after_seconds=answer.get("retryAfterSeconds"),
            by_bearer=answer["byBearer"] is True,
        )
    told = answer["principal"]
    kind, number = CredentialKind(told["credential"]["kind"]), told["credential"]["id"]
    return Allowed(Principal(told["environment"], _user_in(told, bits), Credential(kind, number)))


def _user_in(told: Mapping[str, Any], bits: Callable[[Iterable[str]], PermissionSet]) -> UserFacts:
    topmosts = cast("Mapping[str, Iterable[int]]", told["topmosts"])
    return UserFacts(
        user_id=told["userId"],
        user_code=told["userCode"],
        full_name=told["fullName"],
        email=told["email"],
        datasource_id=told["datasourceId"],
        datasource=told["datasource"],
        role_id=told["roleId"],
        role_name=told["roleName"],
        permissions=bits(told["permissions"]),
        topmosts={name: tuple(ids) for name, ids in topmosts.items()},
        # Allowed, so both were. Nothing here asks for a generation: the server did.
        active=True,
        datasource_active=True,
        sign_in_generation=0,
    )
