"""Keys in the store of rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import String, and_, bindparam, cast, func, insert, or_, select, text, update

from keyhalt.core.audit import Event
from keyhalt.core.filters import Condition, Field, FieldType
from keyhalt.core.principals import CredentialKind
from keyhalt.storage.columns import Utc
from keyhalt.storage.rows import (
    KEY_COLUMNS,
    KEY_ROW,
    USER_COLUMNS,
    key_facts,
    key_from,
    key_row,
    owner,
)
from keyhalt.storage.schema import api_key, audit_event
from keyhalt.usecases.rows import KEY_ORDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from keyhalt.core.principals import KeyFacts
    from keyhalt.usecases.rows import KeyRow, KeySearch, KeyWalk, NewKey

# The wire's names of what a list of keys can be filtered by (docs/wire.md).
KEY_FIELDS = {
    "apiKeyInfo": Field(FieldType.STRING, "api_key.name"),
    "fullName": Field(FieldType.STRING, "owner.full_name"),
    "systemUserCode": Field(FieldType.STRING, "owner.code"),
    "systemUserID": Field(FieldType.INTEGER, "owner.id"),
}


_ORDERS = dict(
    zip(
        KEY_ORDERS,
        (
            (api_key.c.id.desc(),),
            (api_key.c.id,),
            (func.lower(api_key.c.name), api_key.c.id),
            (func.lower(owner.c.full_name), api_key.c.id),
        ),
        strict=True,
    )
)
_FACTS = select(*KEY_COLUMNS, *USER_COLUMNS).select_from(key_from())


class SqlKeys:
    """Changes are narrow: no call writes a whole row, so no stale copy can revive a key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, datasource_id: int, key: NewKey) -> int:
        row = insert(api_key).values(
            datasource_id=datasource_id,
            owner_id=key.owner_id,
            name=key.name,
            description=key.description,
            last4="",
            made_with_kind=key.made_with.kind.value,
            made_with_id=key.made_with.id,
            made_by=key.made_by,
            created_at=key.created_at,
            in_place_of=key.in_place_of,
        )
        return int(self._connection.execute(row.returning(api_key.c.id)).scalar_one())

    def set_text(
        self, datasource_id: int, key_id: int, *, digest: bytes, last4: str, generation: int
    ) -> None:
        """Once, for a row that has none."""
        row = _one(datasource_id, key_id) & api_key.c.digest.is_(None)
        values = {"digest": digest, "last4": last4, "generation": generation}
        self._connection.execute(update(api_key).where(row).values(values))

    def set_imported(
        self,
        datasource_id: int,
        key_id: int,
        *,
        digest: bytes,
        last4: str,
        generation: int,
        mac: bytes,
    ) -> None:
        """As `set_text`, for a key that another system issued. Raises DuplicateError."""
        self.set_text(datasource_id, key_id, digest=digest, last4=last4, generation=generation)
        row = _one(datasource_id, key_id)
        self._connection.execute(update(api_key).where(row).values(imported_mac=mac))

    def get(self, datasource_id: int, key_id: int) -> KeyRow | None:
        row = self._connection.execute(KEY_ROW.where(_one(datasource_id, key_id))).one_or_none()
        return None if row is None else key_row(row)

    def facts(self, datasource_id: int, key_id: int) -> KeyFacts | None:
        row = self._connection.execute(_FACTS.where(_one(datasource_id, key_id))).one_or_none()
        return None if row is None else key_facts(row)

    def list(self, datasource_id: int, where: Condition | None = None) -> Sequence[KeyRow]:
        query = KEY_ROW.where(api_key.c.datasource_id == datasource_id)
        if where is not None:
            query = query.where(condition_of(where))
        return [key_row(row) for row in self._connection.execute(query)]

    def page(self, datasource_id: int, search: KeySearch) -> tuple[Sequence[KeyRow], int]:
        wanted = _wanted(datasource_id, search)
        query = KEY_ROW.where(*wanted).order_by(None).order_by(*_ORDERS[search.order])
        counted = select(func.count()).select_from(_ids(wanted).subquery())
        rows = self._connection.execute(query.offset(search.skip).limit(search.take))
        return [key_row(row) for row in rows], self._connection.execute(counted).scalar_one()

    def matching(self, datasource_id: int, search: KeySearch) -> Sequence[int]:
        query = _ids(_wanted(datasource_id, search)).order_by(api_key.c.id)
        return self._connection.execute(query).scalars().all()

    def after(self, datasource_id: int, key_id: int, walk: KeyWalk) -> Sequence[KeyRow]:
        own = api_key.c.datasource_id == datasource_id
        query = KEY_ROW.where(own, api_key.c.deleted_at.is_(None), api_key.c.id > key_id)
        if walk.only is not None:
            query = query.where(api_key.c.id.in_(walk.only))
        if walk.replaced:
            new = api_key.alias("new")
            replaced = select(new.c.in_place_of).where(
                new.c.datasource_id == datasource_id,
                new.c.in_place_of.is_not(None),
                new.c.deleted_at.is_(None),
            )
            query = query.where(api_key.c.id.in_(replaced))
        return [key_row(row) for row in self._connection.execute(query.limit(walk.take))]

    def in_place_of(self, datasource_id: int, key_ids: Sequence[int]) -> Sequence[KeyRow]:
        query = KEY_ROW.where(
            api_key.c.datasource_id == datasource_id,
            api_key.c.in_place_of.in_(key_ids),
            api_key.c.deleted_at.is_(None),
        )
        return [key_row(row) for row in self._connection.execute(query)]

    def ending_in(self, datasource_id: int, last4: str) -> Sequence[KeyRow]:
        here = (api_key.c.datasource_id == datasource_id) & (api_key.c.last4 == last4)
        return [key_row(row) for row in self._connection.execute(KEY_ROW.where(here))]

    def rename(
        self, datasource_id: int, key_id: int, *, name: str, description: str | None
    ) -> bool:
        values = {"name": name}
        if description is not None:
            values["description"] = description
        row = _one(datasource_id, key_id) & api_key.c.deleted_at.is_(None)
        return bool(self._connection.execute(update(api_key).where(row).values(values)).rowcount)

    def delete(self, datasource_id: int, key_id: int, *, at: datetime, epoch: int) -> bool:
        row = _one(datasource_id, key_id) & api_key.c.deleted_at.is_(None)
        values = {"deleted_at": at, "deleted_epoch": epoch}
        return bool(self._connection.execute(update(api_key).where(row).values(values)).rowcount)

    def tree(self, datasource_id: int, key_id: int) -> Sequence[KeyRow]:
        return self._trees(datasource_id, api_key.c.id == key_id)

    def made_since(
        self, datasource_id: int, *, user_id: int, user_code: str, since: datetime
    ) -> Sequence[KeyRow]:
        # Codes change and are given again, and an operator may be called like anybody: the log
        # has ids. The code says it where the log of that time was let go.
        made = and_(
            audit_event.c.datasource_id == datasource_id,
            audit_event.c.at >= since,
            audit_event.c.event == Event.KEY_CREATE.value,
        )
        logged = select(audit_event.c.object_id).where(made)
        by_user = or_(
            api_key.c.owner_id == user_id,
            api_key.c.id.in_(logged.where(audit_event.c.user_id == user_id)),
            and_(
                api_key.c.made_by == user_code,
                api_key.c.made_with_kind != CredentialKind.OPERATOR.value,
                api_key.c.id.not_in(logged),
            ),
        )
        return self._trees(datasource_id, and_(api_key.c.created_at >= since, by_user))

    def _trees(self, datasource_id: int, roots: ColumnElement[bool]) -> Sequence[KeyRow]:
        own = api_key.c.datasource_id == datasource_id
        found = select(api_key.c.id).where(own, roots).cte("found", recursive=True)
        made_with_found = (api_key.c.made_with_kind == CredentialKind.KEY.value) & (
            api_key.c.made_with_id == found.c.id
        )
        found = found.union(select(api_key.c.id).join(found, made_with_found).where(own))
        query = KEY_ROW.where(own, api_key.c.id.in_(select(found.c.id)))
        return [key_row(row) for row in self._connection.execute(query)]

    def by_generation(self) -> Mapping[int, int]:
        living = api_key.c.deleted_at.is_(None) & api_key.c.generation.is_not(None)
        query = select(api_key.c.generation, func.count()).where(living)
        rows = self._connection.execute(query.group_by(api_key.c.generation))
        return {row[0]: row[1] for row in rows}


