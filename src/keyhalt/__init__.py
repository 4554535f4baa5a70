"""Keyhalt: API keys that act as their owner, and stop the moment you say so.

This is the public surface, for apps behind the keys and for middleware in other people's apps.
It needs no server, no database and no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from keyhalt.client.forwarded import TrustProxies
from keyhalt.client.middleware import (
    Authenticate,
    NotPermittedError,
    NotProtectedError,
    Verifier,
    permitted,
    principal_in,
)
from keyhalt.client.operations import App, AppContext, Call, Node, Operation, Reply
from keyhalt.core import filters, paging
from keyhalt.core.decisions import Allowed, Denied, Reason
from keyhalt.core.permissions import Need
from keyhalt.core.principals import Principal
from keyhalt.core.refusals import Fault, Refused

if TYPE_CHECKING:
    from keyhalt.client.blocking import BlockingVerifier
    from keyhalt.client.remote import RemoteVerifier

__all__ = [
    "Allowed",
    "App",
    "AppContext",
    "Authenticate",
    "BlockingVerifier",
    "Call",
    "Denied",
    "Fault",
    "Need",
    "Node",
    "NotPermittedError",
    "NotProtectedError",
    "Operation",
    "Principal",
    "Reason",
    "Refused",
    "RemoteVerifier",
    "Reply",
    "TrustProxies",
    "Verifier",
    "filters",
    "paging",
    "permitted",
    "principal_in",
]

# Imported when asked for: they need asyncio, threads and TLS, which a command need not wait for.
_LATER = {
    "BlockingVerifier": "keyhalt.client.blocking",
    "RemoteVerifier": "keyhalt.client.remote",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
