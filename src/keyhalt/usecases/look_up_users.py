"""Reading users, roles and groups as they are administered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keyhalt.core import filters
from keyhalt.core.decisions import Denied, Reason
from keyhalt.core.filters import Field, FieldType
from keyhalt.core.permissions import covers
from keyhalt.core.refusals import Fault, Refused
from keyhalt.usecases.people import USER_ORDERS, UserQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from keyhalt.core.filters import Condition
    from keyhalt.core.paging import Page
    from keyhalt.core.permissions import Catalogue
    from keyhalt.usecases.people import GroupRow, SignInReader, UserRow
    from keyhalt.usecases.ports import Clock, Rights, RightsTransaction
    from keyhalt.usecases.rows import RoleRow

# EnergyCAP's filter by what a user's role grants. No field where the catalogue has no such entry.
_BY_PERMISSION = {"canManageFlags": ("flaggedItems", "manage")}

# What a user is called: all that is told to somebody who may not view users.
_SEEN_BY_ALL = ("systemUserID", "fullName", "systemUserCode")


# Of more users than these all rows are read: a statement takes so many parameters at most.
NAMED_MAX = 1000


class LookUpUsers:
    """Nothing here changes anything. What the caller may see was decided before."""

    def __init__(
        self,
        *,
        rights: Rights,
        catalogue: Catalogue,
        user_fields: Mapping[str, Field],
        group_fields: Mapping[str, Field],
        sign_ins: SignInReader,
        clock: Clock,
    ) -> None:
        self._rights = rights
        self._catalogue = catalogue
        self._user_fields = user_fields
        self._group_fields = group_fields
        self._sign_ins = sign_ins
        self._clock = clock

    def users(
        self,
        datasource_id: int,
        *,
        filter_text: str = "",
        page: Page | None = None,
        order: str = "",
        reduced: bool = False,
    ) -> tuple[Sequence[UserRow], int] | Refused:
        """The users, and how many pass the filter. `order`: as on the wire, by id when empty.

        `reduced`: for somebody who sees only how users are called, and can ask by that only.
        """
        ordered = _order_of(order, _SEEN_BY_ALL if reduced else USER_ORDERS)
        if isinstance(ordered, Refused):
            return ordered
        with self._rights.look() as tx:
            fields = {**self._user_fields}
            fields |= self._fields_by_permission(tx, datasource_id, filter_text)
            if reduced:
                fields = {name: fields[name] for name in _SEEN_BY_ALL}
            where = self._where(filter_text, fields)
            if isinstance(where, Refused):
                return where
            return tx.users.page(datasource_id, UserQuery(where, page, *ordered))

    def found(self, datasource_id: int, query: UserQuery) -> tuple[Sequence[UserRow], int]:
        """A part of those that are looked for, and how many they are."""
        with self._rights.look() as tx:
            return tx.users.page(datasource_id, query)

    def user(self, datasource_id: int, user_id: int) -> UserRow | Denied:
        with self._rights.look() as tx:
            return tx.users.row(datasource_id, user_id) or Denied(Reason.NOT_FOUND)

    def signed_in(self, datasource_id: int, rows: Sequence[UserRow]) -> Mapping[int, datetime]:
        """When each of these did last, by id; one statement, however many they are."""
        ids = [row.facts.user_id for row in rows]
        return self._sign_ins.last(datasource_id, ids if len(ids) <= NAMED_MAX else None)

    def roles(self, datasource_id: int, *, hidden: bool) -> Sequence[RoleRow]:
        """`hidden`: those that are hidden too."""
        with self._rights.look() as tx:
            return [row for row in tx.roles.list(datasource_id) if hidden or not row.hidden]

    def role(self, datasource_id: int, role_id: int, *, hidden: bool) -> RoleRow | Denied:
        with self._rights.look() as tx:
            row = tx.roles.get(datasource_id, role_id)
        if row is None or (row.hidden and not hidden):
            return Denied(Reason.NOT_FOUND)
        return row

    def groups(
        self, datasource_id: int, *, filter_text: str = "", page: Page | None = None
    ) -> tuple[Sequence[GroupRow], int] | Refused:
        where = self._where(filter_text, self._group_fields)
        if isinstance(where, Refused):
            return where
        with self._rights.look() as tx:
            return tx.groups.page(datasource_id, where, page)

    def group(self, datasource_id: int, group_id: int) -> GroupRow | Denied:
        with self._rights.look() as tx:
            return tx.groups.get(datasource_id, group_id) or Denied(Reason.NOT_FOUND)

    def members(self, datasource_id: int, group_id: int) -> Sequence[UserRow] | Denied:
        """The users of a group, by id."""
        text = f"userGroupID equals '{group_id}'"
        with self._rights.look() as tx:
            if tx.groups.get(datasource_id, group_id) is None:
                return Denied(Reason.NOT_FOUND)
            where = self._where(text, self._user_fields)
            assert not isinstance(where, Refused)  # noqa: S101 - the text is ours
            return tx.users.page(datasource_id, UserQuery(where))[0]

    def _where(self, text: str, fields: Mapping[str, Field]) -> Condition | Refused | None:
        if not text.strip():
            return None
        return filters.compile_filter(text, fields, now=self._clock.now())

    def _fields_by_permission(
        self, tx: RightsTransaction, datasource_id: int, filter_text: str
    ) -> Mapping[str, Field]:
        fields: dict[str, Field] = {}
        for name, (permission, level) in _BY_PERMISSION.items():
            asked = name.lower() in filter_text.lower()
            if asked and permission in self._catalogue.by_name:
                bits = self._catalogue.need(permission, level).bits
                roles = tx.roles.list(datasource_id)
                ids = [str(role.id) for role in roles if covers(role.permissions, bits)]
                sql = f"(owner.role_id in ({', '.join(ids) or 'null'}))"
                fields[name] = Field(FieldType.BOOLEAN, sql)
        return fields


def _order_of(text: str, orders: Sequence[str]) -> tuple[str, bool] | Refused:
    """`fullName`, `fullName asc` or `fullName desc`: the order, and whether it is descending."""
    name, _, direction = text.strip().partition(" ")
    known = {order.lower(): order for order in orders}
    order = known.get(name.lower() or orders[0].lower())
    if order is None or direction.strip().lower() not in ("", "asc", "desc"):
        detail = f"Users can be ordered by {', '.join(orders)}, each with asc or desc."
        return Refused(Fault.INVALID_QUERY, detail, "orderBy")
    return order, direction.strip().lower() == "desc"
