"""Making a user, as a part of a transaction: by itself, or because a group names an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core.audit import AuditEvent, Event, Origin, actor_of
from keyhalt.core.decisions import Denied
from keyhalt.core.refusals import Refused
from keyhalt.usecases.rows import NewUser

if TYPE_CHECKING:
    from datetime import datetime

    from keyhalt.core.principals import Acting, UserFacts
    from keyhalt.usecases.people import UserDraft
    from keyhalt.usecases.ports import RightsTransaction
    from keyhalt.usecases.user_rules import UserRules


def add_user(  # noqa: PLR0917
    tx: RightsTransaction,
    rules: UserRules,
    acting: Acting,
    datasource_id: int,
    draft: UserDraft,
    origin: Origin,
    at: datetime,
    password_hash: str | None = None,
) -> UserFacts | Denied | Refused:
    """What is not allowed writes nothing. Raises DuplicateError for a code that is taken."""
    role = rules.new_role(tx, acting, datasource_id, draft)
    if isinstance(role, Denied | Refused):
        return role
    new = NewUser(
        details=draft.details,
        role_id=role.id,
        password_hash=password_hash,
        topmosts=draft.topmosts,
        created_at=at,
        active=draft.active,
        service=draft.service,
    )
    user_id = tx.users.add(datasource_id, new)
    tx.groups.set_groups_of(datasource_id, user_id, draft.groups)
    user = tx.users.get(datasource_id, user_id)
    assert user is not None  # noqa: S101 - this transaction wrote it
    tx.record(
        AuditEvent(
            event=Event.USER_CREATE,
            at=at,
            actor=actor_of(acting),
            origin=origin,
            datasource_id=datasource_id,
            object_type="user",
            object_id=user_id,
            details={
                "code": draft.code,
                "role": role.name,
                "topmosts": dict(draft.topmosts),
                "service": draft.service,
            },
        )
    )
    return user
