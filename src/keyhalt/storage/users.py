"""Users in the store of rights."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, select, update

from keyhalt.core.names import fold
from keyhalt.core.passwords import PasswordAge, PasswordPolicy
from keyhalt.core.permissions import PermissionSet, covers
from keyhalt.storage import user_lists
from keyhalt.storage.rows import (
    PERSON,
    SERVICE,
    USER_COLUMNS,
    missing_of,
    owner,
    user_facts,
    user_from,
)
from keyhalt.storage.schema import datasource, role, user, user_topmost
from keyhalt.usecases.rows import SignInFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from keyhalt.core.principals import UserFacts
    from keyhalt.usecases.people import UserDetails, UserQuery, UserRow
    from keyhalt.usecases.rows import NewUser

_USER = select(*USER_COLUMNS).select_from(user_from()).order_by(owner.c.id)
_SIGN_IN = _USER.add_columns(
    owner.c.password_hash,
    owner.c.password_changed_at,
    owner.c.created_at,
    owner.c.password_expiration_interval,
    owner.c.force_password_change,
    owner.c.strong_password,
    datasource.c.password_length_min,
)


class SqlUsers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, datasource_id: int, new: NewUser) -> int:
        row = insert(user).values(
            datasource_id=datasource_id,
            **_details_values(new.details),
            active=new.active,
            role_id=new.role_id,
            password_hash=new.password_hash,
            password_changed_at=None if new.password_hash is None else new.created_at,
            sign_in_generation=1,
            created_at=new.created_at,
            kind=SERVICE if new.service else PERSON,
        )
        user_id = int(self._connection.execute(row.returning(user.c.id)).scalar_one())
        self._add_topmosts(datasource_id, user_id, new.topmosts)
        return user_id

    def get(self, datasource_id: int, user_id: int) -> UserFacts | None:
        return self._one_where(datasource_id, owner.c.id == user_id)

    def find(self, datasource_id: int, code: str) -> UserFacts | None:
        return self._one_where(datasource_id, owner.c.code_folded == fold(code))

    def sign_in_facts(self, datasource_id: int, code: str) -> SignInFacts | None:
        """The hash and the generation in one statement: neither is newer than the other."""
        query = _SIGN_IN.where(
            owner.c.datasource_id == datasource_id, owner.c.code_folded == fold(code)
        )
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _sign_in_facts(row)

    def list(self, datasource_id: int) -> Sequence[UserFacts]:
        query = _USER.where(owner.c.datasource_id == datasource_id)
        return [user_facts(row) for row in self._connection.execute(query)]

    def some(self, datasource_id: int, user_ids: Sequence[int]) -> Sequence[UserFacts]:
        query = _USER.where(owner.c.datasource_id == datasource_id, owner.c.id.in_(user_ids))
        return [user_facts(row) for row in self._connection.execute(query)]

    def set_active(self, datasource_id: int, user_id: int, *, active: bool) -> None:
        values: dict[str, object] = {"active": active}
        if not active:
            values["sign_in_generation"] = user.c.sign_in_generation + 1
        self._update(datasource_id, user_id, values)

    def set_role(self, datasource_id: int, user_id: int, role_id: int) -> None:
        self._update(datasource_id, user_id, {"role_id": role_id})

    def set_password(
        self,
        datasource_id: int,
        user_id: int,
        password_hash: str | None,
        *,
        at: datetime,
        must_change: bool | None = None,
    ) -> None:
        values: dict[str, object] = {
            "password_hash": password_hash,
            "password_changed_at": at,
            "sign_in_generation": user.c.sign_in_generation + 1,
        }
        if must_change is not None:
            values["force_password_change"] = must_change
        self._update(datasource_id, user_id, values)

    def set_topmosts(
        self, datasource_id: int, user_id: int, topmosts: Mapping[str, tuple[int, ...]]
    ) -> None:
        old = and_(user_topmost.c.datasource_id == datasource_id, user_topmost.c.user_id == user_id)
        self._connection.execute(delete(user_topmost).where(old))
        self._add_topmosts(datasource_id, user_id, topmosts)

    def row(self, datasource_id: int, user_id: int) -> UserRow | None:
        return user_lists.row(self._connection, datasource_id, user_id)

    def page(self, datasource_id: int, query: UserQuery) -> tuple[Sequence[UserRow], int]:
        return user_lists.page(self._connection, datasource_id, query)

    def missing(self, datasource_id: int, user_ids: Sequence[int]) -> Sequence[int]:
        return missing_of(self._connection, user, datasource_id, user_ids)

    def preference(self, datasource_id: int, user_id: int) -> Mapping[str, object] | None:
        row = and_(user.c.datasource_id == datasource_id, user.c.id == user_id)
        found = self._connection.execute(select(user.c.preference).where(row)).scalar_one_or_none()
        return None if found is None else dict(found)

    def set_preference(
        self, datasource_id: int, user_id: int, preference: Mapping[str, object]
    ) -> None:
        self._update(datasource_id, user_id, {"preference": dict(preference)})

    def set_details(self, datasource_id: int, user_id: int, details: UserDetails) -> None:
        self._update(datasource_id, user_id, _details_values(details))

    def known_emails(self, datasource_id: int, emails: Sequence[str]) -> Sequence[str]:
        # The database folds both sides: it and Python differ beyond ASCII.
        query = select(user.c.email).where(
            user.c.datasource_id == datasource_id,
            func.lower(user.c.email).in_([func.lower(email) for email in emails]),
        )
        return self._connection.scalars(query).all()

    def without_password(self, datasource_id: int, user_ids: Sequence[int] | None) -> Sequence[int]:
        query = select(user.c.id).where(
            user.c.datasource_id == datasource_id, user.c.password_hash.is_(None)
        )
        if user_ids is not None:
            query = query.where(user.c.id.in_(user_ids))
        return self._connection.execute(query).scalars().all()

    def any_person_with(
        self,
        datasource_id: int,
        permissions: PermissionSet,
        *,
        but_user: int | None = None,
        but_role: int | None = None,
    ) -> bool:
        roles = select(role.c.id, role.c.permissions).where(role.c.datasource_id == datasource_id)
        ids = [
            row.id
            for row in self._connection.execute(roles)
            if row.id != but_role and covers(row.permissions, permissions)
        ]
        person = (
            select(user.c.id)
            .where(
                user.c.datasource_id == datasource_id,
                user.c.role_id.in_(ids),
                user.c.active,
                user.c.kind == PERSON,
                user.c.id != (but_user or 0),
            )
            .limit(1)
        )
        return self._connection.execute(person).first() is not None

    def _one_where(self, datasource_id: int, which: ColumnElement[bool]) -> UserFacts | None:
        query = _USER.where(owner.c.datasource_id == datasource_id, which)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else user_facts(row)

    def _update(self, datasource_id: int, user_id: int, values: Mapping[str, object]) -> None:
        row = and_(user.c.datasource_id == datasource_id, user.c.id == user_id)
        self._connection.execute(update(user).where(row).values(dict(values)))

    def _add_topmosts(
        self, datasource_id: int, user_id: int, topmosts: Mapping[str, tuple[int, ...]]
    ) -> None:
        rows = [
            {
                "datasource_id": datasource_id,
                "user_id": user_id,
                "hierarchy": hierarchy,
                "node_id": node_id,
            }
            for hierarchy, ids in topmosts.items()
            for node_id in ids
        ]
        if rows:
            self._connection.execute(insert(user_topmost), rows)


def _details_values(details: UserDetails) -> dict[str, object]:
    return {**asdict(details), "code_folded": fold(details.code)}


def _sign_in_facts(row: Any) -> SignInFacts:  # noqa: ANN401 - a row of _SIGN_IN
    return SignInFacts(
        user=user_facts(row),
        password_hash=row.password_hash,
        age=PasswordAge(
            since=row.password_changed_at or row.created_at,
            interval_days=row.password_expiration_interval,
            must_change=row.force_password_change,
        ),
        policy=PasswordPolicy(row.password_length_min, row.strong_password),
    )
