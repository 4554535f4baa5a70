"""Reading what is there: keys, users, roles, datasources, the audit log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keyhalt.core import filters
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.refusals import Refused
from keyhalt.usecases.rows import AuditQuery, KeyReceipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keyhalt.core.principals import KeyFacts, UserFacts
    from keyhalt.usecases.ports import AuditReader, Clock, Rights
    from keyhalt.usecases.rows import (
        AuditRow,
        DatasourceRow,
        EnvironmentRow,
        KeyRow,
        KeySearch,
        RoleRow,
    )


class LookUp:
    """Nothing here changes anything. What the caller may see was decided before."""

    def __init__(
        self,
        *,
        rights: Rights,
        audit: AuditReader,
        key_fields: Mapping[str, filters.Field],
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._audit = audit
        self._key_fields = key_fields
        self._clock = clock

    def environment(self) -> EnvironmentRow | None:
        with self._rights.look() as tx:
            return tx.datasources.environment()

    def datasources(self) -> Sequence[DatasourceRow]:
        with self._rights.look() as tx:
            return tx.datasources.list()

    def datasource(self, name: str) -> DatasourceRow | None:
        with self._rights.look() as tx:
            return tx.datasources.find(name)

    def keys(
        self, datasource_id: int, *, filter_text: str = "", with_deleted: bool = False
    ) -> Sequence[KeyRow] | Refused:
        """The keys of all users of the datasource, oldest first."""
        where = filters.compile_filter(filter_text, self._key_fields, now=self._clock.now())
        if isinstance(where, Refused):
            return where
        with self._rights.look() as tx:
            rows = tx.keys.list(datasource_id, where)
        return [row for row in rows if with_deleted or row.deleted_at is None]

    def key_page(self, datasource_id: int, search: KeySearch) -> tuple[Sequence[KeyRow], int]:
        """A part of those that are looked for, and how many they are."""
        with self._rights.look() as tx:
            return tx.keys.page(datasource_id, search)

    def key_page_by_use(
        self, datasource_id: int, search: KeySearch, recent: Sequence[int], *, idle_first: bool
    ) -> tuple[Sequence[KeyRow], int]:
        """As `key_page`, ordered by use. `recent`: keys by id, last used first; others never were.

        The order is of another store, so the ids are ordered here; the rows are of one part only.
        """
        with self._rights.look() as tx:
            ids = tx.keys.matching(datasource_id, search)
            place = {key_id: number for number, key_id in enumerate(recent)}
            ordered = sorted(ids, key=lambda each: place.get(each, len(place)), reverse=idle_first)
            part = tuple(ordered[search.skip : search.skip + search.take])
            rows, _ = tx.keys.page(datasource_id, replace(search, only=part, skip=0))
        return sorted(rows, key=lambda row: part.index(row.id)), len(ids)

    def key(self, datasource_id: int, key_id: int) -> KeyRow | Denied:
        """A deleted key is not found."""
        with self._rights.look() as tx:
            row = tx.keys.get(datasource_id, key_id)
        if row is None or row.deleted_at is not None:
            return Denied(Reason.NOT_FOUND)
        return row

    def any_key(self, datasource_id: int, key_id: int) -> KeyRow | None:
        """Also a deleted one."""
        with self._rights.look() as tx:
            return tx.keys.get(datasource_id, key_id)

    def key_receipt(self, datasource_id: int, key_id: int) -> KeyReceipt | Denied:
        """How the end of a deleted key took effect everywhere."""
        key = self.any_key(datasource_id, key_id)
        if key is None or key.deleted_epoch is None:
            return Denied(Reason.NOT_FOUND)
        done = self._audit.in_effect(key.deleted_epoch, key.id)
        return KeyReceipt(key, done.event if done else None)

    def keys_anywhere(
        self, *, key_id: int | None = None, last4: str = ""
    ) -> Sequence[tuple[DatasourceRow, KeyRow]]:
        """For an operator: by id, by the last four characters, or both; deleted ones too."""
        found = []
        with self._rights.look() as tx:
            for place in tx.datasources.list():
                if key_id is None:
                    rows = tx.keys.ending_in(place.id, last4)
                else:
                    row = tx.keys.get(place.id, key_id)
                    rows = [row] if row is not None and row.hint.endswith(last4) else []
                found += [(place, row) for row in rows]
        return found

    def key_facts(self, datasource_id: int, key_id: int) -> KeyFacts | None:
        """What a decision about a key would be made from, also of a deleted one."""
        with self._rights.look() as tx:
            return tx.keys.facts(datasource_id, key_id)

    def key_tree(self, datasource_id: int, key_id: int) -> Sequence[KeyRow] | Denied:
        """A key, what was made with it, with that, and so on down; deleted ones too, by id."""
        with self._rights.look() as tx:
            keys = tx.keys.tree(datasource_id, key_id)
        return keys or Denied(Reason.NOT_FOUND)

    def preference(self, datasource_id: int, user_id: int) -> Mapping[str, object] | None:
        """The settings of a user, as they gave them."""
        with self._rights.look() as tx:
            return tx.users.preference(datasource_id, user_id)

    def users(self, datasource_id: int) -> Sequence[UserFacts]:
        with self._rights.look() as tx:
            return tx.users.list(datasource_id)

    def user(self, datasource_id: int, code: str) -> UserFacts | None:
        with self._rights.look() as tx:
            return tx.users.find(datasource_id, code)

    def roles(self, datasource_id: int) -> Sequence[RoleRow]:
        with self._rights.look() as tx:
            return tx.roles.list(datasource_id)

    def role(self, datasource_id: int, name: str) -> RoleRow | None:
        with self._rights.look() as tx:
            return tx.roles.find(datasource_id, name)

    def audit(self, *, datasource_id: int | None, limit: int) -> Sequence[AuditRow]:
        """The newest events first: changes and denials together. None: the whole environment."""
        return self._audit.page(AuditQuery(datasource_id=datasource_id, limit=limit))
