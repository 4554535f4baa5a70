"""A refusal that is not about rights: the request is wrong, or clashes with what is there.

`Denied` says "you may not"; `Refused` says "not like this". Both are values. Which status each
has stands in one table, client/problems.py.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Fault(enum.StrEnum):
    """What is wrong with a request. Closed; docs/problems.md has each."""

    INVALID_BODY = "invalid_body"
    INVALID_QUERY = "invalid_query"
    INVALID_FILTER = "invalid_filter"
    INVALID_STATE = "invalid_state"
    CONFLICT = "conflict"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    MISDIRECTED_REQUEST = "misdirected_request"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    PROXY_MISCONFIGURED = "proxy_misconfigured"
    PROXY_SECRET = "proxy_secret"  # noqa: S105 - a fault
    AMBIGUOUS_PATH = "ambiguous_path"
    IDENTITY_TOO_LARGE = "identity_too_large"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Refused:
    """`detail`: one sentence in the caller's words, with no secret. `field`: what it is about."""

    fault: Fault
    detail: str
    field: str | None = None
