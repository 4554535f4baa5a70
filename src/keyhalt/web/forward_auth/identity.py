"""What a backend is told of who calls: the identity headers, every one of them, every time.

A header that a proxy does not overwrite might be the client's own, so an empty one is sent, too.
Values are visible ASCII; anything else in a name, and `%`, `,` and `;`, is percent-encoded UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from keyhalt.core.permissions import covers
from keyhalt.core.principals import CredentialKind

if TYPE_CHECKING:
    from keyhalt.client.problems import Header
    from keyhalt.core.policies import Policy
    from keyhalt.core.principals import Principal

HEADER_BYTES_MAX = 2048
ASSERTION = "Keyhalt-Assertion"
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in "%,;") + " "


def facts_of(principal: Principal, policy: Policy) -> dict[str, str]:
    """Header to value, in a fixed order; without the assertion."""
    key = principal.credential
    facts = {
        "Keyhalt-User-Id": str(principal.user_id),
        "Keyhalt-User-Code": _text(principal.user_code),
        "Keyhalt-Key-Id": str(key.id) if key.kind is CredentialKind.KEY else "",
        "Keyhalt-Datasource": _text(principal.datasource),
        "Keyhalt-Environment": _text(principal.environment),
    }
    if policy.permissions:
        held = (str(n) for n in policy.permissions if covers(principal.permissions, n.bits))
        facts["Keyhalt-Permissions"] = ",".join(held)
    for hierarchy in policy.topmosts:
        ids = principal.topmost_ids(hierarchy)
        facts[topmost_header(hierarchy)] = ",".join(str(each) for each in ids)
    return facts


def names_of(policy: Policy) -> list[str]:
    """Every header that an answer under this policy has."""
    names = [
        "Keyhalt-User-Id",
        "Keyhalt-User-Code",
        "Keyhalt-Key-Id",
        "Keyhalt-Datasource",
        "Keyhalt-Environment",
    ]
    if policy.permissions:
        names.append("Keyhalt-Permissions")
    names += [topmost_header(hierarchy) for hierarchy in policy.topmosts]
    return [*names, ASSERTION]


def topmost_header(hierarchy: str) -> str:
    """`costCenters` is told in `Keyhalt-Topmost-CostCenters`."""
    return f"Keyhalt-Topmost-{hierarchy[0].upper()}{hierarchy[1:]}"


def headers_of(facts: dict[str, str], assertion: str) -> tuple[Header, ...]:
    pairs = (*facts.items(), (ASSERTION, assertion))
    return tuple((name.lower().encode(), value.encode("ascii")) for name, value in pairs)


def size_of(headers: tuple[Header, ...]) -> int:
    """Bytes on the wire, with colon, space and line end."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _text(value: str) -> str:
    return quote(value, safe=_SAFE)