def _wanted(datasource_id: int, search: KeySearch) -> list[ColumnElement[bool]]:
    wanted = [api_key.c.datasource_id == datasource_id, api_key.c.deleted_at.is_(None)]
    if search.key_id is not None:
        wanted.append(api_key.c.id == search.key_id)
    if search.owner_id is not None:
        wanted.append(api_key.c.owner_id == search.owner_id)
    if search.owner_active is not None:
        wanted.append(owner.c.active == search.owner_active)
    if search.created_before is not None:
        wanted.append(api_key.c.created_at < search.created_before)
    if search.but:
        # Written into the statement: there may be more of them than it may have parameters.
        wanted.append(
            api_key.c.id.not_in(
                bindparam("but", sorted(search.but), expanding=True, literal_execute=True)
            )
        )
    if search.text:
        hint = cast(api_key.c.id, String) + "…" + api_key.c.last4
        columns = (api_key.c.name, api_key.c.description, hint, owner.c.code)
        wanted.append(holds(search.text, *columns, owner.c.full_name))
    if search.only is not None:
        wanted.append(api_key.c.id.in_(search.only))
    return wanted


def _ids(wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return KEY_ROW.where(*wanted).order_by(None).with_only_columns(api_key.c.id)


def _one(datasource_id: int, key_id: int) -> ColumnElement[bool]:
    return and_(api_key.c.datasource_id == datasource_id, api_key.c.id == key_id)


def holds(wanted: str, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether one of the columns has this text in it, whatever its case."""
    return or_(*(column.icontains(wanted, autoescape=True) for column in columns))


def condition_of(where: Condition) -> ColumnElement[bool]:
    """A compiled filter as a part of a statement. Values stay parameters; times get their type."""
    typed = [
        bindparam(name, value, type_=Utc()) if hasattr(value, "tzinfo") else bindparam(name, value)
        for name, value in where.params.items()
    ]
    return text(f"({where.sql})").bindparams(*typed)  # type: ignore[return-value]
