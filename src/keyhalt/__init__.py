"""Keyhalt: API keys that act as their owner, and stop the moment you say so.

This is the public surface, for apps behind the keys and for middleware in other people's apps.
It needs no server, no database and no web framework.
"""

from keyhalt.client.middleware import Authenticate, Verifier, principal_in
from keyhalt.client.operations import App, AppContext, Call, Node, Operation, Reply
from keyhalt.core import filters, paging
from keyhalt.core.decisions import Allowed, Denied, Reason
from keyhalt.core.permissions import Need
from keyhalt.core.principals import Principal
from keyhalt.core.refusals import Fault, Refused

__all__ = [
    "Allowed",
    "App",
    "AppContext",
    "Authenticate",
    "Call",
    "Denied",
    "Fault",
    "Need",
    "Node",
    "Operation",
    "Principal",
    "Reason",
    "Refused",
    "Reply",
    "Verifier",
    "filters",
    "paging",
    "principal_in",
]
