"""The audit log: closed event names and the shape of an event.

Names are `object.verb`. An event says who did what to what, by which credential, from where, and
with what outcome; it never holds a secret. `VERSION` rises when the shape changes; fields are only
added.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from keyhalt.core.principals import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from keyhalt.core.principals import Acting, Credential

VERSION = 1


class Event(enum.StrEnum):
    """Everything that is recorded. Changes of rights stand in the change's own transaction."""

    ENVIRONMENT_CREATE = "environment.create"
    ENVIRONMENT_COPY = "environment.copy"
    ENVIRONMENT_REOPEN = "environment.reopen"
    DATASOURCE_CREATE = "datasource.create"
    DATASOURCE_ACTIVATE = "datasource.activate"
    DATASOURCE_DEACTIVATE = "datasource.deactivate"
    DATASOURCE_SET_POLICY = "datasource.set_policy"
    USER_CREATE = "user.create"
    USER_ACTIVATE = "user.activate"
    USER_DEACTIVATE = "user.deactivate"
    USER_EDIT = "user.edit"
    USER_SET_ROLE = "user.set_role"
    USER_SET_PASSWORD = "user.set_password"  # noqa: S105 - an event
    USER_SET_TOPMOST = "user.set_topmost"
    ROLE_CREATE = "role.create"
    ROLE_EDIT = "role.edit"
    ROLE_DELETE = "role.delete"
    GROUP_CREATE = "group.create"
    GROUP_EDIT = "group.edit"
    GROUP_DELETE = "group.delete"
    POLICY_APPLY = "policy.apply"
    KEY_CREATE = "key.create"
    KEY_IMPORT = "key.import"
    KEY_EDIT = "key.edit"
    KEY_DELETE = "key.delete"
    """As KEY_REVOKE_BEGIN was called: of logs from before it. Nothing writes it any more."""
    KEY_REVOKE_BEGIN = "key.revoke.begin"
    KEY_REVOKE_DONE = "key.revoke.done"
    KEYS_FREEZE = "keys.freeze"
    KEYS_THAW = "keys.thaw"
    KEY_EXPOSED = "key.exposed"
    EPOCH_DONE = "epoch.done"
    AUDIT_READ = "audit.read"
    AUDIT_RETAIN = "audit.retain"
    AUDIT_FORGET = "audit.forget"
    MAC_KEYS_CHANGE = "mac_keys.change"
    SIGN_IN = "sign_in.done"
    SIGN_OUT = "sign_in.end"
    SIGN_IN_DENIED = "sign_in.deny"
    REQUEST_DENIED = "request.deny"


IN_EFFECT = frozenset({Event.EPOCH_DONE, Event.KEY_REVOKE_DONE})
"""What says that a change counts everywhere: of keys that ended one for each, else one."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. An operator has a name and no ids; nobody known has neither."""

    name: str
    user_id: int | None = None
    credential: Credential | None = None


def actor_of(acting: Acting) -> Actor:
    if isinstance(acting, Operator):
        return Actor(acting.name)
    return Actor(acting.user_code, acting.user_id, acting.credential)


class Origin(NamedTuple):
    """Where a call came from: its request id, the client's address, the operation asked for."""

    request_id: str
    source: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the log. `at` is aware UTC. `details` holds plain values, never a secret."""

    event: Event
    at: datetime
    actor: Actor
    origin: Origin
    outcome: str = "done"
    """`done` or `denied`."""
    datasource_id: int | None = None
    object_type: str = ""
    object_id: int | None = None
    reason: str = ""
    """For a denial: the exact cause, which the client was not told."""
    details: Mapping[str, object] = field(default_factory=dict)
    epoch: int | None = None
